#include "io/zip_reader.h"

#include <fcntl.h>
#include <libdeflate.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "io/zip_format.h"

namespace weir::io {
namespace {

using namespace zip;

constexpr std::uint64_t kDirectoryBytesMax = 256U << 20;  // some two million members
constexpr std::size_t kBlockBytes = 256U << 10;
constexpr std::size_t kWholeBytesMax = 32U << 20;  // up to here a member is unpacked at one go
constexpr std::uint64_t kRatioMax = 1032;          // what deflate can make of a byte

// Exactly `size` bytes of the file.
Result<void> read_at(int fd, std::uint64_t offset, char* buffer, std::size_t size) {
  while (size > 0) {
    const ssize_t got = ::pread(fd, buffer, size, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(errno, "cannot read the zip archive");
    if (got == 0) return fail(Code::kCorrupt, "the zip archive is cut short");
    buffer += got;
    offset += static_cast<std::uint64_t>(got);
    size -= static_cast<std::size_t>(got);
  }
  return {};
}

struct Directory {
  std::uint64_t offset = 0;
  std::uint64_t size_bytes = 0;
  std::uint64_t count = 0;
};

Result<Directory> read_end64(int fd, std::uint64_t end_offset, const Directory& small) {
  if (end_offset < kEnd64LocatorBytes) return small;
  std::string locator(kEnd64LocatorBytes, '\0');
  WEIR_TRY(read_at(fd, end_offset - kEnd64LocatorBytes, locator.data(), locator.size()));
  if (number_at<std::uint32_t>(locator, 0) != kEnd64Locator) return small;
  const auto offset = number_at<std::uint64_t>(locator, 8);
  if (offset > end_offset - kEnd64LocatorBytes || end_offset - kEnd64LocatorBytes - offset < kEnd64Bytes) {
    return fail(Code::kCorrupt, "the zip archive's end does not fit together");
  }
  std::string end(kEnd64Bytes, '\0');
  WEIR_TRY(read_at(fd, offset, end.data(), end.size()));
  if (number_at<std::uint32_t>(end, 0) != kEnd64) {
    return fail(Code::kCorrupt, "the zip archive's end does not fit together");
  }
  return Directory{.offset = number_at<std::uint64_t>(end, 48),
                   .size_bytes = number_at<std::uint64_t>(end, 40),
                   .count = number_at<std::uint64_t>(end, 32)};
}

// The record at the end of the file tells where the directory is. A comment may follow it.
Result<Directory> find_directory(int fd, std::uint64_t file_bytes) {
  const std::size_t tail_bytes = std::min<std::uint64_t>(file_bytes, kEndBytes + 0xffff);
  std::string tail(tail_bytes, '\0');
  const std::uint64_t tail_offset = file_bytes - tail_bytes;
  WEIR_TRY(read_at(fd, tail_offset, tail.data(), tail.size()));
  for (std::size_t at = tail_bytes < kEndBytes ? 0 : tail_bytes - kEndBytes + 1; at-- > 0;) {
    if (number_at<std::uint32_t>(tail, at) != kEnd) continue;
    if (at + kEndBytes + number_at<std::uint16_t>(tail, at + 20) != tail_bytes) continue;
    const Directory small{.offset = number_at<std::uint32_t>(tail, at + 16),
                          .size_bytes = number_at<std::uint32_t>(tail, at + 12),
                          .count = number_at<std::uint16_t>(tail, at + 10)};
    const std::uint64_t end_offset = tail_offset + at;
    const Directory found = WEIR_TRY(read_end64(fd, end_offset, small));
    if (found.size_bytes > kDirectoryBytesMax) {
      return fail(Code::kResourceExhausted, "the zip archive's directory is larger than {} MiB",
                  kDirectoryBytesMax >> 20);
    }
    if (found.offset > end_offset || found.size_bytes > end_offset - found.offset ||
        found.count > found.size_bytes / kCentralHeaderBytes) {
      return fail(Code::kCorrupt, "the zip archive's directory lies outside of it");
    }
    return found;
  }
  return fail(Code::kCorrupt, "this is no zip archive, or it was cut short");
}

std::int64_t dos_time(std::uint16_t date, std::uint16_t time) {
  const auto day = std::chrono::year{1980 + (date >> 9)} / std::chrono::month{static_cast<unsigned>(date >> 5 & 15)} /
                   std::chrono::day{static_cast<unsigned>(date & 31)};
  if (!day.ok()) return 0;
  const auto days = std::chrono::sys_days{day}.time_since_epoch();
  return std::chrono::duration_cast<std::chrono::seconds>(days).count() + 3600 * (time >> 11) + 60 * (time >> 5 & 63) +
         2 * (time & 31);
}

// Sizes above 4 GiB and exact times stand in extra fields: pairs of number and length.
Result<void> read_extra(std::string_view extra, ZipEntry& entry) {
  while (extra.size() >= 4) {
    const auto id = number_at<std::uint16_t>(extra, 0);
    const auto length = number_at<std::uint16_t>(extra, 2);
    extra.remove_prefix(4);
    if (length > extra.size()) break;
    std::string_view field = extra.substr(0, length);
    extra.remove_prefix(length);
    if (id == 0x5455 && field.size() >= 5 && (field[0] & 1) != 0) {
      entry.modified_s = number_at<std::int32_t>(field, 1);
    }
    if (id != kExtra64) continue;
    for (auto* value : {&entry.size_bytes, &entry.packed_bytes, &entry.header_offset}) {
      if (*value != kSee64) continue;
      if (field.size() < 8) return fail(Code::kCorrupt, "\"{}\" in the zip archive lacks its size", entry.name);
      *value = number_at<std::uint64_t>(field, 0);
      field.remove_prefix(8);
    }
  }
  return {};
}

Result<void> check_entry(const ZipEntry& entry, std::uint16_t flags) {
  if ((flags & kFlagEncrypted) != 0) {
    return fail(Code::kUnimplemented, "\"{}\" in the zip archive is encrypted", entry.name);
  }
  if (entry.method != kStored && entry.method != kDeflated) {
    return fail(Code::kUnimplemented,
                "\"{}\" in the zip archive is packed by method {}; only stored and deflated "
                "members can be read",
                entry.name, entry.method);
  }
  const bool fits = entry.method == kStored ? entry.size_bytes == entry.packed_bytes
                                            : entry.size_bytes / kRatioMax <= entry.packed_bytes;
  if (!fits || entry.size_bytes > (1ULL << 62)) {
    return fail(Code::kCorrupt, "\"{}\" in the zip archive announces {} bytes, which its {} cannot hold", entry.name,
                entry.size_bytes, entry.packed_bytes);
  }
  return {};
}

}  // namespace

Result<ZipReader> ZipReader::open(const std::filesystem::path& path) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return fail_errno(errno, fmt::format("cannot open {}", path.string()));
  struct stat info{};
  if (::fstat(file.get(), &info) != 0) return fail_errno(errno, fmt::format("cannot read {}", path.string()));
  ZipReader reader(std::move(file));
  reader.file_bytes_ = static_cast<std::uint64_t>(info.st_size);
  WEIR_TRY(reader.read_directory());
  WEIR_TRY(reader.check_places());
  return reader;
}

Result<void> ZipReader::read_directory() {
  const Directory found = WEIR_TRY(find_directory(fd(), file_bytes_));
  directory_offset_ = found.offset;
  std::string bytes(found.size_bytes, '\0');
  WEIR_TRY(read_at(fd(), found.offset, bytes.data(), bytes.size()));
  std::string_view rest = bytes;
  entries_.reserve(found.count);
  for (std::uint64_t i = 0; i < found.count; ++i) {
    if (rest.size() < kCentralHeaderBytes || number_at<std::uint32_t>(rest, 0) != kCentralHeader) {
      return fail(Code::kCorrupt, "the zip archive's directory is damaged");
    }
    const auto flags = number_at<std::uint16_t>(rest, 8);
    const std::size_t name_bytes = number_at<std::uint16_t>(rest, 28);
    const std::size_t extra_bytes = number_at<std::uint16_t>(rest, 30);
    const std::size_t comment_bytes = number_at<std::uint16_t>(rest, 32);
    if (rest.size() - kCentralHeaderBytes < name_bytes + extra_bytes + comment_bytes) {
      return fail(Code::kCorrupt, "the zip archive's directory is damaged");
    }
    ZipEntry entry{.name = std::string(rest.substr(kCentralHeaderBytes, name_bytes)),
                   .size_bytes = number_at<std::uint32_t>(rest, 24),
                   .packed_bytes = number_at<std::uint32_t>(rest, 20),
                   .header_offset = number_at<std::uint32_t>(rest, 42),
                   .crc = number_at<std::uint32_t>(rest, 16),
                   .method = number_at<std::uint16_t>(rest, 10),
                   .modified_s = dos_time(number_at<std::uint16_t>(rest, 14), number_at<std::uint16_t>(rest, 12)),
                   .descriptor = (flags & kFlagDescriptor) != 0};
    if (number_at<std::uint8_t>(rest, 5) == kMadeByUnix) entry.mode = number_at<std::uint32_t>(rest, 38) >> 16;
    WEIR_TRY(read_extra(rest.substr(kCentralHeaderBytes + name_bytes, extra_bytes), entry));
    WEIR_TRY(check_entry(entry, flags));
    total_bytes_ += entry.size_bytes;
    if (total_bytes_ > (1ULL << 62)) return fail(Code::kCorrupt, "the zip archive announces too many bytes");
    rest.remove_prefix(kCentralHeaderBytes + name_bytes + extra_bytes + comment_bytes);
    entries_.push_back(std::move(entry));
  }
  return {};
}

Result<void> ZipReader::check_places() {
  std::vector<const ZipEntry*> order;
  order.reserve(entries_.size());
  for (const auto& entry : entries_) order.push_back(&entry);
  std::ranges::sort(order, {}, &ZipEntry::header_offset);
  for (std::size_t i = 0; i < order.size(); ++i) {
    const ZipEntry& entry = *order[i];
    const std::uint64_t limit = i + 1 < order.size() ? order[i + 1]->header_offset : directory_offset_;
    if (limit > directory_offset_ || entry.header_offset > limit ||
        limit - entry.header_offset < kLocalHeaderBytes + entry.name.size() ||
        limit - entry.header_offset - kLocalHeaderBytes - entry.name.size() < entry.packed_bytes) {
      return fail(Code::kCorrupt, "\"{}\" in the zip archive lies over another member or outside of the archive",
                  entry.name);
    }
  }
  return {};
}

Result<std::uint64_t> ZipReader::data_offset(const ZipEntry& entry) const {
  std::string header(kLocalHeaderBytes, '\0');
  WEIR_TRY(read_at(fd(), entry.header_offset, header.data(), header.size()));
  const std::uint64_t offset = entry.header_offset + kLocalHeaderBytes + number_at<std::uint16_t>(header, 26) +
                               number_at<std::uint16_t>(header, 28);
  if (number_at<std::uint32_t>(header, 0) != kLocalHeader || offset > directory_offset_ ||
      directory_offset_ - offset < entry.packed_bytes) {
    return fail(Code::kCorrupt, "\"{}\" in the zip archive is not where the directory says", entry.name);
  }
  return offset;
}

Result<void> ZipReader::read(const ZipEntry& entry, const Take& take) const {
  const std::uint64_t offset = WEIR_TRY(data_offset(entry));
  std::uint32_t crc = 0;
  if (entry.method == kStored) {
    WEIR_TRY(copy(entry, offset, take, crc));
  } else {
    WEIR_TRY(inflate(entry, offset, take, crc));
  }
  if (crc != entry.crc)
    return fail(Code::kCorrupt, "\"{}\" in the zip archive is damaged: its checksum differs", entry.name);
  return {};
}

Result<void> ZipReader::copy(const ZipEntry& entry, std::uint64_t offset, const Take& take, std::uint32_t& crc) const {
  std::string buffer(std::min<std::uint64_t>(entry.packed_bytes, kBlockBytes), '\0');
  for (std::uint64_t left = entry.packed_bytes; left > 0;) {
    const std::size_t size = std::min<std::uint64_t>(left, buffer.size());
    WEIR_TRY(read_at(fd(), offset, buffer.data(), size));
    crc = ::libdeflate_crc32(crc, buffer.data(), size);
    WEIR_TRY(take(std::string_view(buffer).substr(0, size)));
    offset += size;
    left -= size;
  }
  return {};
}

namespace {

Result<void> wrong_data(const ZipEntry& entry) {
  return fail(Code::kCorrupt, "\"{}\" in the zip archive cannot be unpacked to the {} bytes that it announces",
              entry.name, entry.size_bytes);
}

struct Inflater {
  ::z_stream stream{};
  bool good = ::inflateInit2(&stream, -MAX_WBITS) == Z_OK;
  Inflater() = default;
  ~Inflater() {
    if (good) ::inflateEnd(&stream);
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
};

// A small member at one go: more than twice as fast as in pieces.
Result<void> inflate_whole(const ZipEntry& entry, std::string_view packed, const ZipReader::Take& take,
                           std::uint32_t& crc) {
  const std::unique_ptr<::libdeflate_decompressor, void (*)(::libdeflate_decompressor*)> unpacker(
      ::libdeflate_alloc_decompressor(), ::libdeflate_free_decompressor);
  if (!unpacker) return fail(Code::kResourceExhausted, "no memory to unpack a zip archive");
  // Room for nothing would be no pointer.
  std::string out(std::max<std::size_t>(entry.size_bytes, 1), '\0');
  std::size_t got = 0;
  const auto status =
      ::libdeflate_deflate_decompress(unpacker.get(), packed.data(), packed.size(), out.data(), out.size(), &got);
  if (status != LIBDEFLATE_SUCCESS || got != entry.size_bytes) return wrong_data(entry);
  out.resize(got);
  crc = ::libdeflate_crc32(0, out.data(), out.size());
  return out.empty() ? Result<void>{} : take(out);
}

}  // namespace

Result<void> ZipReader::inflate(const ZipEntry& entry, std::uint64_t offset, const Take& take,
                                std::uint32_t& crc) const {
  const bool whole = entry.size_bytes <= kWholeBytesMax && entry.packed_bytes <= kWholeBytesMax;
  std::string in(whole ? entry.packed_bytes : kBlockBytes, '\0');
  if (whole) {
    WEIR_TRY(read_at(fd(), offset, in.data(), in.size()));
    return inflate_whole(entry, in, take, crc);
  }
  Inflater inflater;
  if (!inflater.good) return fail(Code::kResourceExhausted, "no memory to unpack a zip archive");
  auto& stream = inflater.stream;
  std::string out(kBlockBytes, '\0');
  std::uint64_t left = entry.packed_bytes;
  std::uint64_t given = 0;
  for (int status = Z_OK; status != Z_STREAM_END;) {
    if (stream.avail_in == 0) {
      const std::size_t size = std::min<std::uint64_t>(left, in.size());
      if (size == 0) return wrong_data(entry);
      WEIR_TRY(read_at(fd(), offset, in.data(), size));
      offset += size;
      left -= size;
      stream.next_in = reinterpret_cast<Bytef*>(in.data());
      stream.avail_in = static_cast<uInt>(size);
    }
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    status = ::inflate(&stream, Z_NO_FLUSH);
    if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR) return wrong_data(entry);
    const std::string_view got = std::string_view(out).substr(0, out.size() - stream.avail_out);
    given += got.size();
    if (given > entry.size_bytes) return wrong_data(entry);
    crc = ::libdeflate_crc32(crc, got.data(), got.size());
    if (!got.empty()) WEIR_TRY(take(got));
  }
  return given == entry.size_bytes ? Result<void>{} : wrong_data(entry);
}

}  // namespace weir::io
