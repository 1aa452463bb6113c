#include "event/upstream_statuses.h"

#include <algorithm>
#include <charconv>
#include <map>

#include "base/json.h"
#include "io/http_client.h"
#include "types/event.h"

namespace weir::event {
namespace {

namespace event_type = types::event_type;

constexpr std::string_view kCursor = "upstream-statuses";
constexpr std::int64_t kBatch = 500;
constexpr std::int64_t kSavedEvery = 1'000;
constexpr std::int64_t kAtOnce = 100;
constexpr std::size_t kDescriptionMax = 140;  // GitHub's limit
constexpr std::size_t kJobsNamed = 3;
constexpr auto kPauseFirst = std::chrono::seconds{5};
constexpr auto kPauseMax = std::chrono::minutes{30};
constexpr auto kGiveUpAfter = std::chrono::hours{24};
constexpr auto kLookAgain = std::chrono::minutes{1};
constexpr auto kTimeout = std::chrono::seconds{20};

bool tells_of_a_run(std::string_view type) {
  return type == event_type::kRunCreated || type == event_type::kRunCompleted;
}

std::int64_t run_of(std::string_view subject) {
  constexpr std::string_view kPrefix = "run/";
  std::int64_t id = 0;
  if (subject.starts_with(kPrefix)) {
    subject.remove_prefix(kPrefix.size());
    std::from_chars(subject.data(), subject.data() + subject.size(), id);
  }
  return id;
}

std::string_view state_of(std::string_view conclusion) {
  if (conclusion.empty()) return "pending";
  if (conclusion == "success" || conclusion == "skipped") return "success";
  return conclusion == "cancelled" ? "error" : "failure";
}

// GitLab knows no error; what ended before its time was cancelled.
std::string_view gitlab_state_of(std::string_view conclusion) {
  if (conclusion == "cancelled") return "canceled";
  const auto state = state_of(conclusion);
  return state == "failure" ? "failed" : state;
}

// GitLab calls it an error to say once more what it knows.
bool is_known(const StatusPlace& place, const io::ClientResponse& answer) {
  return place.kind == StatusPlace::Kind::kGitlab && answer.status == 400 &&
         answer.body.find("Cannot transition status") != std::string::npos;
}

std::string shortened(std::string text, std::size_t most) {
  if (text.size() <= most) return text;
  std::size_t end = most - 3;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return text.substr(0, end) + "…";
}

std::string description_of(const RunStatus& status) {
  if (status.conclusion.empty()) return "queued or running";
  std::string text = fmt::format("{} after {}", status.conclusion, format_duration(status.took));
  for (std::size_t i = 0; i < std::min(status.failed_jobs.size(), kJobsNamed); ++i) {
    text += (i == 0 ? ": " : ", ") + status.failed_jobs[i];
  }
  if (status.failed_jobs.size() > kJobsNamed)
    text += fmt::format(" and {} more", status.failed_jobs.size() - kJobsNamed);
  return shortened(std::move(text), kDescriptionMax);
}

Result<void> save_position(store::Transaction& tx, std::int64_t position) {
  WEIR_TRY(
      tx.execute("INSERT INTO event_cursors(name, sequence) VALUES(?, ?) ON CONFLICT(name) DO UPDATE SET sequence = "
                 "excluded.sequence",
                 {kCursor, position}));
  return {};
}

}  // namespace

std::string status_body(const RunStatus& status, std::int64_t run, const std::string& server_url,
                        StatusPlace::Kind kind) {
  const bool gitlab = kind == StatusPlace::Kind::kGitlab;
  json::object body{{"state", gitlab ? gitlab_state_of(status.conclusion) : state_of(status.conclusion)},
                    {gitlab ? "name" : "context", fmt::format("weir / {} ({})", status.workflow, status.event)},
                    {"description", description_of(status)}};
  if (!server_url.empty()) body["target_url"] = fmt::format("{}/#/runs/{}", server_url, run);
  return json::serialize(body);
}

std::string gitlab_project(std::string_view url, std::string_view api) {
  constexpr std::string_view kVersion = "/api/v4";
  while (api.ends_with('/')) api.remove_suffix(1);
  if (!api.ends_with(kVersion) || !(api.starts_with("https://") || api.starts_with("http://"))) return {};
  // Also where GitLab is below a path of its server.
  const auto root = api.substr(0, api.size() - kVersion.size());
  if (!url.starts_with(root) || !url.substr(root.size()).starts_with('/')) return {};
  auto path = url.substr(root.size() + 1);
  while (path.ends_with('/')) path.remove_suffix(1);
  if (path.ends_with(".git")) path.remove_suffix(4);
  const bool plain = path.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./") ==
                         std::string_view::npos &&
                     path.find("..") == std::string_view::npos && path.find("//") == std::string_view::npos;
  if (!plain || path.starts_with('/') || path.find('/') == std::string_view::npos) return {};
  return fmt::format("{}/projects/{}", api, io::percent_encode(path));
}

UpstreamStatuses::UpstreamStatuses(UpstreamStatusDeps deps) : deps_(std::move(deps)) {}

UpstreamStatuses::~UpstreamStatuses() {
  stop();
}

Result<void> UpstreamStatuses::start() {
  position_ = saved_ = WEIR_TRY(deps_.db->load<std::int64_t>([](store::Reader& reader) -> Result<std::int64_t> {
    const auto saved = WEIR_TRY(reader.integer("SELECT sequence FROM event_cursors WHERE name = ?", {kCursor}));
    if (saved) return *saved;
    // At the first start what happened before is history.
    return WEIR_TRY(reader.integer("SELECT MAX(sequence) FROM events", {})).value_or(0);
  }));
  subscription_ = deps_.db->subscribe([this](const types::Event& event) {
    if (tells_of_a_run(event.type)) wake();
  });
  thread_ = std::jthread([this](const std::stop_token& stop) { work(stop); });
  return {};
}

void UpstreamStatuses::stop() {
  subscription_.reset();
  if (!thread_.joinable()) return;
  thread_.request_stop();
  changed_.notify_all();
  thread_.join();
}

void UpstreamStatuses::wake() {
  const std::scoped_lock lock(mutex_);
  woken_ = true;
  changed_.notify_all();
}

void UpstreamStatuses::work(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    Duration pause = kLookAgain;
    auto worked = follow();
    if (worked) {
      auto told = tell_due(stop);
      if (told) pause = *told;
      worked = told ? Result<void>() : std::unexpected(told.error());
    }
    if (!worked) deps_.log->error("statuses of followed repositories: {}", worked.error().message);
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, stop, pause, [this] { return woken_; });
    woken_ = false;
  }
}

// Notes of which runs there is something to tell. Events of others are not worth a write each.
Result<void> UpstreamStatuses::follow() {
  for (;;) {
    const auto events = WEIR_TRY(deps_.db->load<std::vector<types::Event>>(
        [&](store::Reader& reader) { return store::read_events(reader, position_, kBatch); }));
    if (events.empty()) return {};
    std::map<std::string, bool> followed;                               // by repository
    std::map<std::int64_t, std::pair<std::int64_t, std::string>> told;  // newest event and repository, by run
    for (const auto& event : events) {
      if (!tells_of_a_run(event.type)) continue;
      const auto repo = json_string_or(json::value(event.payload), "repo", "");
      const auto [known, is_new] = followed.try_emplace(repo);
      if (is_new) known->second = deps_.place(repo).has_value();
      if (known->second) told[run_of(event.subject)] = {event.sequence, repo};
    }
    const auto newest = events.back().sequence;
    if (!told.empty() || newest - saved_ >= kSavedEvery) {
      WEIR_TRY(deps_.db->write([&](store::Transaction& tx) -> Result<void> {
        for (const auto& [run, what] : told) {
          WEIR_TRY(tx.execute(
              "INSERT INTO event_upstream_statuses(run, repo, event, attempts, since, next_at) VALUES(?, ?, ?, "
              "0, ?, ?) ON CONFLICT(run) DO UPDATE SET event = excluded.event, attempts = 0, since = "
              "excluded.since, next_at = excluded.next_at",
              {run, what.second, what.first, tx.now(), tx.now()}));
        }
        return save_position(tx, newest);
      }));
      saved_ = newest;
    }
    position_ = newest;
  }
}

// How long nothing is due after it.
Result<Duration> UpstreamStatuses::tell_due(const std::stop_token& stop) {
  for (;;) {
    const auto due = WEIR_TRY(deps_.db->load<std::vector<Due>>([&](store::Reader& reader) {
      return reader.all<Due>(
          "SELECT run, event, attempts, since FROM event_upstream_statuses WHERE next_at <= ? ORDER BY event LIMIT ?",
          {deps_.clock->now(), kAtOnce},
          [](const store::Row& row) { return Due{row.integer(0), row.integer(1), row.integer(2), row.time(3)}; });
    }));
    for (const auto& one : due) {
      if (stop.stop_requested()) return Duration{0};
      WEIR_TRY(tell(one));
    }
    if (!due.empty()) continue;
    const auto next = WEIR_TRY(deps_.db->load<std::optional<std::int64_t>>(
        [](store::Reader& reader) { return reader.integer("SELECT MIN(next_at) FROM event_upstream_statuses", {}); }));
    if (!next) return Duration{kLookAgain};
    return std::clamp<Duration>(from_micros(*next) - deps_.clock->now(), std::chrono::milliseconds{10}, kLookAgain);
  }
}

Result<void> UpstreamStatuses::tell(const Due& due) {
  const auto status = deps_.run(due.run);
  if (!status && status.error().code == Code::kNotFound) return forget(due);
  if (!status) return std::unexpected(status.error());
  const auto place = deps_.place(status->repo);
  if (!place || status->commit.empty()) return forget(due);
  io::ClientRequest request{
      .method = "POST",
      .url = fmt::format("{}/statuses/{}", place->url, status->commit),
      .body = status_body(*status, due.run, deps_.server_url ? deps_.server_url() : "", place->kind),
      .timeout = kTimeout,
      .response_bytes_max = 1U << 20};
  if (place->kind == StatusPlace::Kind::kGitlab) {
    request.headers.set("PRIVATE-TOKEN", place->token);
  } else {
    request.headers.set("Authorization", "Bearer " + place->token);
    request.headers.set("Accept", "application/vnd.github+json");
  }
  request.headers.set("User-Agent", "weir");
  request.headers.set("Content-Type", "application/json");
  const auto answer = io::http_exchange(request);
  if (!answer) return later(due, answer.error().message);
  if ((answer->status >= 200 && answer->status < 300) || is_known(*place, *answer)) return forget(due);
  const auto problem = fmt::format("the answer was {}: {}", answer->status, shortened(answer->body, 200));
  const bool passes = answer->status == 401 || answer->status == 403 || answer->status == 408 ||
                      answer->status == 429 || answer->status >= 500;
  if (passes) return later(due, problem);
  deps_.log->warning("the status of run {} is not told to {}: {}", due.run, place->url, problem);
  return forget(due);
}

Result<void> UpstreamStatuses::later(const Due& due, std::string_view why) {
  const TimePoint now = deps_.clock->now();
  if (now - due.since >= kGiveUpAfter) {
    deps_.log->error("the status of run {} was not taken for a day and is given up: {}", due.run, why);
    return forget(due);
  }
  if (due.attempts == 0) deps_.log->warning("the status of run {} cannot be told yet: {}", due.run, why);
  Duration pause = kPauseFirst;
  for (std::int64_t i = 0; i < due.attempts && pause < kPauseMax; ++i) pause *= 2;
  pause = std::min<Duration>(pause, kPauseMax);
  return deps_.db->write([&](store::Transaction& tx) -> Result<void> {
    WEIR_TRY(tx.execute(
        "UPDATE event_upstream_statuses SET attempts = attempts + 1, next_at = ? WHERE run = ? AND event = ?",
        {now + pause, due.run, due.event}));
    return {};
  });
}

// Unless there is something newer to tell.
Result<void> UpstreamStatuses::forget(const Due& due) {
  return deps_.db->write([&](store::Transaction& tx) -> Result<void> {
    WEIR_TRY(tx.execute("DELETE FROM event_upstream_statuses WHERE run = ? AND event = ?", {due.run, due.event}));
    return {};
  });
}

}  // namespace weir::event
