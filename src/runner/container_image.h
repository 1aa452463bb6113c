#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace weir::runner {

// The whole name of an image as GitHub means it: one without a registry is Docker Hub's. podman would ask its settings,
// which may name none, another, or several of which a person is to choose.
std::string whole_image_name(std::string_view image);

// Images without a registry that a Dockerfile's FROM and `--from=` may name, as they are written there, and what they
// are with the values that its ARGs have by themselves. Names of the file's own stages are not among them.
struct ShortImage {
  std::string written;
  std::string name;
  bool operator==(const ShortImage&) const = default;
};
std::vector<ShortImage> short_images_of(std::string_view dockerfile);

}  // namespace weir::runner
