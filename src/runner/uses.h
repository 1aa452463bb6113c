#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace weir::runner {

enum class UsesKind : std::uint8_t {
  kLocal,       // "./actions/train": a folder of the workspace
  kDocker,      // "docker://alpine:3"
  kRepository,  // "owner/name/path@ref"
};

// What `uses:` of a step says.
struct UsesReference {
  UsesKind kind = UsesKind::kRepository;
  std::string text;        // as written
  std::string name;        // of kRepository: "actions/cache/restore", lower case; else `text`
  std::string repository;  // "actions/cache", as written
  std::string path;        // "restore"; of kLocal "./actions/train"; of kDocker "alpine:3"
  std::string ref;         // "v4"
  bool of_commit = false;  // of kLocal: of the run's commit instead of the workspace
};

// Takes a `uses:` apart. kInvalidArgument for one that is none of the three, and for names that could lead somewhere
// else: empty or dotted parts, control characters, a ref that git would take for an option.
Result<UsesReference> parse_uses(std::string_view uses);

// The number in a tag like "v4" or "v4.2.1"; 0 if there is none, or it is a commit's id.
int version_number(std::string_view ref);

}  // namespace weir::runner
