#include "engine/job_turns.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <ranges>

#include "io/descriptor.h"
#include "io/file.h"
#include "types/job_spec.h"

namespace weir::engine {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLogName = "log.txt";
constexpr off_t kTailBytes = 8192;

fs::path set_aside_as(const fs::path& job_dir, int number) {
  return fmt::format("{}.preempted-{}", job_dir.string(), number);
}

std::string tail_of(int fd) {
  struct stat info{};
  if (::fstat(fd, &info) != 0) return {};
  std::string text(static_cast<std::size_t>(std::min(info.st_size, kTailBytes)), '\0');
  const auto got = ::pread(fd, text.data(), text.size(), info.st_size - static_cast<off_t>(text.size()));
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(0, got)));
  return text;
}

}  // namespace

fs::path resume_dir(const fs::path& jobs_dir, std::int64_t run, std::string_view name) {
  auto dir = jobs_dir.parent_path() / "resume" / std::to_string(run);
  for (const auto part : std::views::split(name, '/')) dir /= std::string_view(part);
  return dir;
}

Result<void> note_preemption(const fs::path& job_dir, int turn, TimePoint now, std::string_view why) {
  const auto path = job_dir / kLogName;
  const io::Descriptor file(::open(path.c_str(), O_RDWR | O_APPEND | O_CLOEXEC));
  if (!file) {
    if (errno == ENOENT) return {};
    return fail_errno(errno, fmt::format("cannot open {}", path.string()));
  }
  const auto said = fmt::format("Turn {} of this job was preempted at {}: ", turn,
                                to_iso8601(std::chrono::floor<std::chrono::seconds>(now)));
  const auto tail = tail_of(file.get());
  std::size_t consumed = 0;
  const auto last = types::read_log(tail, consumed);
  // All but the time, which is another one now.
  if (!last.empty() && last.back().text.starts_with(said.substr(0, said.find(" at ")))) return {};
  std::string text = tail.empty() || tail.ends_with('\n') ? "" : "\n";  // its runner was killed amid a line
  text += types::format_log_line({.step = -1, .time = now, .stream = 'c', .text = said + std::string(why)});
  return io::write_all(file.get(), text, path.string());
}

Result<void> begin_turn(const fs::path& job_dir, const char* has_begun) {
  std::error_code ignored;
  std::error_code error;
  int next = 1;
  while (fs::exists(set_aside_as(job_dir, next), ignored)) ++next;
  if (fs::exists(job_dir / has_begun, ignored)) {
    fs::rename(job_dir, set_aside_as(job_dir, next), error);
    if (error) return fail_errno(error.value(), fmt::format("cannot move {} aside", job_dir.string()));
    ++next;
  }
  WEIR_TRY(io::make_dirs(job_dir));
  const auto before = set_aside_as(job_dir, next - 1) / kLogName;
  if (next == 1 || !fs::exists(before, ignored) || fs::exists(job_dir / kLogName, ignored)) return {};
  fs::rename(before, job_dir / kLogName, error);
  if (error) return fail_errno(error.value(), fmt::format("cannot move {} on", before.string()));
  return {};
}

}  // namespace weir::engine
