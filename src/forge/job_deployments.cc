#include "forge/job_deployments.h"

#include "event/source.h"
#include "forge/deployments.h"

namespace weir::forge {
namespace {

namespace event_type = types::event_type;

constexpr std::string_view kCursor = "job-deployments";
constexpr std::int64_t kBatch = 200;
constexpr std::int64_t kSavedEvery = 1'000;  // at most so many events are read again after a restart
constexpr auto kRetryPause = std::chrono::seconds{5};

bool tells_of_environment(const types::Event& event) {
  const bool moves = event.type == event_type::kJobStarted || event.type == event_type::kJobCompleted;
  return moves && event.payload.contains("environment");
}

Result<void> save(store::Transaction& tx, std::int64_t sequence) {
  WEIR_TRY(
      tx.execute("INSERT INTO forge_cursors(name, sequence) VALUES(?, ?) "
                 "ON CONFLICT(name) DO UPDATE SET sequence = excluded.sequence",
                 {kCursor, sequence}));
  return {};
}

// What became of the deployment; a job that was cancelled or left out has not failed at it.
std::string_view state_of(std::string_view conclusion) {
  if (conclusion == "success") return "success";
  return conclusion == "failure" || conclusion == "timed_out" ? "failure" : "error";
}

std::string link_or_none(const std::string& url) {
  const bool good = (url.starts_with("https://") || url.starts_with("http://")) && url.size() <= 2'048;
  return good ? url : std::string();
}

Deployment deployment_of(std::int64_t job, const JobFacts& facts) {
  return {.repo = facts.repo,
          .commit = facts.commit,
          .ref = event::short_ref(facts.ref),
          .full_ref = facts.ref,
          .environment = facts.environment,
          .payload = json::object(),
          .production = facts.environment == "production",
          .creator = fmt::format("job:{}", job),
          .job = job};
}

}  // namespace

Result<void> JobDeployments::start() {
  // What ran before weir kept deployments made none.
  cursor_ = WEIR_TRY(deps_.db->write_with<std::int64_t>([](store::Transaction& tx) -> Result<std::int64_t> {
    if (const auto known = WEIR_TRY(tx.integer("SELECT sequence FROM forge_cursors WHERE name = ?", {kCursor}))) {
      return *known;
    }
    const auto last = WEIR_TRY(tx.integer("SELECT MAX(sequence) FROM events", {})).value_or(0);
    WEIR_TRY(save(tx, last));
    return last;
  }));
  saved_ = cursor_;
  subscription_ = deps_.db->subscribe([weak = weak_from_this()](const types::Event& event) {
    const auto self = weak.lock();
    if (self && (tells_of_environment(event) || event.sequence - self->saved_ >= kSavedEvery)) self->wake();
  });
  wake();
  return {};
}

void JobDeployments::stop() {
  subscription_.reset();
  const std::scoped_lock lock(mutex_);
  stopped_ = true;
}

void JobDeployments::wake() {
  deps_.loop->post([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->run();
  });
}

void JobDeployments::run() {
  const std::scoped_lock lock(mutex_);
  if (stopped_) return;
  const auto done = catch_up();
  if (done) return;
  deps_.log->error("deployments of jobs wait: {}", done.error().message);
  deps_.loop->after(kRetryPause, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->run();
  });
}

Result<void> JobDeployments::catch_up() {
  for (;;) {
    const auto events = WEIR_TRY(deps_.db->load<std::vector<types::Event>>(
        [&](store::Reader& reader) { return store::read_events(reader, cursor_, kBatch); }));
    for (const auto& event : events) {
      if (tells_of_environment(event)) WEIR_TRY(follow(event));
      cursor_ = event.sequence;
    }
    if (events.size() < static_cast<std::size_t>(kBatch)) break;
  }
  if (cursor_ - saved_ < kSavedEvery) return {};
  saved_ = cursor_;
  deps_.db->write_async([at = cursor_](store::Transaction& tx) { return save(tx, at); }, [](const Result<void>&) {});
  return {};
}

Result<void> JobDeployments::follow(const types::Event& event) {
  const std::int64_t job = std::strtoll(event.subject.c_str() + std::string_view("job/").size(), nullptr, 10);
  const auto facts = WEIR_TRY(deps_.job(job));
  if (!facts || !facts->deployment) return {};
  const auto log_url = deps_.server_url ? fmt::format("{}/#/runs/{}", deps_.server_url(), facts->run) : std::string();
  WEIR_TRY(deps_.db->write([&](store::Transaction& tx) -> Result<void> {
    auto deployment = WEIR_TRY(deployment_of_job(tx, job));
    DeploymentStatus status{.state = "in_progress", .log_url = log_url, .creator = fmt::format("job:{}", job)};
    std::int64_t cause = event.sequence;
    if (event.type == event_type::kJobStarted) {
      // One that made room for another job starts again: it is the same deployment.
      if (!deployment) {
        deployment = deployment_of(job, *facts);
        cause = WEIR_TRY(insert_deployment(tx, *deployment, cause));
      }
    } else {
      if (!deployment) return save(tx, event.sequence);  // it never started: its result was there, or it was cancelled
      status.state = state_of(json_string_or(event.payload, "conclusion", ""));
      status.environment_url = link_or_none(facts->environment_url);
    }
    WEIR_TRY(insert_deployment_status(tx, *deployment, status, true, cause));
    return save(tx, event.sequence);
  }));
  saved_ = event.sequence;
  return {};
}

}  // namespace weir::forge
