#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"
#include "io/http.h"

namespace weir::store {

struct BlobInfo {
  std::string sha256;  // 64 hex digits: its name
  std::int64_t size_bytes = 0;
};

// Content-addressed bytes. What put() returned is on disk: temporary file, fsync, rename, fsync of the folder. Equal
// bytes are kept once. Any thread.
class BlobStore {
 public:
  virtual ~BlobStore() = default;

  virtual Result<BlobInfo> put(std::string_view bytes) = 0;
  // Streams until `source` ends. kInvalidArgument, and nothing kept, if `expected_sha256` (unless "") or
  // `expected_size` (unless < 0) is not what came.
  virtual Result<BlobInfo> put_stream(io::ByteSource& source, std::string_view expected_sha256 = {},
                                      std::int64_t expected_size = -1) = 0;
  // Takes a file in by copying (or by rename if `consume` and on the same disk).
  virtual Result<BlobInfo> put_file(const std::filesystem::path& file, bool consume) = 0;

  // Takes over a file on the same disk by rename; nobody may write to it any more. It is gone in any case. With
  // `expected_sha256` "" its bytes are read once, to name them; another one is what the caller found while it wrote
  // them, and is believed. kInvalidArgument if the length is another than `expected_size` (unless < 0).
  virtual Result<BlobInfo> adopt(const std::filesystem::path& file, std::string_view expected_sha256 = {},
                                 std::int64_t expected_size = -1) = 0;

  [[nodiscard]] virtual bool contains(std::string_view sha256) const = 0;
  virtual Result<std::string> get(std::string_view sha256) const = 0;
  // A local file with the bytes, to be sent or opened; never to be changed.
  virtual Result<std::filesystem::path> local_path(std::string_view sha256) const = 0;
  virtual Result<void> remove(std::string_view sha256) = 0;
  // Removes a blob that nothing names, unless somebody has put it since then and may be about to name it. Gives its
  // bytes; nothing if it stays; 0 if it is not there.
  virtual Result<std::optional<std::int64_t>> remove_unless_put(std::string_view sha256, TimePoint since) = 0;
  // Every blob there is, unordered. For fsck and collection of what nothing refers to.
  virtual Result<void> for_each(const std::function<void(const BlobInfo&)>& each) const = 0;
  // Reads the bytes again: kCorrupt if they are not what the name says.
  virtual Result<void> verify(std::string_view sha256) const = 0;
};

// Blobs below `root`, as <root>/ab/cdef…. For the one process that owns the state: clears what an earlier one left
// half-written.
Result<std::unique_ptr<BlobStore>> open_local_blobs(const std::filesystem::path& root);
// The same, changing nothing by itself; for fsck beside a running server.
Result<std::unique_ptr<BlobStore>> view_local_blobs(const std::filesystem::path& root);

}  // namespace weir::store
