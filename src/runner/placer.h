#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "runner/archive.h"

namespace weir::runner {

inline constexpr std::string_view kRefused = "the archive is refused, nothing was unpacked";

// Finds the place of each member of an archive, and refuses those that would lead out of their folder. check() every
// member before the first one is written.
class Placer {
 public:
  // Makes the roots' folders. One root without a name takes all names as they are.
  static Result<Placer> create(std::vector<UnpackRoot> roots, bool allow_outside_links);

  struct Place {
    std::filesystem::path folder;
    std::filesystem::path relative;
    [[nodiscard]] std::filesystem::path target() const { return folder / relative; }
  };
  [[nodiscard]] Result<Place> place(std::string_view name) const;

  enum class Kind { kFile, kFolder, kLink, kHardLink, kOther };
  // `target`: what a link holds; of a hard link the name of the member that it is one with.
  Result<void> check(std::string_view name, Kind kind, std::string_view target = {});

  // Removes what is at `target` and makes the folders above it.
  static Result<void> clear(const std::filesystem::path& target);

 private:
  Placer(std::vector<UnpackRoot> roots, bool allow_outside_links)
      : roots_(std::move(roots)), allow_outside_links_(allow_outside_links) {}
  Result<void> check_parents(const Place& found);

  std::vector<UnpackRoot> roots_;
  bool allow_outside_links_;
  std::set<std::filesystem::path> links_;
  std::set<std::filesystem::path> checked_;
};

}  // namespace weir::runner
