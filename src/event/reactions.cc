#include "event/reactions.h"

#include <algorithm>
#include <array>
#include <functional>
#include <limits>

#include "types/event.h"
#include "workflow/workflow.h"

namespace weir::event {
namespace {

namespace event_type = types::event_type;

constexpr std::string_view kCursor = "reactions";
constexpr std::int64_t kBatch = 200;
constexpr std::int64_t kSavedEvery = 1'000;  // events that start nothing are looked at again after a restart
constexpr auto kRetryPause = std::chrono::seconds{5};
constexpr int kChainMax = 10'000;

constexpr std::array<std::string_view, 3> kListened = {"workflow_run", "repository_dispatch", "registry_package"};

// Types of the log that a workflow may listen to by repository_dispatch.
constexpr std::array kDispatched = {
    event_type::kVersionCreated,  event_type::kAliasSet,          event_type::kAliasDeleted,
    event_type::kStageSet,        event_type::kGatePassed,        event_type::kGateRefused,
    event_type::kRolloutSwitched, event_type::kRolloutRolledBack, event_type::kRolloutRefused,
    event_type::kDriftDetected,   event_type::kAlertFired,        event_type::kAlertResolved,
    event_type::kConfigApplied,
};

std::string text_of(const json::object& payload, std::string_view key) {
  return json_string_or(json::value(payload), key, "");
}

json::object workflow_run_payload(const types::Event& event, std::string_view action) {
  const auto& from = event.payload;
  const auto value = [&](std::string_view key) {
    const auto* found = from.if_contains({key.data(), key.size()});
    return found == nullptr ? json::value() : *found;
  };
  const std::int64_t id = std::strtoll(event.subject.c_str() + std::string_view("run/").size(), nullptr, 10);
  const std::string_view status = action == "requested" ? "queued" : action;
  json::object run{{"id", id},
                   {"name", value("workflow")},
                   {"path", value("path")},
                   {"event", value("event")},
                   {"head_branch", short_ref(text_of(from, "ref"))},
                   {"head_sha", value("commit")},
                   {"run_number", value("number")},
                   {"run_attempt", value("attempt")},
                   {"status", status},
                   {"conclusion", value("conclusion")},
                   {"display_title", value("workflow")},
                   {"pull_requests", json::array()},
                   {"updated_at", to_iso8601(event.time)}};
  json::object workflow{{"name", value("workflow")}, {"path", value("path")}, {"state", "active"}};
  return {{"action", action}, {"workflow_run", std::move(run)}, {"workflow", std::move(workflow)}};
}

json::object client_payload(const types::Event& event) {
  return {{"type", event.type},         {"subject", event.subject},       {"actor", event.actor},
          {"sequence", event.sequence}, {"time", to_iso8601(event.time)}, {"payload", event.payload}};
}

// The repository that an event belongs to; nothing for those of the registry and of what serves, which are everybody's.
std::optional<std::string> repository_of(const types::Event& event) {
  constexpr std::string_view kOfRepository = "repo/";
  if (!event.subject.starts_with(kOfRepository)) return std::nullopt;
  return event.subject.substr(kOfRepository.size());
}

// On GitHub a repository_dispatch is what somebody sends to the repository, and a workflow without `types` means just
// that: weir's own events start those that name them.
bool names_it(const RunRequest& request) {
  const auto* trigger = request.workflow ? request.workflow->on.find("repository_dispatch") : nullptr;
  return trigger != nullptr && !trigger->types.empty();
}

// "model/flight-delay/3" -> {"flight-delay", "3"}
std::pair<std::string, std::string> model_version(std::string_view subject) {
  subject.remove_prefix(std::min(subject.size(), std::string_view("model/").size()));
  const auto slash = subject.rfind('/');
  if (slash == std::string_view::npos) return {std::string(subject), ""};
  return {std::string(subject.substr(0, slash)), std::string(subject.substr(slash + 1))};
}

std::string_view workflow_run_action(std::string_view type) {
  if (type == event_type::kRunCreated) return "requested";
  if (type == event_type::kRunStarted) return "in_progress";
  return type == event_type::kRunCompleted ? "completed" : "";
}

Result<void> save(store::Transaction& tx, std::string_view name, std::int64_t sequence) {
  WEIR_TRY(
      tx.execute("INSERT INTO event_cursors(name, sequence) VALUES(?, ?) "
                 "ON CONFLICT(name) DO UPDATE SET sequence = excluded.sequence",
                 {name, sequence}));
  return {};
}

bool may_pass(const Error& error) {
  return error.code == Code::kResourceExhausted || error.code == Code::kUnavailable || error.code == Code::kInternal;
}

}  // namespace

Result<void> store_listeners(store::Transaction& tx, const std::string& repo, const std::vector<WorkflowFile>& files,
                             std::int64_t sequence) {
  std::set<std::pair<std::string, std::string>> wanted;
  for (const auto& file : files) {
    if (!file.workflow) continue;
    for (const auto event : kListened) {
      if (file.workflow->on.find(event) != nullptr) wanted.emplace(file.path, event);
    }
  }
  const auto known = WEIR_TRY((tx.all<std::pair<std::string, std::string>>(
      "SELECT path, event FROM event_listeners WHERE repo = ?", {repo},
      [](const store::Row& row) { return std::pair(row.string(0), row.string(1)); })));
  for (const auto& [path, event] : known) {
    if (wanted.contains({path, event})) continue;
    WEIR_TRY(tx.execute("DELETE FROM event_listeners WHERE repo = ? AND path = ? AND event = ?", {repo, path, event}));
  }
  for (const auto& [path, event] : wanted) {
    WEIR_TRY(
        tx.execute("INSERT INTO event_listeners(repo, path, event, since) VALUES(?, ?, ?, ?) "
                   "ON CONFLICT(repo, path, event) DO NOTHING",
                   {repo, path, event, sequence}));
  }
  return {};
}

Result<void> Reactions::start() {
  cursor_ = WEIR_TRY(deps_.db->load<std::int64_t>([](store::Reader& reader) -> Result<std::int64_t> {
    const auto saved = WEIR_TRY(reader.integer("SELECT sequence FROM event_cursors WHERE name = ?", {kCursor}));
    if (saved) return *saved;
    return 0;  // whoever listens says since when
  }));
  saved_ = cursor_;
  {
    const std::scoped_lock lock(mutex_);
    WEIR_TRY(load_listeners());
  }
  subscription_ = deps_.db->subscribe([weak = weak_from_this()](const types::Event& event) {
    const auto self = weak.lock();
    // Where nobody listens, only a push can change that.
    if (self && (self->heard_ || event.type == event_type::kRepoPushed)) self->wake();
  });
  wake();
  return {};
}

void Reactions::stop() {
  subscription_.reset();
  const std::scoped_lock lock(mutex_);
  stopped_ = true;
}

void Reactions::wake() {
  deps_.loop->post([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->run();
  });
}

void Reactions::run() {
  const std::scoped_lock lock(mutex_);
  if (stopped_) return;
  const auto done = catch_up();
  if (done) return;
  deps_.log->error("workflows that listen to the log wait: {}", done.error().message);
  deps_.loop->after(kRetryPause, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->run();
  });
}

Result<void> Reactions::catch_up() {
  if (listeners_.empty()) WEIR_TRY(load_listeners());
  if (listeners_.empty()) return {};
  for (;;) {
    const auto events = WEIR_TRY(deps_.db->load<std::vector<types::Event>>(
        [&](store::Reader& reader) { return store::read_events(reader, cursor_, kBatch); }));
    for (const auto& event : events) {
      WEIR_TRY(react(event));
      cursor_ = event.sequence;
    }
    if (events.size() < static_cast<std::size_t>(kBatch)) break;
  }
  if (cursor_ - saved_ < kSavedEvery) return {};
  saved_ = cursor_;
  deps_.db->write_async([at = cursor_](store::Transaction& tx) { return save(tx, kCursor, at); },
                        [](const Result<void>&) {});
  return {};
}

Result<void> Reactions::load_listeners() {
  std::map<std::string, std::vector<Listener>> listeners;
  std::int64_t first = std::numeric_limits<std::int64_t>::max();
  WEIR_TRY(deps_.db->read([&](store::Reader& reader) {
    return reader.query("SELECT event, repo, MIN(since) FROM event_listeners GROUP BY event, repo ORDER BY event, repo",
                        {}, [&](const store::Row& row) {
                          listeners[row.string(0)].push_back({row.string(1), row.integer(2)});
                          first = std::min(first, row.integer(2));
                        });
  }));
  listeners_ = std::move(listeners);
  heard_ = !listeners_.empty();
  if (heard_) cursor_ = std::max(cursor_, first);
  return {};
}

std::vector<Reactions::Meaning> Reactions::meanings_of(const types::Event& event) {
  std::vector<Meaning> meanings;
  if (const auto action = workflow_run_action(event.type); !action.empty()) {
    meanings.push_back({.info = {.event = "workflow_run",
                                 .ref = text_of(event.payload, "ref"),
                                 .action = std::string(action),
                                 .workflow = text_of(event.payload, "workflow")},
                        .repo = text_of(event.payload, "repo"),
                        .payload = workflow_run_payload(event, action)});
  }
  if (event.type == event_type::kDataChanged) {
    // Its repository alone configured it. What a job pushed starts nothing, as its push does not.
    if (event.actor.starts_with("job:")) return meanings;
    meanings.push_back({.info = {.event = "repository_dispatch",
                                 .action = event.type,
                                 .action_of = fmt::format("{}.{}", event.type, text_of(event.payload, "name"))},
                        .repo = text_of(event.payload, "repo"),
                        .payload = repository_dispatch_payload(event.type, "", client_payload(event))});
  } else if (std::ranges::find(kDispatched, event.type) != kDispatched.end()) {
    meanings.push_back({.info = {.event = "repository_dispatch", .action = event.type},
                        .repo = repository_of(event),
                        .payload = repository_dispatch_payload(event.type, "", client_payload(event))});
  }
  if (event.type == event_type::kVersionCreated) {
    const auto [model, version] = model_version(event.subject);
    meanings.push_back(
        {.info = {.event = "registry_package", .action = "published"},
         .payload = {{"action", "published"},
                     {"registry_package", json::object{{"name", model},
                                                       {"package_type", "model"},
                                                       {"package_version", json::object{{"version", version}}}}}}});
  }
  return meanings;
}

Result<void> Reactions::react(const types::Event& event) {
  if (event.type == event_type::kRepoPushed) WEIR_TRY(load_listeners());
  if (listeners_.empty()) return {};
  for (const auto& meaning : meanings_of(event)) {
    const auto listeners = listeners_.find(meaning.info.event);
    if (listeners == listeners_.end()) continue;
    for (const auto& [repo, since] : listeners->second) {
      if (event.sequence <= since || (meaning.repo && *meaning.repo != repo)) continue;
      const auto started = start_runs_of(event, meaning, repo);
      if (started) continue;
      if (may_pass(started.error())) return started;
      deps_.log->error("event {} ({}) starts nothing in {}: {}", event.sequence, event.type, repo,
                       started.error().message);
    }
  }
  return {};
}

Result<void> Reactions::start_runs_of(const types::Event& event, const Meaning& meaning, const std::string& repo) {
  const auto source = WEIR_TRY(open_source(deps_, repo));
  Occurrence occurrence{.info = meaning.info, .payload = meaning.payload, .cause = event.sequence};
  occurrence.actor = event.actor;
  if (meaning.info.event == "repository_dispatch") occurrence.payload["branch"] = short_ref(source.default_ref);
  if (meaning.info.event == "workflow_run") {
    occurrence.reason =
        fmt::format("{} {} #{}", meaning.info.workflow,
                    meaning.info.action == "completed" ? text_of(event.payload, "conclusion") : meaning.info.action,
                    json_int(json::value(event.payload), "number").value_or(0));
  } else {
    occurrence.reason = fmt::format("{} of {} by {}", event.type, event.subject, event.actor);
  }
  auto requests = WEIR_TRY(requests_of(deps_, source, occurrence));
  if (meaning.info.event == "repository_dispatch") std::erase_if(requests, std::not_fn(names_it));
  if (requests.empty()) return {};
  const auto level = WEIR_TRY(level_after(event));
  if (level > kLevelsMax) {
    deps_.log->warning("event {} ({}) starts nothing in {}: it is the {}th in a row that one run starts by another",
                       event.sequence, event.type, repo, level);
    return {};
  }
  for (auto& request : requests) request.options.level = level;
  // After a restart events are looked at again that were looked at before: whether this one had its effect here, its
  // own mark says.
  const auto mark = fmt::format("{}/{}/{}", kCursor, meaning.info.event, repo);
  auto started = start_runs(deps_, std::move(requests), [&](store::Transaction& tx) -> Result<std::int64_t> {
    const auto known = WEIR_TRY(tx.integer("SELECT sequence FROM event_cursors WHERE name = ?", {mark}));
    if (known && *known >= event.sequence) return fail(Code::kAlreadyExists, "it was done");
    WEIR_TRY(save(tx, mark, event.sequence));
    return event.sequence;
  });
  if (!started && started.error().code != Code::kAlreadyExists) return std::unexpected(started.error());
  return {};
}

// One more than the level of the run that the event goes back to.
Result<int> Reactions::level_after(const types::Event& event) const {
  return deps_.db->load<int>([&](store::Reader& reader) -> Result<int> {
    auto at = event;
    for (int step = 0; step < kChainMax; ++step) {
      if (at.type == event_type::kRunCreated) {
        return static_cast<int>(json_int(json::value(at.payload), "level").value_or(0)) + 1;
      }
      if (at.cause == 0) return 1;
      auto before = WEIR_TRY(store::event_at(reader, at.cause));
      if (!before) return 1;
      at = *std::move(before);
    }
    return kLevelsMax + 1;
  });
}

}  // namespace weir::event
