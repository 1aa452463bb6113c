#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"

// Archives: artifacts are zip, which the published clients and everybody's machine read; caches, and artifacts of weir
// 0.1, are tar (GNU's form: names are plain bytes) compressed with Zstandard, through libarchive.
namespace weir::runner {

struct ArchiveEntry {
  std::filesystem::path source;  // on disk
  std::string name;              // in the archive: relative, with '/'
};

struct PackOptions {
  int compression_level = 3;                // Zstandard's, 1 to 19; deflate's, 0 to 9
  bool follow_symbolic_links = true;        // store what a link points to; false: the link itself
  bool hash = true;                         // compute the digest
  const std::atomic<bool>* stop = nullptr;  // kCancelled once true
};

struct PackResult {
  std::string sha256;  // of the archive's bytes; "" if it was not asked for
  std::uint64_t size_bytes = 0;
};

// Writes `entries` (files, folders, links) to `target`, a tar. Folders bring only themselves: list what is in them.
Result<PackResult> pack(const std::vector<ArchiveEntry>& entries, const std::filesystem::path& target,
                        const PackOptions& options);

// The same as a zip; what links point to is stored.
Result<PackResult> pack_zip(const std::vector<ArchiveEntry>& entries, const std::filesystem::path& target,
                            const PackOptions& options);

struct UnpackOptions {
  // Of all files together: a zip that says more of itself than was announced is kCorrupt.
  std::uint64_t bytes_max = UINT64_MAX;
  bool fresh = false;  // the folder is new and the caller's own, and goes if this fails: one reading will do
  bool allow_outside_links = false;  // links that lead out of the folder: a cache of a Python environment has them
  const std::atomic<bool>* stop = nullptr;
};

// Extracts a tar or, if it begins as one, a zip into `folder`, which is made if need be. Every name is checked before
// the first byte is written: an absolute path, "..", a device, or a path through a link (of the archive, or on disk
// already) fails with kCorrupt, says "nothing was unpacked" and leaves the folder as it was. A zip's file whose bytes
// turn out to be damaged is removed; the files before it stay. Gives the number of files.
Result<std::uint64_t> unpack(const std::filesystem::path& archive, const std::filesystem::path& folder,
                             const UnpackOptions& options = {});

Result<std::uint64_t> unpack_zip(const std::filesystem::path& archive, const std::filesystem::path& folder,
                                 const UnpackOptions& options = {});

// The same for a tar whose names start with a root's name: "home/.cache/x" goes below the folder of "home".
// Another first part is kCorrupt.
struct UnpackRoot {
  std::string name;
  std::filesystem::path folder;
};
Result<std::uint64_t> unpack_rooted(const std::filesystem::path& archive, const std::vector<UnpackRoot>& roots,
                                    const UnpackOptions& options = {});

}  // namespace weir::runner
