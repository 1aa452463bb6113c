#include "insight/dora.h"

#include <algorithm>
#include <map>

#include "insight/history.h"

namespace weir::insight {
namespace {

namespace event_type = types::event_type;
using types::Event;

// The middle one, or the mean of the two in the middle.
std::optional<Duration> median(std::vector<Duration> values) {
  if (values.empty()) return std::nullopt;
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  if (values.size() % 2 == 1) return values[middle];
  return (values[middle - 1] + values[middle]) / 2;
}

// "flights@production" of "endpoint/flights@production"; an endpoint without an environment means `environment`. "" if
// it is another environment's or no endpoint's.
std::string endpoint_of(const Event& event, std::string_view environment) {
  static constexpr std::string_view kPrefix = "endpoint/";
  if (!event.subject.starts_with(kPrefix)) return "";
  std::string name = event.subject.substr(kPrefix.size());
  const auto at = name.find('@');
  if (at == std::string::npos) {
    const std::string told = text_of(event, "environment");
    return told.empty() || told == environment ? fmt::format("{}@{}", name, environment) : "";
  }
  return std::string_view(name).substr(at + 1) == environment ? name : "";
}

// What follows one deployment until the next one of its endpoint.
class Course {
 public:
  explicit Course(Dora::Deployment& deployment) : deployment_(deployment) {}

  void paged(const Event& event) {
    if (restored_) return;
    deployment_.failed = true;
    if (!paged_at_) paged_at_ = event.time;
  }
  void alert_resolved(const Event& event) {
    if (paged_at_) restore(event.time);
  }
  void rolled_back(const Event& event) {
    if (restored_ && deployment_.failed) return;
    deployment_.failed = true;
    restore(event.time);
  }
  void replaced(const Event& event) {
    if (deployment_.failed) restore(event.time);
  }

 private:
  void restore(TimePoint time) {
    if (restored_) return;
    restored_ = true;
    deployment_.restored_after = time - paged_at_.value_or(deployment_.time);
  }

  Dora::Deployment& deployment_;
  std::optional<TimePoint> paged_at_;
  bool restored_ = false;
};

Result<Dora::Deployment> deployment_of(store::Reader& reader, const Sources& sources, const Event& event,
                                       const std::string& endpoint) {
  Dora::Deployment deployment{.time = event.time,
                              .endpoint = endpoint,
                              .model = text_of(event, "model"),
                              .version = text_of(event, "version"),
                              .event = event.sequence};
  const Origin origin =
      WEIR_TRY(origin_of_version(reader, sources, deployment.model, deployment.version, event.sequence));
  if (origin.run) deployment.commit = text_of(*origin.run, "commit");
  // A clock that was set back must not give a lead time below nothing.
  if (origin.commit) deployment.lead_time = std::max(event.time - origin.commit->time, Duration{0});
  return deployment;
}

void summarise(Dora& dora) {
  std::vector<Duration> lead_times;
  std::vector<Duration> restore_times;
  dora.deployments = static_cast<std::int64_t>(dora.list.size());
  for (const auto& deployment : dora.list) {
    if (deployment.lead_time) lead_times.push_back(*deployment.lead_time);
    if (!deployment.failed) continue;
    ++dora.failed;
    if (deployment.restored_after)
      restore_times.push_back(*deployment.restored_after);
    else
      ++dora.unrestored;
  }
  const double days = std::chrono::duration<double, std::chrono::days::period>(dora.to - dora.from).count();
  if (days > 0) dora.deployments_per_day = static_cast<double>(dora.deployments) / days;
  dora.lead_time_known = static_cast<std::int64_t>(lead_times.size());
  dora.lead_time = median(std::move(lead_times));
  dora.time_to_restore = median(std::move(restore_times));
  if (dora.deployments > 0) {
    dora.change_failure_rate = static_cast<double>(dora.failed) / static_cast<double>(dora.deployments);
  }
}

std::string shown(const std::optional<Duration>& duration) {
  return duration ? format_duration(*duration) : "-";
}

json::value seconds(const std::optional<Duration>& duration) {
  return duration ? json::value(std::chrono::duration<double>(*duration).count()) : json::value();
}

std::string date_time(TimePoint time) {
  std::string text = to_iso8601(std::chrono::floor<std::chrono::seconds>(time));
  text[10] = ' ';
  return text;
}

}  // namespace

Result<Dora> dora(store::Reader& reader, const Sources& sources, TimePoint from, TimePoint to,
                  std::string_view environment) {
  if (to <= from) return fail(Code::kInvalidArgument, "the window ends at {}, before it begins", to_iso8601(to));
  Dora dora{.environment = std::string(environment), .from = from, .to = to};
  const auto events = WEIR_TRY(events_since(reader,
                                            {event_type::kRolloutSwitched, event_type::kRolloutRolledBack,
                                             event_type::kAlertFired, event_type::kAlertResolved},
                                            from));
  // At most one deployment an event: references to elements stay good.
  dora.list.reserve(events.size());
  std::map<std::string, Course> live;
  for (const auto& event : events) {
    const std::string endpoint = endpoint_of(event, environment);
    if (endpoint.empty()) continue;
    const auto course = live.find(endpoint);
    if (event.type == event_type::kRolloutSwitched) {
      if (course != live.end()) {
        course->second.replaced(event);
        live.erase(course);
      }
      if (event.time >= to) continue;
      dora.list.push_back(WEIR_TRY(deployment_of(reader, sources, event, endpoint)));
      live.emplace(endpoint, Course(dora.list.back()));
    } else if (event.type == event_type::kRolloutRolledBack) {
      if (event.time < to) ++dora.rollbacks;
      if (course != live.end()) course->second.rolled_back(event);
    } else if (course != live.end() && event.type == event_type::kAlertResolved) {
      course->second.alert_resolved(event);
    } else if (course != live.end() && text_of(event, "severity") == "page") {
      course->second.paged(event);
    }
  }
  summarise(dora);
  return dora;
}

std::string to_text(const Dora& dora) {
  const auto row = [](std::string_view name, const std::string& value) {
    return fmt::format("  {:<24} {}\n", name, value);
  };
  std::string text = fmt::format("{}, {} to {} ({})\n", dora.environment, date_time(dora.from), date_time(dora.to),
                                 format_duration(dora.to - dora.from));
  text += row("deployments", fmt::format("{} ({:.3g} a day)", dora.deployments, dora.deployments_per_day));
  text += row("lead time for changes",
              dora.lead_time ? fmt::format("{} (median of {})", shown(dora.lead_time), dora.lead_time_known)
                             : std::string("- (no deployment of a known commit)"));
  text += row("change failure rate",
              dora.change_failure_rate
                  ? fmt::format("{:.3g}% ({} of {})", *dora.change_failure_rate * 100.0, dora.failed, dora.deployments)
                  : std::string("- (no deployment)"));
  std::string restore =
      dora.failed == 0 ? "- (nothing failed)"
                       : fmt::format("{} (median of {})", shown(dora.time_to_restore), dora.failed - dora.unrestored);
  if (dora.unrestored > 0) restore += fmt::format(", {} not restored yet", dora.unrestored);
  text += row("time to restore", restore);
  if (dora.list.empty()) return text;
  text += "\n";
  for (const auto& deployment : dora.list) {
    std::string outcome = "ok";
    if (deployment.failed) {
      outcome = deployment.restored_after ? "failed, restored after " + format_duration(*deployment.restored_after)
                                          : std::string("failed, not restored yet");
    }
    text += fmt::format("  {}  {}  {} version {}  lead time {}  {}\n", date_time(deployment.time), deployment.endpoint,
                        deployment.model, deployment.version, shown(deployment.lead_time), outcome);
  }
  return text;
}

json::object to_json(const Dora& dora) {
  json::array list;
  for (const auto& deployment : dora.list) {
    list.push_back(json::object{{"time", to_iso8601(deployment.time)},
                                {"endpoint", deployment.endpoint},
                                {"model", deployment.model},
                                {"version", deployment.version},
                                {"commit", deployment.commit},
                                {"lead_time_seconds", seconds(deployment.lead_time)},
                                {"failed", deployment.failed},
                                {"restored_after_seconds", seconds(deployment.restored_after)},
                                {"event", deployment.event}});
  }
  return {{"environment", dora.environment},
          {"from", to_iso8601(dora.from)},
          {"to", to_iso8601(dora.to)},
          {"deployments", dora.deployments},
          {"rollbacks", dora.rollbacks},
          {"deployments_per_day", dora.deployments_per_day},
          {"lead_time_seconds", seconds(dora.lead_time)},
          {"lead_time_known", dora.lead_time_known},
          {"failed", dora.failed},
          {"change_failure_rate", dora.change_failure_rate ? json::value(*dora.change_failure_rate) : json::value()},
          {"time_to_restore_seconds", seconds(dora.time_to_restore)},
          {"unrestored", dora.unrestored},
          {"list", std::move(list)}};
}

}  // namespace weir::insight
