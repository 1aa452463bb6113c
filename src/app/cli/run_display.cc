#include "app/cli/run_display.h"

#include <fcntl.h>
#include <unistd.h>

#include <utility>

#include "app/cli/print.h"
#include "io/descriptor.h"
#include "types/job_spec.h"

namespace weir::app {
namespace {

constexpr auto kPause = std::chrono::milliseconds{40};
constexpr std::size_t kPieceBytes = 1U << 20;  // longer than any line of a log

std::string took(const std::optional<TimePoint>& from, const std::optional<TimePoint>& to) {
  return from && to ? format_duration(*to - *from) : std::string();
}

}  // namespace

RunDisplay::RunDisplay(engine::Engine& engine, Options options)
    : engine_(engine), options_(options), subscription_(engine.subscribe([this](const engine::LiveUpdate& update) {
        const std::scoped_lock lock(mutex_);
        if (update.job != 0) moved_jobs_.insert(update.job);
        run_moved_ = run_moved_ || update.kind == engine::LiveUpdate::Kind::kRun;
        ended_ = ended_ || (update.kind == engine::LiveUpdate::Kind::kRun && update.state == "completed");
        moved_.notify_one();
      })) {}

// All jobs are looked at when it begins and when it has ended, and in between those that moved: a run may have
// thousands.
Result<int> RunDisplay::follow(std::int64_t run_id) {
  running_.clear();
  WEIR_TRY(show(WEIR_TRY(engine_.jobs(run_id))));
  for (;;) {
    const auto run = WEIR_TRY(engine_.run(run_id));
    if (run.state == engine::RunState::kCompleted) {
      const auto jobs = WEIR_TRY(engine_.jobs(run_id));
      WEIR_TRY(show(jobs));
      print_summary(run, jobs);
      // A run whose jobs their conditions left out has not failed.
      const bool well = run.conclusion == types::Conclusion::kSuccess || run.conclusion == types::Conclusion::kSkipped;
      return well ? 0 : 1;
    }
    WEIR_TRY(look_at(run_id, wait_for_moves()));
  }
}

// The jobs that moved; those that run if none did for a while, since their logs may grow unheard.
std::set<std::int64_t> RunDisplay::wait_for_moves() {
  const auto looked = std::chrono::steady_clock::now();
  std::unique_lock lock(mutex_);
  moved_.wait_for(lock, std::chrono::milliseconds{500},
                  [this] { return !moved_jobs_.empty() || run_moved_ || ended_; });
  // All that moves within a moment is looked at together; the end is not kept waiting.
  moved_.wait_until(lock, looked + kPause, [this] { return ended_; });
  const bool heard = std::exchange(run_moved_, false) || std::exchange(ended_, false) || !moved_jobs_.empty();
  ended_ = false;
  return heard ? std::exchange(moved_jobs_, {}) : running_;
}

Result<void> RunDisplay::look_at(std::int64_t run, const std::set<std::int64_t>& jobs) {
  std::vector<engine::Job> moved;
  for (const auto id : jobs) {
    auto job = WEIR_TRY(engine_.job(id));
    if (job.run == run) moved.push_back(std::move(job));
  }
  return show(std::move(moved));
}

// In the order in which they began: what a job needs comes before it, also where that is a called workflow, whose jobs
// have later numbers.
Result<void> RunDisplay::show(std::vector<engine::Job> jobs) {
  std::ranges::sort(
      jobs, {}, [](const engine::Job& job) { return std::pair(job.started_at.value_or(TimePoint::max()), job.id); });
  for (const auto& job : jobs) WEIR_TRY(print_new_lines(job));
  return {};
}

Result<void> RunDisplay::print_new_lines(const engine::Job& job) {
  const bool completed = job.state == engine::JobState::kCompleted;
  if (announced_.contains(job.id) || (!completed && job.state != engine::JobState::kInProgress)) return {};
  if (log_read_[job.id] == 0 && !job.reason.empty() && !options_.json && reasons_.insert(job.id).second) {
    print_line(styled(Style::kDim, fmt::format("{:<18} | {}", job.name, safe(job.reason))));
  }
  // What was reused was shown when it ran.
  Result<std::filesystem::path> folder = fail(Code::kNotFound, "not its own");
  if (job.origin == 0) folder = engine_.job_dir(job.id);
  if (folder) {
    WEIR_TRY(print_log(job, *folder));
  }
  if (completed) {
    announced_.insert(job.id);
    running_.erase(job.id);
  } else {
    running_.insert(job.id);
  }
  std::fflush(stdout);
  return {};
}

// What of a log is new, in pieces that fit into memory.
Result<void> RunDisplay::print_log(const engine::Job& job, const std::filesystem::path& folder) {
  const io::Descriptor file(::open((folder / "log.txt").c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return {};  // it has said nothing yet
  std::int64_t& read = log_read_[job.id];
  for (;;) {
    text_.resize(kPieceBytes);
    const auto got = ::pread(file.get(), text_.data(), text_.size(), read);
    if (got <= 0) return {};
    std::size_t consumed = 0;
    const std::string_view text(text_.data(), static_cast<std::size_t>(got));
    const std::string prefix = styled(Style::kDim, fmt::format("{:<18} | ", job.name));
    for (const auto& line : types::read_log(text, consumed)) {
      if (options_.json) {
        print_line(json::serialize(json::object{{"job", job.name},
                                                {"step", line.step},
                                                {"time", to_iso8601(line.time)},
                                                {"stream", std::string(1, line.stream)},
                                                {"text", line.text}}));
      } else {
        const Style style = line.stream == 'c' ? Style::kDim : line.stream == 'e' ? Style::kBad : Style::kPlain;
        print_line(prefix + styled(style, safe(line.text)));
      }
    }
    read += static_cast<std::int64_t>(consumed);
    if (consumed == 0) return {};  // a line on its way
  }
}

void RunDisplay::print_summary(const engine::Run& run, const std::vector<engine::Job>& jobs) {
  if (options_.json) {
    json::object summary = engine::to_json(run);
    json::array list;
    for (const auto& job : jobs) list.push_back(engine::to_json(job));
    summary["jobs"] = std::move(list);
    print_line(json::serialize(summary));
    return;
  }
  std::vector<std::vector<std::string>> rows{{"JOB", "RESULT", "TOOK", ""}};
  for (const auto& job : jobs) {
    const std::string_view state =
        job.conclusion ? types::conclusion_name(*job.conclusion) : engine::job_state_name(job.state);
    rows.push_back({safe(job.name), state_mark(state),
                    job.origin != 0 ? std::string() : took(job.started_at, job.completed_at),
                    safe_lines(!job.error.empty() ? job.error
                               : job.origin != 0  ? "reused"
                                                  : "")});
  }
  // A run that was refused has no jobs.
  if (!jobs.empty()) print_text("\n" + table(rows));
  if (!run.problem.empty()) print_line(safe_lines(run.problem));
  print_line(fmt::format("{}  {} {}",
                         state_mark(run.conclusion ? types::conclusion_name(*run.conclusion) : "completed"),
                         styled(Style::kBold, safe(run.workflow)), took(run.started_at, run.completed_at)));
}

}  // namespace weir::app
