#include "runner/journal.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <utility>

#include "io/file.h"
#include "runner/output.h"

namespace weir::runner {
namespace {

constexpr std::size_t kBufferBytes = 256U << 10;
constexpr int kStampUses = 64;

}  // namespace

Result<Journal> Journal::open(const std::filesystem::path& path, const Clock& clock) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0) return fail_errno(errno, fmt::format("cannot open {}", path.string()));
  Journal journal(fd, clock);
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return fail_errno(errno, fmt::format("cannot lock {}", path.string()));
    return fail(Code::kFailedPrecondition, "{} is locked: another runner runs this job", path.string());
  }
  struct stat info{};
  if (::fstat(fd, &info) == 0 && info.st_size > 0) {
    return fail(Code::kFailedPrecondition, "{} is not empty: this job was run already; give a new run its own folder",
                path.string());
  }
  return journal;
}

Journal::Journal(Journal&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      clock_(other.clock_),
      mutex_(std::move(other.mutex_)),
      sequence_(other.sequence_) {}

Journal::~Journal() {
  if (fd_ >= 0) ::close(fd_);
}

Result<void> Journal::append(std::string_view type, const json::object& fields) {
  const std::string members = json::serialize(fields);
  const std::scoped_lock lock(*mutex_);
  std::string record =
      fmt::format("{{\"seq\":{},\"t\":{},\"type\":\"{}\"", ++sequence_, to_micros(clock_->now()), type);
  if (!fields.empty()) record += ",";
  record.append(members, 1);  // without its '{'
  record += '\n';
  struct stat before{};
  if (::fstat(fd_, &before) != 0) return fail_errno(errno, "cannot look at the job's journal");
  auto written = io::write_all(fd_, record, "the job's journal");
  if (written) return written;
  // Half a record would spoil the next one, which follows once there is room.
  --sequence_;
  if (::ftruncate(fd_, before.st_size) != 0) return fail_errno(errno, "cannot take back half a record of the journal");
  return written;
}

Result<std::unique_ptr<JobLog>> JobLog::open(const std::filesystem::path& path, const Clock& clock) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0) return fail_errno(errno, fmt::format("cannot open {}", path.string()));
  return std::unique_ptr<JobLog>(new JobLog(fd, clock));
}

JobLog::~JobLog() {
  flush();
  ::close(fd_);
}

void JobLog::add_mask(std::string_view secret) {
  const std::scoped_lock lock(mutex_);
  masker_.add(secret);
}

std::string JobLog::mask(std::string_view text) const {
  const std::scoped_lock lock(mutex_);
  return masker_.mask(text);
}

void JobLog::line(int step, char stream, std::string_view text, std::size_t bytes_cut) {
  const std::scoped_lock lock(mutex_);
  // Masked as a whole first: a secret may span lines of one message.
  if (masker_.mask_into(text, masked_)) text = masked_;
  for (;;) {
    const auto end = text.find('\n');
    if (end == std::string_view::npos) break;
    add_line(step, stream, text.substr(0, end), 0);
    text.remove_prefix(end + 1);
  }
  add_line(step, stream, text, bytes_cut);
  if (buffer_.size() >= kBufferBytes) flush_locked();
}

void JobLog::add_line(int step, char stream, std::string_view text, std::size_t bytes_cut) {
  if (text.ends_with('\r')) text.remove_suffix(1);
  if (sanitize_into(text, sanitized_)) text = sanitized_;
  const std::string_view shown = cut_text(text, kLineBytesMax);
  bytes_cut += text.size() - shown.size();
  // Lines that come together have one time: what they begin with is made once.
  if (buffer_.empty() || step != stamp_step_ || stream != stamp_stream_ || ++stamp_uses_ >= kStampUses) {
    stamp_ = fmt::format("{} {} {} ", step, to_micros(clock_.now()), stream);
    stamp_step_ = step;
    stamp_stream_ = stream;
    stamp_uses_ = 0;
  }
  buffer_ += stamp_;
  buffer_ += shown;
  if (bytes_cut > 0) fmt::format_to(std::back_inserter(buffer_), " [line too long: {} more bytes left out]", bytes_cut);
  buffer_ += '\n';
}

void JobLog::flush() {
  const std::scoped_lock lock(mutex_);
  flush_locked();
}

void JobLog::flush_locked() {
  if (buffer_.empty()) return;
  // A full disk must not end the job: what cannot be written is lost, the steps go on.
  std::string notice;
  if (lost_lines_ > 0) {
    notice = fmt::format("-1 {} c [{} lines are missing here: the disk had no room for them]\n",
                         to_micros(clock_.now()), lost_lines_);
    buffer_.insert(0, notice);
  }
  struct stat before{};
  struct stat after{};
  ::fstat(fd_, &before);
  if (io::write_all(fd_, buffer_, "the job's log")) {
    lost_lines_ = 0;
  } else if (::fstat(fd_, &after) == 0) {
    // Whole lines stay, which a reader may have seen; what follows starts on a line of its own.
    const auto grown = static_cast<std::size_t>(std::max<off_t>(0, after.st_size - before.st_size));
    const std::size_t kept = std::string_view(buffer_).substr(0, grown).rfind('\n') + 1;  // npos + 1 is 0
    [[maybe_unused]] const int cut = ::ftruncate(fd_, before.st_size + static_cast<off_t>(kept));
    if (kept >= notice.size()) lost_lines_ = 0;
    const std::size_t from = std::max(kept, notice.size());
    lost_lines_ += std::ranges::count(std::string_view(buffer_).substr(from), '\n');
  }
  buffer_.clear();
}

}  // namespace weir::runner
