#include <algorithm>
#include <cmath>

#include "rollout/rollouts.h"

namespace weir::rollout {
namespace {

double rounded(double value) {
  return std::round(value * 100.0) / 100.0;
}

json::value version_json(const ModelVersion& version) {
  if (!version.exists()) return nullptr;
  return json::object{{"model", version.model}, {"version", version.version}};
}

json::object environment_json(const Status& status, std::span<const serve::DeploymentSnapshot> traffic) {
  const Record& record = status.record;
  json::object wish{{"reference", record.wish.reference},
                    {"model", record.wish.target.model},
                    {"version", record.wish.target.exists() ? json::value(record.wish.target.version) : nullptr},
                    {"state", wish_state_name(record.wish.state)},
                    {"reason", record.wish.reason},
                    {"actor", record.wish.actor},
                    {"approval", record.wish.approval != 0 ? json::value(record.wish.approval) : nullptr},
                    {"changed_at", to_iso8601(record.wish.changed_at)}};
  json::value live = version_json(record.live);
  if (live.is_object()) {
    live.get_object()["since"] = to_iso8601(record.live_since);
    live.get_object()["event"] = record.live_event;
    live.get_object()["loaded"] = status.live_loaded;
  }
  json::value previous = version_json(record.previous());
  if (previous.is_object()) previous.get_object()["loaded"] = status.previous_loaded;
  json::object environment{{"name", record.environment},
                           {"wish", std::move(wish)},
                           {"live", std::move(live)},
                           {"previous", std::move(previous)},
                           {"workers", 0},
                           {"workers_ready", 0},
                           {"requests", 0},
                           {"errors", 0},
                           {"p50_ms", 0.0},
                           {"p95_ms", 0.0}};
  for (const auto& one : traffic) {
    if (one.endpoint != record.endpoint || one.environment != record.environment || !one.live) continue;
    environment["workers"] = one.health.workers;
    environment["workers_ready"] = one.health.workers_ready;
    environment["requests"] = one.total.requests;
    environment["errors"] = one.total.errors_client + one.total.errors_server;
    environment["p50_ms"] = rounded(one.p50_ms);
    environment["p95_ms"] = rounded(one.p95_ms);
  }
  return environment;
}

}  // namespace

json::array endpoints_json(std::span<const Status> statuses, std::span<const serve::DeploymentSnapshot> traffic) {
  json::array endpoints;
  for (const auto& status : statuses) {
    const auto& name = status.record.endpoint;
    auto found = std::ranges::find_if(
        endpoints, [&](const json::value& endpoint) { return json_string_or(endpoint, "name", "") == name; });
    if (found == endpoints.end()) {
      endpoints.push_back(json::object{{"name", name}, {"environments", json::array{}}});
      found = std::prev(endpoints.end());
    }
    found->at("environments").get_array().push_back(environment_json(status, traffic));
  }
  return endpoints;
}

}  // namespace weir::rollout
