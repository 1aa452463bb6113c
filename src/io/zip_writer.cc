#include "io/zip_writer.h"

#include <fcntl.h>
#include <libdeflate.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <deque>
#include <future>
#include <memory>
#include <thread>

#include "io/file.h"
#include "io/zip_format.h"

namespace weir::io {
namespace {

using namespace zip;

constexpr std::uint64_t kSmallBytesMax = 24U << 20;  // packed at one go
constexpr std::uint64_t kTinyBytesMax = 64U << 10;   // not worth a thread
constexpr std::uint64_t kPendingBytesMax = 2 * kSmallBytesMax;
constexpr std::size_t kPendingMax = 64;
constexpr std::size_t kBlockBytes = 1U << 20;    // of a large file, for one thread
constexpr std::size_t kWindowBytes = 32U << 10;  // what deflate looks back to
constexpr std::uint64_t kFlushBytes = 8U << 20;
constexpr std::size_t kSampleBytes = 128U << 10;

struct DosTime {
  std::uint16_t date = (1U << 5) | 1U;  // the first day of 1980: nothing earlier can be said
  std::uint16_t time = 0;
};

DosTime dos_time(std::int64_t unix_s) {
  const std::chrono::sys_seconds moment{std::chrono::seconds{unix_s}};
  const auto day = std::chrono::floor<std::chrono::days>(moment);
  const std::chrono::year_month_day date{day};
  const int year = static_cast<int>(date.year());
  if (year < 1980 || year > 2107) return {};
  const std::chrono::hh_mm_ss clock{moment - day};
  return {.date = static_cast<std::uint16_t>((year - 1980) << 9 | static_cast<int>(unsigned{date.month()}) << 5 |
                                             static_cast<int>(unsigned{date.day()})),
          .time = static_cast<std::uint16_t>(clock.hours().count() << 11 | clock.minutes().count() << 5 |
                                             clock.seconds().count() / 2)};
}

// The exact time, in seconds since 1970.
std::string time_field(std::int64_t unix_s) {
  return Packer()
      .put<std::uint16_t>(0x5455)
      .put<std::uint16_t>(5)
      .put<std::uint8_t>(1)
      .put(static_cast<std::int32_t>(unix_s))
      .bytes();
}

std::uint32_t low(std::uint64_t value, bool large) {
  return large ? kSee64 : static_cast<std::uint32_t>(value);
}

Error changed(std::string_view name) {
  return {Code::kFailedPrecondition, fmt::format("\"{}\" was changed while it was packed", name)};
}

// Exactly `size` bytes from `offset`; an error for a file that became shorter.
Result<void> read_exactly(int fd, std::uint64_t offset, char* buffer, std::size_t size, std::string_view name) {
  while (size > 0) {
    const ssize_t got = ::pread(fd, buffer, size, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(errno, fmt::format("cannot read {}", name));
    if (got == 0) return std::unexpected(changed(name));
    buffer += got;
    offset += static_cast<std::uint64_t>(got);
    size -= static_cast<std::size_t>(got);
  }
  return {};
}

using Compressor = std::unique_ptr<::libdeflate_compressor, void (*)(::libdeflate_compressor*)>;

Compressor make_compressor(int level) {
  return {::libdeflate_alloc_compressor(level), ::libdeflate_free_compressor};
}

// Whether deflate would gain something: three samples tell. Models, images and compressed tables do not get smaller.
Result<bool> shrinks(int fd, std::uint64_t size_bytes, std::string_view name) {
  const auto compressor = make_compressor(1);
  if (!compressor) return true;
  std::string in(kSampleBytes, '\0');
  std::string out(kSampleBytes, '\0');
  std::size_t packed = 0;
  for (const std::uint64_t offset : {std::uint64_t{0}, size_bytes / 2, size_bytes - kSampleBytes}) {
    WEIR_TRY(read_exactly(fd, offset, in.data(), in.size(), name));
    const auto got = ::libdeflate_deflate_compress(compressor.get(), in.data(), in.size(), out.data(), out.size());
    packed += got == 0 ? in.size() : got;
  }
  return packed < 3 * kSampleBytes / 100 * 97;
}

struct Block {
  Result<void> read;
  std::string packed;
  std::uint32_t crc = 0;
  std::size_t size_bytes = 0;
};

// One block of a large file. It may look back into the bytes before it, and ends on a byte's border, so that blocks can
// be put one behind the other.
Block deflate_block(int fd, std::uint64_t offset, std::size_t size, bool last, int level, const std::string& name) {
  Block block{.size_bytes = size};
  const std::size_t before = std::min<std::uint64_t>(offset, kWindowBytes);
  std::string in(before + size, '\0');
  block.read = read_exactly(fd, offset - before, in.data(), in.size(), name);
  if (!block.read) return block;
  block.crc = ::libdeflate_crc32(0, in.data() + before, size);
  ::z_stream stream{};
  if (::deflateInit2(&stream, level, Z_DEFLATED, -MAX_WBITS, 9, Z_DEFAULT_STRATEGY) != Z_OK) {
    block.read = fail(Code::kResourceExhausted, "no memory to pack {}", name);
    return block;
  }
  auto* bytes = reinterpret_cast<Bytef*>(in.data());
  if (before > 0) ::deflateSetDictionary(&stream, bytes, static_cast<uInt>(before));
  block.packed.resize(::deflateBound(&stream, static_cast<uLong>(size)) + 64);
  stream.next_in = bytes + before;
  stream.avail_in = static_cast<uInt>(size);
  stream.next_out = reinterpret_cast<Bytef*>(block.packed.data());
  stream.avail_out = static_cast<uInt>(block.packed.size());
  const int status = ::deflate(&stream, last ? Z_FINISH : Z_SYNC_FLUSH);
  if (status != (last ? Z_STREAM_END : Z_OK) || stream.avail_in != 0) {
    block.read = fail(Code::kInternal, "cannot pack {}", name);
  }
  block.packed.resize(block.packed.size() - stream.avail_out);
  ::deflateEnd(&stream);
  return block;
}

}  // namespace

// A file that was packed as a whole.
struct ZipWriter::Small {
  Result<void> read;
  std::string packed;
  std::uint32_t crc = 0;
  bool deflated = false;
};

struct ZipWriter::Pending {
  Member member;
  std::future<Small> packed;
};

ZipWriter::ZipWriter(Descriptor file, std::filesystem::path path, const Options& options)
    : file_(std::move(file)), path_(std::move(path)), options_(options) {}
ZipWriter::ZipWriter(ZipWriter&& other) noexcept = default;
ZipWriter::~ZipWriter() = default;

Result<ZipWriter> ZipWriter::create(const std::filesystem::path& path, const Options& options) {
  Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!file) return fail_errno(errno, fmt::format("cannot make {}", path.string()));
  return ZipWriter(std::move(file), path, options);
}

Result<void> ZipWriter::write(std::string_view bytes) {
  WEIR_TRY(write_all(file_.get(), bytes, path_.string()));
  if (options_.hash) hash_.update(bytes);
  size_bytes_ += bytes.size();
  if (size_bytes_ - flushed_bytes_ >= kFlushBytes) {
    // The disk begins now; a sync later finds little left to do.
    ::sync_file_range(file_.get(), static_cast<off64_t>(flushed_bytes_),
                      static_cast<off64_t>(size_bytes_ - flushed_bytes_), SYNC_FILE_RANGE_WRITE);
    flushed_bytes_ = size_bytes_;
  }
  return {};
}

Result<void> ZipWriter::write_local_header(const Member& member) {
  const bool large = member.size_bytes >= options_.large_bytes;
  const auto time = dos_time(member.modified_s);
  // Sizes that come behind the data are zero here.
  const std::uint64_t size = member.descriptor ? 0 : member.size_bytes;
  const std::uint64_t packed = member.descriptor ? 0 : member.packed_bytes;
  Packer extra;
  if (large) extra.put(kExtra64).put<std::uint16_t>(16).put(size).put(packed);
  extra.text(time_field(member.modified_s));
  const auto flags = static_cast<std::uint16_t>(kFlagUtf8 | (member.descriptor ? kFlagDescriptor : 0));
  return write(Packer()
                   .put(kLocalHeader)
                   .put<std::uint16_t>(large ? 45 : 20)
                   .put(flags)
                   .put(member.method)
                   .put(time.time)
                   .put(time.date)
                   .put(member.descriptor ? 0U : member.crc)
                   .put(low(packed, large))
                   .put(low(size, large))
                   .put(static_cast<std::uint16_t>(member.name.size()))
                   .put(static_cast<std::uint16_t>(extra.bytes().size()))
                   .text(member.name)
                   .text(extra.bytes())
                   .bytes());
}

Result<void> ZipWriter::write_descriptor(const Member& member) {
  Packer text;
  text.put(kDescriptor).put(member.crc);
  if (member.size_bytes >= options_.large_bytes) {
    text.put(member.packed_bytes).put(member.size_bytes);
  } else {
    text.put(static_cast<std::uint32_t>(member.packed_bytes)).put(static_cast<std::uint32_t>(member.size_bytes));
  }
  return write(text.bytes());
}

Result<void> ZipWriter::add(const std::string& name, const std::filesystem::path& source) {
  if (stopped()) return fail(Code::kCancelled, "packing was cancelled");
  if (name.empty() || name.size() >= kSee64Short) {
    return fail(Code::kInvalidArgument, "a name in a zip archive has 1 to 65,534 bytes, not {}", name.size());
  }
  // A pipe would make open() wait for its other end.
  struct stat info{};
  if (::stat(source.c_str(), &info) != 0) return fail_errno(errno, fmt::format("cannot read {}", source.string()));
  const bool folder = S_ISDIR(info.st_mode);
  if (!folder && !S_ISREG(info.st_mode)) return {};
  Member member{.name = folder && !name.ends_with('/') ? name + "/" : name,
                .mode = info.st_mode,
                .modified_s = info.st_mtim.tv_sec};
  if (folder) {
    WEIR_TRY(write_pending(0));
    member.header_offset = size_bytes_;
    WEIR_TRY(write_local_header(member));
    members_.push_back(std::move(member));
    return {};
  }
  Descriptor file(::open(source.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return fail_errno(errno, fmt::format("cannot open {}", source.string()));
  if (::fstat(file.get(), &info) != 0) return fail_errno(errno, fmt::format("cannot read {}", source.string()));
  member.size_bytes = static_cast<std::uint64_t>(info.st_size);
  if (member.size_bytes <= kSmallBytesMax) {
    pending_bytes_ += member.size_bytes;
    const bool alone = member.size_bytes <= kTinyBytesMax;
    auto packed = std::async(alone ? std::launch::deferred : std::launch::async,
                             [member, level = options_.level, fd = std::make_shared<Descriptor>(std::move(file))] {
                               return pack_small(member, fd->get(), level);
                             });
    pending_.push_back({.member = std::move(member), .packed = std::move(packed)});
    return write_pending(kPendingBytesMax);
  }
  WEIR_TRY(write_pending(0));
  member.header_offset = size_bytes_;
  if (options_.level > 0 && WEIR_TRY(shrinks(file.get(), member.size_bytes, name))) {
    WEIR_TRY(add_deflated(member, file.get()));
  } else {
    WEIR_TRY(add_stored(member, file.get()));
  }
  members_.push_back(std::move(member));
  return {};
}

ZipWriter::Small ZipWriter::pack_small(const Member& member, int fd, int level) {
  Small small;
  std::string in(member.size_bytes, '\0');
  small.read = read_exactly(fd, 0, in.data(), in.size(), member.name);
  if (!small.read) return small;
  small.crc = ::libdeflate_crc32(0, in.data(), in.size());
  if (level > 0 && !in.empty()) {
    const auto compressor = make_compressor(level);
    // What libdeflate cannot make smaller than this it gives up on early.
    std::string out(in.size() - in.size() / 50, '\0');
    if (compressor) {
      out.resize(::libdeflate_deflate_compress(compressor.get(), in.data(), in.size(), out.data(), out.size()));
    }
    small.deflated = compressor != nullptr && !out.empty();
    if (small.deflated) in = std::move(out);
  }
  small.packed = std::move(in);
  return small;
}

Result<void> ZipWriter::write_small() {
  Pending pending = std::move(pending_.front());
  pending_.pop_front();
  pending_bytes_ -= pending.member.size_bytes;
  const Small small = pending.packed.get();
  WEIR_TRY(small.read);
  Member& member = pending.member;
  member.header_offset = size_bytes_;
  member.crc = small.crc;
  member.method = small.deflated ? kDeflated : kStored;
  member.packed_bytes = small.packed.size();
  WEIR_TRY(write_local_header(member));
  WEIR_TRY(write(small.packed));
  members_.push_back(std::move(member));
  return {};
}

Result<void> ZipWriter::write_pending(std::uint64_t bytes_max) {
  while (!pending_.empty() && (pending_bytes_ > bytes_max || pending_.size() > kPendingMax || bytes_max == 0)) {
    if (stopped()) return fail(Code::kCancelled, "packing was cancelled");
    WEIR_TRY(write_small());
  }
  return {};
}

// Programs that read an archive front to back must find a stored member's length before it, and its checksum goes with
// it: so the file is read twice, the second time out of memory as a rule.
Result<void> ZipWriter::add_stored(Member& member, int fd) {
  std::string buffer(kBlockBytes, '\0');
  const auto each_block = [&](const std::function<Result<void>(std::string_view)>& use) -> Result<void> {
    for (std::uint64_t offset = 0; offset < member.size_bytes; offset += buffer.size()) {
      if (stopped()) return fail(Code::kCancelled, "packing was cancelled");
      const std::size_t size = std::min<std::uint64_t>(buffer.size(), member.size_bytes - offset);
      WEIR_TRY(read_exactly(fd, offset, buffer.data(), size, member.name));
      WEIR_TRY(use(std::string_view(buffer).substr(0, size)));
    }
    return {};
  };
  member.method = kStored;
  member.packed_bytes = member.size_bytes;
  WEIR_TRY(each_block([&](std::string_view bytes) -> Result<void> {
    member.crc = ::libdeflate_crc32(member.crc, bytes.data(), bytes.size());
    return {};
  }));
  WEIR_TRY(write_local_header(member));
  std::uint32_t crc = 0;
  WEIR_TRY(each_block([&](std::string_view bytes) -> Result<void> {
    crc = ::libdeflate_crc32(crc, bytes.data(), bytes.size());
    return write(bytes);
  }));
  return crc == member.crc ? Result<void>{} : std::unexpected(changed(member.name));
}

Result<void> ZipWriter::add_deflated(Member& member, int fd) {
  member.method = kDeflated;
  member.descriptor = true;
  WEIR_TRY(write_local_header(member));
  const std::size_t ahead = std::clamp(std::thread::hardware_concurrency(), 1U, 4U) + 1;
  std::deque<std::future<Block>> blocks;
  std::uint64_t offset = 0;
  while (offset < member.size_bytes || !blocks.empty()) {
    while (offset < member.size_bytes && blocks.size() < ahead && !stopped()) {
      const std::size_t size = std::min<std::uint64_t>(kBlockBytes, member.size_bytes - offset);
      blocks.push_back(std::async(std::launch::async, deflate_block, fd, offset, size,
                                  offset + size == member.size_bytes, options_.level, member.name));
      offset += size;
    }
    if (stopped()) return fail(Code::kCancelled, "packing was cancelled");
    const Block block = blocks.front().get();
    blocks.pop_front();
    WEIR_TRY(block.read);
    member.crc =
        static_cast<std::uint32_t>(::crc32_combine(member.crc, block.crc, static_cast<z_off_t>(block.size_bytes)));
    member.packed_bytes += block.packed.size();
    WEIR_TRY(write(block.packed));
  }
  return write_descriptor(member);
}

Result<ZipWriter::Done> ZipWriter::finish() {
  WEIR_TRY(write_pending(0));
  const std::uint64_t start = size_bytes_;
  for (const auto& member : members_) {
    const bool large = member.size_bytes >= options_.large_bytes;
    const bool far = member.header_offset >= kSee64;
    const auto time = dos_time(member.modified_s);
    Packer extra;
    if (large || far) {
      extra.put(kExtra64).put(static_cast<std::uint16_t>((large ? 16 : 0) + (far ? 8 : 0)));
      if (large) extra.put(member.size_bytes).put(member.packed_bytes);
      if (far) extra.put(member.header_offset);
    }
    extra.text(time_field(member.modified_s));
    const auto flags = static_cast<std::uint16_t>(kFlagUtf8 | (member.descriptor ? kFlagDescriptor : 0));
    const std::uint16_t version = large || far ? 45 : 20;
    WEIR_TRY(write(Packer()
                       .put(kCentralHeader)
                       .put(static_cast<std::uint16_t>(kMadeByUnix << 8 | version))
                       .put(version)
                       .put(flags)
                       .put(member.method)
                       .put(time.time)
                       .put(time.date)
                       .put(member.crc)
                       .put(low(member.packed_bytes, large))
                       .put(low(member.size_bytes, large))
                       .put(static_cast<std::uint16_t>(member.name.size()))
                       .put(static_cast<std::uint16_t>(extra.bytes().size()))
                       .put<std::uint16_t>(0)  // comment
                       .put<std::uint16_t>(0)  // disk
                       .put<std::uint16_t>(0)  // internal attributes
                       .put<std::uint32_t>(member.mode << 16)
                       .put(low(member.header_offset, far))
                       .text(member.name)
                       .text(extra.bytes())
                       .bytes()));
  }
  const std::uint64_t directory_bytes = size_bytes_ - start;
  const std::uint64_t count = members_.size();
  const bool large = count >= kSee64Short || start >= kSee64 || directory_bytes >= kSee64;
  if (large) {
    const std::uint64_t end_offset = size_bytes_;
    WEIR_TRY(write(Packer()
                       .put(kEnd64)
                       .put<std::uint64_t>(kEnd64Bytes - 12)
                       .put<std::uint16_t>(kMadeByUnix << 8 | 45)
                       .put<std::uint16_t>(45)
                       .put<std::uint32_t>(0)
                       .put<std::uint32_t>(0)
                       .put(count)
                       .put(count)
                       .put(directory_bytes)
                       .put(start)
                       .put(kEnd64Locator)
                       .put<std::uint32_t>(0)
                       .put(end_offset)
                       .put<std::uint32_t>(1)
                       .bytes()));
  }
  const auto short_count = large ? kSee64Short : static_cast<std::uint16_t>(count);
  WEIR_TRY(write(Packer()
                     .put(kEnd)
                     .put<std::uint16_t>(0)
                     .put<std::uint16_t>(0)
                     .put(short_count)
                     .put(short_count)
                     .put(low(directory_bytes, large))
                     .put(low(start, large))
                     .put<std::uint16_t>(0)
                     .bytes()));
  file_.reset();
  return Done{.sha256 = options_.hash ? hash_.finish_hex() : "", .size_bytes = size_bytes_};
}

}  // namespace weir::io
