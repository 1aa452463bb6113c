#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"

// What of the server's machine and of the network repositories may have watched, and what is there.
namespace weir::event {

// What the server's administrator lets repositories watch: folders, and beginnings of http(s):// addresses. Immutable;
// any thread.
class WatchRoots {
 public:
  WatchRoots() = default;
  // kInvalidArgument for a folder that is not there or is given by less than its full path.
  static Result<WatchRoots> make(const std::vector<std::string>& roots);

  // The real place of `path`, which need not exist, and the root that it lies below. kPermissionDenied if it lies below
  // none, or leads out by a symbolic link.
  struct Place {
    std::filesystem::path root;
    std::filesystem::path path;
  };
  [[nodiscard]] Result<Place> allow(const std::filesystem::path& path) const;
  // kPermissionDenied for an address that begins as none of them does.
  [[nodiscard]] Result<void> allow_address(std::string_view url) const;

 private:
  struct Folder {
    std::filesystem::path given;
    std::filesystem::path real;
  };
  std::vector<Folder> folders_;
  std::vector<std::string> addresses_;
};

// One file of what is watched.
struct WatchedFile {
  std::string_view path;  // below the folder that is watched; the file's name if it is one
  std::int64_t size_bytes = 0;
  std::int64_t modified_ns = 0;  // since 1970
};

// What was found in one pass.
struct FilesFound {
  bool there = false;  // false: no such file or folder
  bool folder = false;
  std::int64_t files = 0;
  std::int64_t bytes = 0;
  std::int64_t newest_ns = 0;  // the latest time of modification
  std::string digest;          // over every path, size and time; "" if it is not there
  std::string left_out;        // what of it could not be looked at; "" for nothing
};

struct FilesPass {
  // In the order of their paths, by bytes, a folder's files together.
  std::function<void(const WatchedFile&)> file;
  std::function<void(const std::filesystem::path&)> folder;  // each folder that was looked into, by its real path
};

// Looks at `watch`, a file, a folder with all below it, or a pattern of files in GitHub's manner ("/srv/**/*.csv").
// Symbolic links to files below a root count as these; other links are left out and told. Reads no file's content.
// kPermissionDenied, kCancelled. Blocks: a million files take seconds.
Result<FilesFound> look_at_files(const WatchRoots& roots, std::string_view watch, const FilesPass& pass,
                                 const std::stop_token& stop);

// SHA-256 of a single file's content as hex; nothing if it is larger than `size_bytes_max`, or not what was seen any
// more. Blocks.
std::optional<std::string> content_digest(const WatchRoots& roots, std::string_view watch, const FilesFound& seen,
                                          std::int64_t size_bytes_max);

// The folder that the pattern's first wildcard is in, or the path itself.
std::filesystem::path literal_part(std::string_view watch);

// `name` without control characters and broken UTF-8, for messages and JSON.
std::string printable(std::string_view name);

}  // namespace weir::event
