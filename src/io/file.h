#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/error.h"

namespace weir::io {

// Whole file as bytes. kNotFound if absent; kResourceExhausted if larger than `size_bytes_max`.
Result<std::string> read_file(const std::filesystem::path& path, std::uint64_t size_bytes_max = 1ULL << 30);

// Writes all bytes to a descriptor, without a sync. The error says "cannot write `what`".
Result<void> write_all(int fd, std::string_view bytes, std::string_view what);

// Replaces `path` so that a reader, or a crash, sees the old bytes or the new ones, never a mixture: temporary file in
// the same folder, fsync, rename, fsync of the folder. `mode` is the new file's permissions.
Result<void> write_file_atomic(const std::filesystem::path& path, std::string_view bytes, unsigned mode = 0644);

// fsync of a file or folder by path.
Result<void> sync_path(const std::filesystem::path& path);

// Makes `path` and its parents; fine if it is there.
Result<void> make_dirs(const std::filesystem::path& path);

// `root`/`relative` for a name that came from outside. kInvalidArgument if `relative` is absolute, empty, holds a NUL
// byte or climbs out by "..". Symbolic links below `root` are not looked at: open with O_NOFOLLOW where that matters.
Result<std::filesystem::path> join_below(const std::filesystem::path& root, std::string_view relative);

// Deletes a tree, also one with read-only folders. Symbolic links are removed, not followed.
Result<void> remove_tree(const std::filesystem::path& path);

// An exclusive advisory lock (flock) on a file, held while the object lives and freed by the kernel if the process
// dies.
class FileLock {
 public:
  // Makes the file if need be. kFailedPrecondition, naming the holder's pid where the file says it, if somebody has it.
  static Result<FileLock> acquire(const std::filesystem::path& path);
  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&& other) noexcept;
  ~FileLock();

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace weir::io
