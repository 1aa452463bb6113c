#include "io/http_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>

namespace weir::io {
namespace {

constexpr std::uint64_t kWholeBytesMax = 128U << 10;  // files up to here are read at once

// Part of an open file; owns the descriptor.
class FileSource final : public ByteSource {
 public:
  explicit FileSource(int fd) : fd_(fd) {}
  ~FileSource() override { ::close(fd_); }
  FileSource(const FileSource&) = delete;
  FileSource& operator=(const FileSource&) = delete;

  void select(std::uint64_t offset, std::uint64_t length) {
    offset_ = offset;
    left_ = length;
  }

  Result<std::size_t> read(char* buffer, std::size_t size) override {
    size = static_cast<std::size_t>(std::min<std::uint64_t>(size, left_));
    if (size == 0) return 0;
    const auto count = ::pread(fd_, buffer, size, static_cast<off_t>(offset_));
    if (count < 0) return fail_errno(errno, "cannot read the file");
    if (count == 0) return fail(Code::kCorrupt, "the file became {} bytes shorter while it was sent", left_);
    offset_ += static_cast<std::uint64_t>(count);
    left_ -= static_cast<std::uint64_t>(count);
    return static_cast<std::size_t>(count);
  }

 private:
  int fd_;
  std::uint64_t offset_ = 0;
  std::uint64_t left_ = 0;
};

enum class RangeKind { kWhole, kPart, kOutside };

bool read_number(std::string_view text, std::uint64_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size();
}

// "bytes=5-9", "bytes=5-", "bytes=-3". Whatever is not understood means the whole file, as the RFC asks.
RangeKind parse_range(std::string_view range, std::uint64_t size, std::uint64_t& first, std::uint64_t& last) {
  if (!range.starts_with("bytes=")) return RangeKind::kWhole;
  range.remove_prefix(6);
  const auto dash = range.find('-');
  if (dash == std::string_view::npos || range.find(',') != std::string_view::npos) return RangeKind::kWhole;
  const std::string_view from = range.substr(0, dash);
  const std::string_view to = range.substr(dash + 1);
  if (from.empty()) {
    std::uint64_t suffix = 0;
    if (!read_number(to, suffix)) return RangeKind::kWhole;
    if (suffix == 0 || size == 0) return RangeKind::kOutside;
    first = size - std::min(suffix, size);
    last = size - 1;
    return RangeKind::kPart;
  }
  if (!read_number(from, first)) return RangeKind::kWhole;
  last = size - 1;
  if (!to.empty() && (!read_number(to, last) || last < first)) return RangeKind::kWhole;
  if (first >= size) return RangeKind::kOutside;
  last = std::min(last, size - 1);
  return RangeKind::kPart;
}

std::uint64_t replace(HttpResponse& response, HttpResponse with) {
  response = std::move(with);
  return response.body.size();
}

}  // namespace

std::string http_date(std::int64_t unix_seconds) {
  static constexpr std::array<std::string_view, 7> kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::array<std::string_view, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::chrono::sys_seconds time{std::chrono::seconds{unix_seconds}};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss clock{time - day};
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", kDays[std::chrono::weekday{day}.c_encoding()],
                     static_cast<unsigned>(date.day()), kMonths[static_cast<unsigned>(date.month()) - 1],
                     static_cast<int>(date.year()), clock.hours().count(), clock.minutes().count(),
                     clock.seconds().count());
}

bool etag_matches(std::string_view if_none_match, std::string_view etag) {
  if (if_none_match.empty() || etag.empty()) return false;
  if (if_none_match == "*") return true;
  if (etag.starts_with("W/")) etag.remove_prefix(2);
  for (auto at = if_none_match.find(etag); at != std::string_view::npos; at = if_none_match.find(etag, at + 1)) {
    const auto end = at + etag.size();
    if (end == if_none_match.size() || if_none_match[end] == ',' || if_none_match[end] == ' ') return true;
  }
  return false;
}

std::uint64_t prepare_file(HttpResponse& response, const FileConditions& conditions) {
  const std::string path = std::exchange(response.file_path, {});
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat info{};
  if (fd < 0 || ::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    const int error = fd < 0 ? errno : EISDIR;
    if (fd >= 0) ::close(fd);
    if (error == ENOENT || error == EISDIR || error == ENOTDIR) {
      return replace(response, error_response(Error{Code::kNotFound, "there is no such file"}));
    }
    return replace(response, error_response(fail_errno(error, "cannot open the file").error()));
  }
  const auto size = static_cast<std::uint64_t>(info.st_size);
  auto source = std::make_unique<FileSource>(fd);

  if (response.headers.get("ETag").empty()) {
    response.headers.set("ETag", fmt::format("\"{:x}-{:x}-{:x}\"", info.st_mtim.tv_sec, info.st_mtim.tv_nsec, size));
  }
  response.headers.set("Last-Modified", http_date(info.st_mtim.tv_sec));
  response.headers.set("Accept-Ranges", "bytes");
  if (response.headers.get("Content-Type").empty()) {
    response.headers.set("Content-Type", std::string{content_type_of(path)});
  }
  const std::string_view etag = response.headers.get("ETag");
  if (etag_matches(conditions.if_none_match, etag)) {
    response.status = 304;
    return 0;
  }
  std::uint64_t first = 0;
  std::uint64_t last = size - 1;
  const bool wants_part = !conditions.range.empty() && (conditions.if_range.empty() || conditions.if_range == etag);
  switch (wants_part ? parse_range(conditions.range, size, first, last) : RangeKind::kWhole) {
    case RangeKind::kWhole:
      first = 0;
      last = size - 1;
      break;
    case RangeKind::kPart:
      response.status = 206;
      response.headers.set("Content-Range", fmt::format("bytes {}-{}/{}", first, last, size));
      break;
    case RangeKind::kOutside: {
      HttpResponse refusal = error_response(
          Error{Code::kInvalidArgument, fmt::format("the file has {} bytes; {} is outside", size, conditions.range)});
      refusal.status = 416;
      refusal.headers.set("Content-Range", fmt::format("bytes */{}", size));
      return replace(response, std::move(refusal));
    }
  }
  const std::uint64_t length = last + 1 - first;
  source->select(first, length);
  if (length > kWholeBytesMax) {
    response.body_source = std::move(source);
    return length;
  }
  response.body.resize(length);
  for (std::size_t done = 0; done < length;) {
    const auto count = source->read(response.body.data() + done, length - done);
    if (!count) return replace(response, error_response(count.error()));
    done += *count;
  }
  return length;
}

}  // namespace weir::io
