#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace weir::runner {

// Files and folders as they were found: who changed one of them since shows.
struct TreeEntry {
  std::string path;  // relative to the workspace
  mode_t mode = 0;
  std::int64_t size_bytes = 0;
  std::int64_t modified_ns = 0;
  std::int64_t changed_ns = 0;  // the kernel's own stamp, which no program can set back
  ino_t inode = 0;
  bool operator==(const TreeEntry&) const = default;
};

// A cache that lies unpacked in a workspace.
struct PlacedTree {
  std::string sha256;              // of its archive
  std::vector<std::string> tops;   // what was moved there: all below it is the cache's
  std::vector<TreeEntry> entries;  // the tops and all below them, in order of their paths
};

// Unpacked caches for the next job that restores them: <root>/<sha256>/<name>. A tree belongs to one job at a time. It
// is moved into the workspace, where the job may do with it what it likes, and moved back when the job has ended well
// and left it as it was; so no two jobs ever share a file, and a job that writes into a restored file changes what it
// alone has. What the archive holds stays the truth: a tree of which any stamp differs is thrown away, and so is one
// that an earlier start of the machine wrote, which a power cut may have cut short.
//
// Any number of processes may use a root at once: a tree is taken by rename.
class CacheTrees {
 public:
  // "" turns everything off.
  explicit CacheTrees(std::filesystem::path root) : root_(std::move(root)) {}
  [[nodiscard]] bool enabled() const;

  // Moves a kept tree into the workspace; nothing if there is none that is whole.
  Result<std::optional<PlacedTree>> take(std::string_view sha256, const std::filesystem::path& workspace) const;

  // A folder on the same disk to unpack an archive into; then to be placed, or removed.
  [[nodiscard]] Result<std::filesystem::path> make_staging() const;
  // Moves what was unpacked into the workspace, where files of the same names are replaced, and removes the staging
  // folder. kCorrupt for a path that leads through a link of the workspace.
  Result<PlacedTree> place(std::string_view sha256, const std::filesystem::path& staging,
                           const std::filesystem::path& workspace) const;

  // What stands in the workspace now, before it is packed: nothing if it holds what cannot be kept. Waits a moment, so
  // that a later change bears another stamp.
  static std::optional<PlacedTree> look_at(const std::vector<std::string>& tops,
                                           const std::filesystem::path& workspace);

  // After the job: moves the tree out of the workspace if nobody changed it, and keeps it. False if it stays.
  bool give(const PlacedTree& tree, const std::filesystem::path& workspace) const;

 private:
  void make_room(std::int64_t bytes) const;

  std::filesystem::path root_;
};

}  // namespace weir::runner
