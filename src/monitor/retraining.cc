#include "monitor/retraining.h"

#include "monitor/message.h"

namespace weir::monitor {
namespace {

using store::Row;
using store::Transaction;

// Persisted. Whether a started run has ended stands in the event log.
enum class State : std::int64_t { kRequested = 1, kStarted = 2, kFailed = 3 };

constexpr std::string_view kColumns =
    "r.id, r.model, r.endpoint, r.version, r.reasons, r.data_until, r.event_time, r.triggered_at, r.event, r.run_id, "
    "r.state, r.note, (SELECT COUNT(*) FROM events e WHERE e.type = 'run.completed' AND "
    "e.subject = 'run/' || CAST(r.run_id AS TEXT))";

std::string state_name(State state, bool completed) {
  switch (state) {
    case State::kRequested: return "requested";
    case State::kStarted: return completed ? "completed" : "running";
    case State::kFailed: return "failed";
  }
  return "failed";
}

Retraining read_retraining(const Row& row) {
  Retraining retraining;
  retraining.id = row.integer(0);
  retraining.model = row.string(1);
  retraining.endpoint = row.string(2);
  retraining.version = row.string(3);
  retraining.reasons = row.string(4);
  retraining.data_until = row.string(5);
  retraining.event_time = row.time(6);
  retraining.triggered_at = row.time(7);
  retraining.event = row.integer(8);
  retraining.run_id = row.integer_or_null(9);
  retraining.state = state_name(static_cast<State>(row.integer(10)), row.integer(12) > 0);
  retraining.note = row.string(11);
  return retraining;
}

bool under_way(const Retraining& retraining) {
  return retraining.state == "requested" || retraining.state == "running";
}

std::string joined(const std::vector<std::string>& reasons) {
  std::string text;
  for (const std::string& reason : reasons) text += (text.empty() ? "" : "; ") + reason;
  return text;
}

}  // namespace

json::object to_json(const Retraining& retraining) {
  json::object object{{"id", retraining.id},
                      {"model", retraining.model},
                      {"endpoint", retraining.endpoint},
                      {"version", retraining.version},
                      {"reasons", retraining.reasons},
                      {"data_until", retraining.data_until},
                      {"event_time", to_iso8601(retraining.event_time)},
                      {"triggered_at", to_iso8601(retraining.triggered_at)},
                      {"event", retraining.event},
                      {"state", retraining.state},
                      {"note", retraining.note}};
  object["run"] = retraining.run_id ? json::value(*retraining.run_id) : json::value(nullptr);
  return object;
}

std::vector<std::string> retrain_reasons(const config::Retrain& rules, const Readings& readings) {
  std::vector<std::string> reasons;
  for (const config::RetrainRule& rule : rules.when) {
    const auto reading = readings.find(rule.signal);
    if (reading == readings.end() || !holds(reading->second, rule.comparison, rule.limit)) continue;
    reasons.push_back(describe(rule.signal, reading->second, rule.comparison, rule.limit));
  }
  return reasons;
}

std::string last_whole_day(TimePoint complete) {
  const auto day = std::chrono::floor<std::chrono::days>(complete) - std::chrono::days{1};
  return to_iso8601(TimePoint{day}).substr(0, 10);
}

Result<std::vector<Retraining>> RetrainPolicy::load(store::Reader& reader, std::int64_t limit) {
  return reader.all<Retraining>(
      fmt::format("SELECT {} FROM monitor_retrainings r ORDER BY r.id DESC LIMIT ?", kColumns), {limit},
      read_retraining);
}

Result<std::optional<Retraining>> RetrainPolicy::latest(store::Reader& reader, std::string_view model) {
  return reader.first<Retraining>(
      fmt::format("SELECT {} FROM monitor_retrainings r WHERE r.model = ? ORDER BY r.id DESC LIMIT 1", kColumns),
      {model}, read_retraining);
}

Result<bool> RetrainPolicy::decide(const config::Retrain& rules, const Readings& readings, const Facts& facts,
                                   const config::Config& config) {
  const std::string reasons = joined(retrain_reasons(rules, readings));
  if (reasons.empty()) return false;
  const auto last =
      WEIR_TRY(db_.load<std::optional<Retraining>>([&](store::Reader& reader) { return latest(reader, rules.model); }));
  if (last && under_way(*last)) return false;
  if (last && facts.watermark < last->event_time + rules.cooldown) return false;

  RetrainRequest request{.model = rules.model,
                         .endpoint = facts.place.endpoint,
                         .workflow = rules.run,
                         .reasons = reasons,
                         .data_until = last_whole_day(facts.watermark - facts.label_delay)};
  const auto id = WEIR_TRY(db_.write_with<std::int64_t>([&](Transaction& tx) -> Result<std::int64_t> {
    const std::int64_t new_id = WEIR_TRY(tx.next_id("retraining"));
    // The newest alert of this endpoint is what led here, where there is one.
    const auto cause =
        WEIR_TRY(tx.integer("SELECT fired_event FROM monitor_alerts WHERE endpoint = ? AND environment = ? AND "
                            "resolved_at IS NULL ORDER BY id "
                            "DESC LIMIT 1",
                            {facts.place.endpoint, facts.place.environment}));
    request.cause = WEIR_TRY(tx.append({.type = std::string(types::event_type::kRetrainTriggered),
                                        .actor = "weir",
                                        .subject = "model/" + rules.model,
                                        .cause = cause.value_or(0),
                                        .payload = {{"endpoint", facts.place.text()},
                                                    {"version", facts.version},
                                                    {"reasons", reasons},
                                                    {"data_until", request.data_until},
                                                    {"event_time", to_iso8601(facts.watermark)},
                                                    {"workflow", rules.run}}}));
    WEIR_TRY(
        tx.execute("INSERT INTO monitor_retrainings(id, model, endpoint, version, reasons, data_until, event_time, "
                   "triggered_at, event, state, note) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '')",
                   {new_id, rules.model, facts.place.endpoint, facts.version, reasons, request.data_until,
                    facts.watermark, tx.now(), request.cause, static_cast<std::int64_t>(State::kRequested)}));
    WEIR_TRY(queue_message(tx, config,
                           {.subject = fmt::format("retraining/{}", new_id),
                            .severity = config::Severity::kInfo,
                            .text = fmt::format("{} is trained again: {}", rules.model, reasons),
                            .about = {.event = std::string(types::event_type::kRetrainTriggered),
                                      .model = rules.model,
                                      .endpoint = facts.place.endpoint,
                                      .environment = facts.place.environment}}));
    return new_id;
  }));
  log_.info("retraining {}: {} (data until {})", rules.model, reasons, request.data_until);
  if (auto started = start(request, id); !started) {
    log_.error("retraining {} could not be started: {}", rules.model, started.error().message);
  }
  return true;
}

Result<void> RetrainPolicy::start(const RetrainRequest& request, std::int64_t id) {
  const auto run = start_(request);
  // A server that is stopping, or a store without room: the start is made up for later.
  if (!run && (run.error().code == Code::kUnavailable || run.error().code == Code::kCancelled)) {
    return std::unexpected(run.error());
  }
  WEIR_TRY(db_.write([&](Transaction& tx) -> Result<void> {
    const auto state = run ? State::kStarted : State::kFailed;
    WEIR_TRY(tx.execute("UPDATE monitor_retrainings SET state = ?, run_id = ?, note = ? WHERE id = ?",
                        {static_cast<std::int64_t>(state), run ? store::Value(*run) : store::Value(nullptr),
                         run ? std::string() : run.error().message, id}));
    return {};
  }));
  if (!run) return std::unexpected(run.error());
  return {};
}

Result<void> RetrainPolicy::resume(const std::function<std::string(const std::string& model)>& workflow_of) {
  const auto all =
      WEIR_TRY(db_.load<std::vector<Retraining>>([&](store::Reader& reader) { return load(reader, 100); }));
  for (const Retraining& retraining : all) {
    if (retraining.state != "requested") continue;
    // The workflow may have been started just before the crash.
    const auto subject = WEIR_TRY(db_.load<std::optional<std::string>>([&](store::Reader& reader) {
      return reader.first<std::string>(
          "SELECT subject FROM events WHERE type = ? AND cause = ? ORDER BY sequence LIMIT 1",
          {types::event_type::kRunCreated, retraining.event}, [](const Row& row) { return row.string(0); });
    }));
    if (subject && subject->starts_with("run/")) {
      const std::int64_t run = std::strtoll(subject->c_str() + 4, nullptr, 10);
      WEIR_TRY(db_.write([&](Transaction& tx) -> Result<void> {
        WEIR_TRY(tx.execute("UPDATE monitor_retrainings SET state = ?, run_id = ? WHERE id = ?",
                            {static_cast<std::int64_t>(State::kStarted), run, retraining.id}));
        return {};
      }));
      continue;
    }
    const RetrainRequest request{.model = retraining.model,
                                 .endpoint = retraining.endpoint,
                                 .workflow = workflow_of(retraining.model),
                                 .reasons = retraining.reasons,
                                 .data_until = retraining.data_until,
                                 .cause = retraining.event};
    if (auto started = start(request, retraining.id); !started) {
      log_.error("retraining {} could not be started: {}", retraining.model, started.error().message);
    }
  }
  return {};
}

}  // namespace weir::monitor
