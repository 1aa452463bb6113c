#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "io/descriptor.h"

namespace weir::io {

// One member of a zip archive, as its directory at the end describes it.
struct ZipEntry {
  std::string name;  // as it stands there: with '/', any bytes, not to be trusted; a folder's ends with '/'
  std::uint64_t size_bytes = 0;
  std::uint64_t packed_bytes = 0;
  std::uint64_t header_offset = 0;
  std::uint32_t crc = 0;
  std::uint16_t method = 0;     // 0 stored, 8 deflated
  mode_t mode = 0;              // type and permissions if it was made on Unix, else 0
  std::int64_t modified_s = 0;  // seconds since 1970, in UTC as most writers have it
  bool descriptor = false;      // sizes stand behind the data

  [[nodiscard]] bool is_folder() const { return name.ends_with('/'); }
  [[nodiscard]] bool is_link() const { return (mode & 0170000) == 0120000; }
};

// Reads zip archives: stored and deflated members, zip64. The archive may hold anything: what does not fit together is
// kCorrupt, an encrypted member or another method kUnimplemented, and no member gives more bytes than it announced. One
// thread at a time.
class ZipReader {
 public:
  // Reads and checks the directory: names, sizes that the packed bytes could hold, members that lie within the file and
  // do not share bytes (archives that unpack to a multiple of what they seem to hold are made that way).
  static Result<ZipReader> open(const std::filesystem::path& path);

  [[nodiscard]] const std::vector<ZipEntry>& entries() const { return entries_; }
  [[nodiscard]] std::uint64_t total_bytes() const { return total_bytes_; }  // of all members, unpacked

  // Calls `take` with the member's bytes, piece by piece, and checks length and CRC at the end. An error of `take` ends
  // it.
  using Take = std::function<Result<void>(std::string_view bytes)>;
  Result<void> read(const ZipEntry& entry, const Take& take) const;

  // Where a stored member's bytes lie in the file, for those who copy them as a whole.
  [[nodiscard]] Result<std::uint64_t> data_offset(const ZipEntry& entry) const;
  [[nodiscard]] int fd() const { return file_.get(); }

 private:
  explicit ZipReader(Descriptor file) : file_(std::move(file)) {}
  Result<void> read_directory();
  Result<void> check_places();
  Result<void> inflate(const ZipEntry& entry, std::uint64_t offset, const Take& take, std::uint32_t& crc) const;
  Result<void> copy(const ZipEntry& entry, std::uint64_t offset, const Take& take, std::uint32_t& crc) const;

  Descriptor file_;
  std::uint64_t file_bytes_ = 0;
  std::uint64_t directory_offset_ = 0;
  std::uint64_t total_bytes_ = 0;
  std::vector<ZipEntry> entries_;
};

}  // namespace weir::io
