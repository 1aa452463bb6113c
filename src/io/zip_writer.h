#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/hash.h"
#include "io/descriptor.h"

namespace weir::io {

// Writes a zip archive front to back: nothing of it is changed later, so that its SHA-256 is known at the end without
// reading it again, and programs that unpack while they download can read it. Members keep permissions and times of
// their files. What does not get smaller is stored. Files are deflated on several threads, in constant memory.
// One thread at a time.
class ZipWriter {
 public:
  struct Options {
    int level = 6;                            // zlib's, 1 to 9; 0 stores
    bool hash = true;                         // compute the archive's digest
    const std::atomic<bool>* stop = nullptr;  // kCancelled once true
    std::uint64_t large_bytes = 0xff000000;   // files from here on are written in zip64's form; less in tests
  };
  // Makes or empties `path`.
  static Result<ZipWriter> create(const std::filesystem::path& path, const Options& options);

  // A file, what a link points to, or a folder itself (its name gets the '/'). A file that changes meanwhile is
  // kFailedPrecondition; what is neither is left out. Names are relative with '/', at most 65,535 bytes.
  Result<void> add(const std::string& name, const std::filesystem::path& source);

  ZipWriter(ZipWriter&& other) noexcept;
  ZipWriter& operator=(ZipWriter&&) = delete;
  ~ZipWriter();

  struct Done {
    std::string sha256;  // "" if it was not asked for
    std::uint64_t size_bytes = 0;
  };
  // Writes the directory. Nothing is synced.
  Result<Done> finish();

 private:
  struct Member {
    std::string name;
    std::uint64_t header_offset = 0;
    std::uint64_t size_bytes = 0;
    std::uint64_t packed_bytes = 0;
    std::uint32_t crc = 0;
    std::uint32_t mode = 0;
    std::int64_t modified_s = 0;
    std::uint16_t method = 0;
    bool descriptor = false;
  };
  ZipWriter(Descriptor file, std::filesystem::path path, const Options& options);
  Result<void> write(std::string_view bytes);
  Result<void> write_local_header(const Member& member);
  Result<void> write_descriptor(const Member& member);
  struct Small;
  struct Pending;
  static Small pack_small(const Member& member, int fd, int level);
  Result<void> write_small();  // the first one that is pending
  Result<void> write_pending(std::uint64_t bytes_max);
  Result<void> add_stored(Member& member, int fd);
  Result<void> add_deflated(Member& member, int fd);
  [[nodiscard]] bool stopped() const { return options_.stop != nullptr && options_.stop->load(); }

  Descriptor file_;
  std::filesystem::path path_;
  Options options_;
  Sha256 hash_;
  std::uint64_t size_bytes_ = 0;
  std::uint64_t flushed_bytes_ = 0;  // the disk was told of these
  std::vector<Member> members_;
  std::deque<Pending> pending_;  // files that other threads pack meanwhile, in order
  std::uint64_t pending_bytes_ = 0;
};

}  // namespace weir::io
