#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"

// Archives of artifacts and caches: tar (GNU's form: names are plain bytes) compressed with Zstandard, through
// libarchive.
namespace weir::runner {

struct ArchiveEntry {
  std::filesystem::path source;  // on disk
  std::string name;              // in the archive: relative, with '/'
};

struct PackOptions {
  int compression_level = 3;                // Zstandard's, 1 to 19
  bool follow_symbolic_links = true;        // store what a link points to; false: the link itself
  const std::atomic<bool>* stop = nullptr;  // kCancelled once true
};

struct PackResult {
  std::string sha256;  // of the archive's bytes
  std::uint64_t size_bytes = 0;
};

// Writes `entries` (files, folders, links) to `target`. Folders bring only themselves: list what is in them.
Result<PackResult> pack(const std::vector<ArchiveEntry>& entries, const std::filesystem::path& target,
                        const PackOptions& options);

struct UnpackOptions {
  bool allow_outside_links = false;  // links that lead out of the folder: a cache of a Python environment has them
  const std::atomic<bool>* stop = nullptr;
};

// Extracts into `folder`, which is made if need be. Every name is checked before the first byte is written: an absolute
// path, "..", a device, or a path through a link (of the archive, or on disk already) fails with kCorrupt and leaves
// the folder as it was. Gives the number of files.
Result<std::uint64_t> unpack(const std::filesystem::path& archive, const std::filesystem::path& folder,
                             const UnpackOptions& options = {});

// The same for an archive whose names start with a root's name: "home/.cache/x" goes below the folder of "home".
// Another first part is kCorrupt.
struct UnpackRoot {
  std::string name;
  std::filesystem::path folder;
};
Result<std::uint64_t> unpack_rooted(const std::filesystem::path& archive, const std::vector<UnpackRoot>& roots,
                                    const UnpackOptions& options = {});

}  // namespace weir::runner
