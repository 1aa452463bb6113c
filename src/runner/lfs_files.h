#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

// Git LFS in work trees, without the program git-lfs.
namespace weir::runner {

// What git keeps in place of a large file (git-lfs, docs/spec.md).
struct LfsPointer {
  std::string oid;  // the SHA-256 of the file, 64 hex digits
  std::int64_t size_bytes = 0;
};

// Nothing if the text is no pointer, or one that asks for more than an object's bytes (an extension).
std::optional<LfsPointer> parse_lfs_pointer(std::string_view text);

struct LfsFiles {
  std::size_t count = 0;  // that were put in place
  std::int64_t size_bytes = 0;
  std::vector<std::string> missing;  // messages, one for each file whose object is not there; they stay pointers
};

// Whether a repository keeps any object.
bool has_lfs_objects(const std::filesystem::path& git_dir);

// Puts the objects that a fresh checkout's pointers name in their place, where .gitattributes says "filter=lfs": as
// copies that share their blocks with the repository's on file systems that can do so, never as links, since a step may
// write to them. git takes the files for unchanged afterwards, with git-lfs or without. `git_dir` has the objects,
// in lfs/objects.
Result<LfsFiles> put_lfs_files(const std::filesystem::path& work_tree, const std::filesystem::path& git_dir);

}  // namespace weir::runner
