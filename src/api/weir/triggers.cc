#include "api/weir/routes.h"
#include "event/schedules.h"

// What starts runs by itself: schedules, watched data.
namespace weir::api {
namespace {

json::value time_or_null(const std::optional<TimePoint>& time) {
  return time ? json::value(to_iso8601(*time)) : json::value();
}

json::object to_json(const event::ScheduleView& schedule) {
  return {{"repo", schedule.repo},
          {"path", schedule.path},
          {"cron", schedule.cron},
          {"timezone", schedule.timezone.empty() ? "UTC" : schedule.timezone},
          {"last_fired", to_iso8601(schedule.last_fired)},
          {"next", time_or_null(schedule.next)}};
}

std::string_view state_of(const event::WatchedData& it) {
  if (!it.problem.empty()) return "problem";
  if (!it.looked) return "new";
  if (it.changing_since) return "changing";
  return it.seen.empty() ? "absent" : "watching";
}

json::object to_json(const event::WatchedData& it) {
  using Kind = config::DataWatch::Kind;
  const auto kind = it.data.kind();
  return {{"repo", it.repo},
          {"name", it.data.name},
          {"watch", it.data.watch},
          {"kind", kind == Kind::kFiles     ? "files"
                   : kind == Kind::kAddress ? "address"
                                            : "dvc"},
          {"settle", format_duration(it.data.settle)},
          {"every", format_duration(it.data.every)},
          {"state", state_of(it)},
          {"noticed", it.noticed},
          {"seen", it.seen.empty() ? json::value() : json::value(it.seen)},
          {"looked_at", time_or_null(it.looked_at)},
          {"changing_since", time_or_null(it.changing_since)},
          {"changed_at", time_or_null(it.changed_at)},
          {"event", it.event == 0 ? json::value() : json::value(it.event)},
          {"problem", it.problem}};
}

Result<io::HttpResponse> list_triggers(const Services& services, io::HttpRequest& request) {
  const std::string repo = request.query_value("repo").value_or("");
  json::array schedules;
  for (const auto& schedule : WEIR_TRY(event::list_schedules(*services.db, services.clock->now()))) {
    if (repo.empty() || schedule.repo == repo) schedules.push_back(to_json(schedule));
  }
  json::array data;
  if (services.data != nullptr) {
    for (const auto& one : WEIR_TRY(services.data->list())) {
      if (repo.empty() || one.repo == repo) data.push_back(to_json(one));
    }
  }
  return io::json_response(200, json::object{{"schedules", std::move(schedules)}, {"data", std::move(data)}});
}

}  // namespace

void add_trigger_routes(RouteTable& table, const Services& services) {
  table.add({.method = "GET",
             .pattern = "/api/v1/triggers",
             .id = "listTriggers",
             .summary = "Schedules and watched data of the repositories, with what is wrong with them.",
             .query = {{"repo", "string", "Of this repository alone."}},
             .answer = "Triggers"},
            [&services](io::HttpRequest& request) { return list_triggers(services, request); });
}

}  // namespace weir::api
