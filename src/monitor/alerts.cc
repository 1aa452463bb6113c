#include "monitor/alerts.h"

namespace weir::monitor {
namespace {

using config::Signal;
using store::Row;
using store::Transaction;

constexpr std::string_view kColumns =
    "id, endpoint, environment, rule, severity, version, value, limit_value, message, event_time, fired_at, "
    "fired_event, "
    "resolved_at";

Alert read_alert(const Row& row) {
  Alert alert;
  alert.id = row.integer(0);
  alert.place = {row.string(1), row.string(2)};
  alert.rule = row.string(3);
  alert.severity = static_cast<config::Severity>(row.integer(4));
  alert.version = row.string(5);
  alert.value = row.real(6);
  alert.limit = row.real(7);
  alert.message = row.string(8);
  if (const auto time = row.integer_or_null(9)) alert.event_time = from_micros(*time);
  alert.fired_at = row.time(10);
  alert.fired_event = row.integer(11);
  if (const auto time = row.integer_or_null(12)) alert.resolved_at = from_micros(*time);
  return alert;
}

// "5m", "1h 30m": without a second unit of nothing.
std::string hold_text(Duration hold) {
  std::string text = format_duration(hold);
  const auto space = text.find(' ');
  if (space != std::string::npos && text[space + 1] == '0') text.resize(space);
  return text;
}

bool is_drift(Signal signal) {
  return signal == Signal::kDrift || signal == Signal::kPredictionDrift;
}

json::object payload_of(const Alert& alert) {
  json::object payload{{"alert", alert.rule},      {"severity", config::severity_name(alert.severity)},
                       {"value", alert.value},     {"limit", alert.limit},
                       {"message", alert.message}, {"version", alert.version}};
  if (alert.event_time) payload["event_time"] = to_iso8601(*alert.event_time);
  return payload;
}

About about(const Place& place, std::string_view event, const config::Config& config) {
  About about{.event = std::string(event), .endpoint = place.endpoint, .environment = place.environment};
  const auto* endpoint = config.endpoint(place.endpoint);
  const auto* environment = endpoint == nullptr ? nullptr : endpoint->environment(place.environment);
  if (environment != nullptr) about.model = environment->model.model;
  return about;
}

}  // namespace

json::object to_json(const Alert& alert) {
  json::object object = payload_of(alert);
  object["id"] = alert.id;
  object["endpoint"] = alert.place.endpoint;
  object["environment"] = alert.place.environment;
  object["rule"] = alert.rule;
  object["state"] = alert.resolved_at ? "resolved" : "firing";
  object["fired_at"] = to_iso8601(alert.fired_at);
  object["resolved_at"] = alert.resolved_at ? json::value(to_iso8601(*alert.resolved_at)) : json::value(nullptr);
  object["event"] = alert.fired_event;
  return object;
}

Result<std::vector<Alert>> AlertBook::load(store::Reader& reader, std::int64_t limit) {
  return reader.all<Alert>(
      fmt::format("SELECT {} FROM monitor_alerts ORDER BY CASE WHEN resolved_at IS NULL THEN 0 ELSE 1 "
                  "END, id DESC LIMIT ?",
                  kColumns),
      {limit}, read_alert);
}

Result<std::vector<Alert>> AlertBook::firing(store::Reader& reader, const Place& place) {
  return reader.all<Alert>(fmt::format("SELECT {} FROM monitor_alerts WHERE endpoint = ? AND environment = ? AND "
                                       "resolved_at IS NULL ORDER BY id",
                                       kColumns),
                           {place.endpoint, place.environment}, read_alert);
}

Result<Alert> AlertBook::fire(Transaction& tx, const Place& place, const WatchedRule& rule, const Reading& reading,
                              const Moment& moment, const config::Config& config) {
  Alert alert{.place = place,
              .rule = rule.text,
              .severity = rule.severity,
              .version = moment.version,
              .value = reading.value,
              .limit = rule.limit};
  alert.message = describe(rule.signal, reading, rule.comparison, rule.limit);
  if (rule.hold > Duration{0}) alert.message += " for " + hold_text(rule.hold);
  if (follows_event_time(rule.signal)) alert.event_time = moment.event_time;
  alert.fired_at = tx.now();
  alert.id = WEIR_TRY(tx.next_id("alert"));

  const std::string subject = "endpoint/" + place.text();
  std::int64_t cause = 0;
  if (is_drift(rule.signal)) {
    json::object payload = payload_of(alert);
    payload["columns"] = json::array(reading.columns.begin(), reading.columns.end());
    cause = WEIR_TRY(tx.append({.type = std::string(types::event_type::kDriftDetected),
                                .actor = "weir",
                                .subject = subject,
                                .payload = std::move(payload)}));
  }
  alert.fired_event = WEIR_TRY(tx.append({.type = std::string(types::event_type::kAlertFired),
                                          .actor = "weir",
                                          .subject = subject,
                                          .cause = cause,
                                          .payload = payload_of(alert)}));
  WEIR_TRY(tx.execute(
      "INSERT INTO monitor_alerts(id, endpoint, environment, rule, severity, version, value, limit_value, "
      "message, event_time, fired_at, fired_event) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      {alert.id, place.endpoint, place.environment, alert.rule, static_cast<std::int64_t>(alert.severity),
       alert.version, alert.value, alert.limit, alert.message, alert.event_time, alert.fired_at, alert.fired_event}));
  WEIR_TRY(queue_message(tx, config,
                         {.subject = fmt::format("alert/{}/fired", alert.id),
                          .severity = alert.severity,
                          .text = fmt::format("[{}] {} version {}: {}", config::severity_name(alert.severity),
                                              place.text(), alert.version, alert.message),
                          .about = about(place, types::event_type::kAlertFired, config)}));
  return alert;
}

Result<void> AlertBook::resolve(Transaction& tx, const Alert& alert, const std::string& why,
                                const config::Config& config) {
  WEIR_TRY(tx.execute("UPDATE monitor_alerts SET resolved_at = ? WHERE id = ?", {tx.now(), alert.id}));
  json::object payload = payload_of(alert);
  payload["message"] = why;
  WEIR_TRY(tx.append({.type = std::string(types::event_type::kAlertResolved),
                      .actor = "weir",
                      .subject = "endpoint/" + alert.place.text(),
                      .cause = alert.fired_event,
                      .payload = std::move(payload)}));
  return queue_message(tx, config,
                       {.subject = fmt::format("alert/{}/resolved", alert.id),
                        .severity = alert.severity,
                        .text = fmt::format("[resolved] {}: {}", alert.place.text(), why),
                        .about = about(alert.place, types::event_type::kAlertResolved, config)});
}

Result<std::vector<AlertBook::Fired>> AlertBook::update(const Place& place, const std::vector<WatchedRule>& rules,
                                                        const Readings& readings, const Moment& moment,
                                                        const config::Config& config) {
  const auto open =
      WEIR_TRY(db_.load<std::vector<Alert>>([&](store::Reader& reader) { return firing(reader, place); }));
  std::vector<const WatchedRule*> to_fire;
  std::vector<std::pair<const Alert*, std::string>> to_resolve;
  for (const WatchedRule& rule : rules) {
    const auto found = readings.find(rule.signal);
    if (found == readings.end()) continue;
    const Reading& reading = found->second;
    const auto firing = std::ranges::find(open, rule.text, &Alert::rule);
    const auto key = std::pair(place, rule.text);
    if (!weir::monitor::holds(reading, rule.comparison, rule.limit)) {
      since_.erase(key);
      // Over is what is over by the value itself; in between, where too few rows speak, an alert stays as it is.
      if (firing != open.end() && !config::holds(reading.value, rule.comparison, rule.limit)) {
        to_resolve.emplace_back(&*firing,
                                fmt::format("{} is {}, the alert {} is over", config::signal_name(rule.signal),
                                            quantity_text(rule.signal, reading.value), rule.text));
      }
      continue;
    }
    if (firing != open.end()) continue;
    const TimePoint time = follows_event_time(rule.signal) ? moment.event_time.value_or(moment.now) : moment.now;
    const TimePoint since = since_.try_emplace(key, time).first->second;
    if (time - since >= rule.hold) to_fire.push_back(&rule);
  }
  if (to_fire.empty() && to_resolve.empty()) return std::vector<Fired>{};

  auto fired = db_.write_with<std::vector<Fired>>([&](Transaction& tx) -> Result<std::vector<Fired>> {
    std::vector<Fired> done;
    for (const auto& [alert, why] : to_resolve) WEIR_TRY(resolve(tx, *alert, why, config));
    for (const WatchedRule* rule : to_fire) {
      done.push_back({*rule, WEIR_TRY(fire(tx, place, *rule, readings.at(rule->signal), moment, config))});
    }
    return done;
  });
  if (fired) {
    for (const WatchedRule* rule : to_fire) since_.erase({place, rule->text});
  }
  return fired;
}

Result<void> AlertBook::resolve_stale(const Place& place, const std::vector<WatchedRule>& rules, const Moment& moment,
                                      const config::Config& config) {
  const auto open =
      WEIR_TRY(db_.load<std::vector<Alert>>([&](store::Reader& reader) { return firing(reader, place); }));
  std::vector<std::pair<const Alert*, std::string>> to_resolve;
  for (const Alert& alert : open) {
    const auto rule = std::ranges::find(rules, alert.rule, &WatchedRule::text);
    if (rule == rules.end()) {
      to_resolve.emplace_back(&alert, "the rule " + alert.rule + " is gone");
    } else if (follows_event_time(rule->signal) && alert.version != moment.version) {
      to_resolve.emplace_back(&alert, fmt::format("version {} is live instead of {}", moment.version, alert.version));
    }
  }
  if (to_resolve.empty()) return {};
  return db_.write([&](Transaction& tx) -> Result<void> {
    for (const auto& [alert, why] : to_resolve) WEIR_TRY(resolve(tx, *alert, why, config));
    return {};
  });
}

}  // namespace weir::monitor
