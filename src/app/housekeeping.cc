#include "app/housekeeping.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "app/kept.h"
#include "app/push_copy.h"
#include "engine/session.h"
#include "io/file.h"
#include "io/process.h"
#include "runner/remote_action.h"
#include "types/job_spec.h"

namespace weir::app {
namespace {

namespace fs = std::filesystem;

constexpr auto kPodmanLimit = std::chrono::seconds{60};
constexpr auto kPause = std::chrono::seconds{2};  // several jobs often fail at once

std::optional<std::int64_t> number_of(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number <= 0) return std::nullopt;
  return number;
}

std::string in_mib(std::int64_t bytes) {
  return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1 << 20));
}

Result<std::string> podman(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "podman");
  const auto done = WEIR_TRY(io::run_process({.argv = arguments}, {}, kPodmanLimit));
  if (done.status.code == 0) return done.out;
  return fail(Code::kUnavailable, "podman {} {}: {}", arguments[1], arguments[2], done.err.substr(0, 300));
}

struct Labelled {
  std::string id;
  std::string tracking;
};

// What `podman … --format json` lists. Containers have "Id" and "Labels", networks "id" and "labels".
std::vector<Labelled> labelled(const json::value& list) {
  std::vector<Labelled> all;
  if (!list.is_array()) return all;
  for (const auto& one : list.get_array()) {
    const auto* labels = json_find(one, "Labels");
    if (labels == nullptr) labels = json_find(one, "labels");
    const auto id = json_string_or(one, "Id", json_string_or(one, "id", ""));
    if (labels == nullptr || id.empty()) continue;
    all.push_back({id, json_string_or(*labels, types::kTrackingLabel, "")});
  }
  return all;
}

}  // namespace

void Housekeeping::start() {
  if (parts_.engine.idle()) tidy_exchange(Duration{0});
  subscription_ = parts_.engine.subscribe([this](const engine::LiveUpdate& update) {
    if (update.kind != engine::LiveUpdate::Kind::kJob || !update.conclusion ||
        *update.conclusion == types::Conclusion::kSuccess) {
      return;
    }
    const std::scoped_lock lock(mutex_);
    job_failed_ = true;
    wake_.notify_all();
  });
  thread_ = std::jthread([this](const std::stop_token& stopped) { work(stopped); });
}

void Housekeeping::stop() {
  stop_ = true;
  subscription_.reset();
  if (!thread_.joinable()) return;
  thread_.request_stop();
  thread_.join();
}

void Housekeeping::work(const std::stop_token& stopped) {
  auto next = std::chrono::steady_clock::now();
  while (!stopped.stop_requested()) {
    if (std::chrono::steady_clock::now() >= next) {
      tidy();
      next = std::chrono::steady_clock::now() + rules_.every;
    }
    std::unique_lock lock(mutex_);
    wake_.wait_until(lock, stopped, next, [&] { return job_failed_; });
    if (!std::exchange(job_failed_, false)) continue;
    wake_.wait_for(lock, stopped, kPause, [] { return false; });
    lock.unlock();
    if (!stopped.stop_requested()) tidy_containers();
  }
}

void Housekeeping::tidy() {
  tidy_runs();
  if (!stop_) tidy_blobs();
  if (!stop_) tidy_resume();
  if (!stop_) tidy_pushes();
  if (!stop_) tidy_exchange(rules_.exchange_rest);
  if (!stop_) tidy_actions();
  if (!stop_) tidy_containers();
}

void Housekeeping::tidy_runs() {
  // What is needed is asked first: without the answer nothing goes.
  auto needed = parts_.db.load<std::set<std::int64_t>>(needed_runs);
  if (!needed) return parts_.log.warning("old runs and artifacts stay: {}", needed.error().message);
  const auto over = parts_.artifacts.remove_expired(*needed);
  if (!over) parts_.log.warning("artifacts whose time is over stay: {}", over.error().message);
  if (over && over->count > 0) {
    parts_.log.info("removed {} artifacts whose time is over ({})", over->count, in_mib(over->bytes));
  }
  const auto removed = parts_.engine.apply_retention(
      {.of =
           [this](const std::string& repo) {
             const auto keep = parts_.config.of(repo)->keep;
             return engine::RetentionRules::Kept{.runs = keep.runs, .workspaces = keep.workspaces, .logs = keep.logs};
           },
       .needed = *std::move(needed)});
  if (!removed) parts_.log.warning("old job folders stay: {}", removed.error().message);
  if (removed && removed->workspaces + removed->logs > 0) {
    parts_.log.info("removed the workspaces of {} jobs and the logs of {} of old runs", removed->workspaces,
                    removed->logs);
  }
}

void Housekeeping::tidy_blobs() {
  const auto caches = parts_.artifacts.trim_caches(
      [this](const std::string& repository) { return parts_.config.of(repository)->keep.cache_bytes; });
  if (!caches) parts_.log.warning("caches stay: {}", caches.error().message);
  if (caches && caches->count > 0) {
    parts_.log.info("removed {} caches used longest ago ({})", caches->count, in_mib(caches->bytes));
  }
  if (stop_) return;
  const auto freed = remove_unnamed_blobs(parts_.db, parts_.blobs, parts_.clock.now() - rules_.blobs_rest);
  if (!freed) parts_.log.warning("bytes that nothing names stay: {}", freed.error().message);
  if (freed && *freed > 0) parts_.log.info("freed {} that nothing names any more", in_mib(*freed));
}

void Housekeeping::tidy_resume() {
  std::error_code error;
  for (fs::directory_iterator item(parts_.state / "resume", error), end; !error && item != end; item.increment(error)) {
    const auto id = number_of(item->path().filename().string());
    if (!id) continue;
    const auto run = parts_.engine.run(*id);
    if (!run && run.error().code != Code::kNotFound) continue;
    if (run) {
      if (run->state != engine::RunState::kCompleted || !run->completed_at) continue;
      // Another attempt of a run that failed goes on where it was.
      const auto rest = run->conclusion == types::Conclusion::kSuccess ? std::optional(rules_.resume_rest)
                                                                       : parts_.config.of(run->repo)->keep.workspaces;
      if (!rest || *run->completed_at + *rest > parts_.clock.now()) continue;
    }
    if (const auto removed = io::remove_tree(item->path()); !removed) parts_.log.warning("{}", removed.error().message);
  }
}

// One that names no run is about to, or what made it was killed before.
void Housekeeping::tidy_pushes() {
  const auto is_wanted = [&](std::int64_t run) {
    const auto jobs = parts_.engine.jobs(run);
    if (!jobs) return jobs.error().code != Code::kNotFound;
    std::error_code error;
    return std::ranges::any_of(*jobs, [&](const engine::Job& job) {
      return job.state != engine::JobState::kCompleted ||
             fs::exists(parts_.state / "jobs" / std::to_string(job.id) / "spec.json", error);
    });
  };
  const auto oldest = fs::file_time_type::clock::now() - rules_.exchange_rest;
  std::error_code error;
  for (fs::directory_iterator item(push_copies(parts_.state), error), end; !error && item != end;
       item.increment(error)) {
    std::error_code gone;
    if (fs::last_write_time(item->path(), gone) > oldest || gone) continue;
    if (std::ranges::any_of(runs_of_push_copy(item->path()), is_wanted)) continue;
    if (const auto removed = io::remove_tree(item->path()); !removed) parts_.log.warning("{}", removed.error().message);
  }
}

void Housekeeping::tidy_exchange(Duration rest) {
  const auto oldest = fs::file_time_type::clock::now() - rest;
  std::error_code error;
  for (fs::directory_iterator item(parts_.state / "exchange", error), end; !error && item != end;
       item.increment(error)) {
    std::error_code gone;
    const auto written = item->last_write_time(gone);
    if (!gone && written <= oldest) fs::remove(item->path(), gone);
  }
}

void Housekeeping::tidy_actions() {
  const auto removed = runner::trim_fetched(parts_.state / "actions", rules_.actions_bytes_max, stop_);
  if (!removed) parts_.log.warning("fetched actions stay: {}", removed.error().message);
  if (removed && *removed > 0) parts_.log.info("removed fetched actions used longest ago ({})", in_mib(*removed));
}

bool Housekeeping::is_at_work(std::int64_t job) const {
  const auto found = parts_.engine.job(job);
  // Who cannot be asked about may be at work.
  return found ? found->state != engine::JobState::kCompleted : found.error().code != Code::kNotFound;
}

// Jobs that used containers and are over.
std::vector<std::int64_t> Housekeeping::container_jobs() const {
  std::vector<std::int64_t> jobs;
  std::error_code error;
  for (fs::directory_iterator item(parts_.state / "containers", error), end; !error && item != end;
       item.increment(error)) {
    const auto job = number_of(item->path().filename().string());
    if (job && !is_at_work(*job)) jobs.push_back(*job);
  }
  return jobs;
}

void Housekeeping::tidy_containers() {
  // podman takes a while to answer: it is asked only where something may be left.
  const auto jobs = container_jobs();
  if (jobs.empty()) return;
  const std::string mine = engine::tracking_id(parts_.state / "jobs") + "/";
  const auto filter = fmt::format("label={}", types::kTrackingLabel);
  const auto sweep = [&](const std::vector<std::string>& list, const std::vector<std::string>& remove) -> Result<void> {
    auto arguments = list;
    arguments.insert(arguments.end(), {"--filter", filter, "--format", "json"});
    const auto text = WEIR_TRY(podman(std::move(arguments)));
    for (const auto& one : labelled(WEIR_TRY(parse_json(text.empty() ? "[]" : text, "what podman lists")))) {
      if (!one.tracking.starts_with(mine)) continue;
      const auto job = number_of(std::string_view(one.tracking).substr(mine.size()));
      if (!job || is_at_work(*job)) continue;
      auto last = remove;
      last.push_back(one.id);
      WEIR_TRY(podman(std::move(last)));
      parts_.log.info("removed a container or network that job {} left: {}", *job, one.id.substr(0, 12));
    }
    return {};
  };
  for (const auto& done : {sweep({"ps", "--all"}, {"rm", "--force", "--time", "1", "--volumes"}),
                           sweep({"network", "ls"}, {"network", "rm", "--force"})}) {
    if (!done) return parts_.log.warning("containers of jobs that ended may be left: {}", done.error().message);
  }
  std::error_code ignored;
  for (const auto job : jobs) fs::remove(parts_.state / "containers" / std::to_string(job), ignored);
}

}  // namespace weir::app
