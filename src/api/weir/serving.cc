#include "api/weir/serving.h"

namespace weir::api {
namespace {

// Where each version of a model serves: version -> "flights@production".
std::multimap<std::int64_t, std::string> places_of(const ServingServices& serving, std::string_view model) {
  std::multimap<std::int64_t, std::string> places;
  for (const auto& status : serving.rollouts->statuses()) {
    if (status.record.live.model != model) continue;
    places.emplace(status.record.live.version, rollout::target_name(status.record.endpoint, status.record.environment));
  }
  return places;
}

Result<io::HttpResponse> list_models(const ServingServices& serving) {
  json::array list;
  for (const auto& model : WEIR_TRY(serving.registry->models())) {
    json::object aliases;
    for (const auto& [alias, version] : model.aliases) aliases[alias] = version;
    json::object live;
    for (const auto& [version, place] : places_of(serving, model.name)) live[place] = version;
    list.push_back({{"name", model.name},
                    {"description", model.description},
                    {"versions", WEIR_TRY(serving.registry->versions(model.name)).size()},
                    {"aliases", std::move(aliases)},
                    {"live", std::move(live)}});
  }
  return io::json_response(200, json::object{{"models", std::move(list)}});
}

Result<json::object> version_json(const Services& services, const ServingServices& serving,
                                  const registry::Version& version) {
  json::object metrics;
  std::string commit;
  if (const auto run = serving.tracking->run(version.run_id)) {
    for (const auto& metric : run->metrics) metrics[metric.key] = metric.value;
    for (const auto& tag : run->tags) {
      if (tag.key == "mlflow.source.git.commit") commit = tag.value;
    }
  }
  // The client tells only where it finds a git repository and Python's package for git.
  if (commit.empty() && version.workflow_run) {
    if (const auto run = services.engine->run(*version.workflow_run)) commit = run->commit;
  }
  const auto verdict = WEIR_TRY(services.db->load<std::optional<gate::Record>>([&](store::Reader& reader) {
    return gate::GateService::latest(reader, version.model, std::to_string(version.version), version.run_id);
  }));
  return json::object{{"version", std::to_string(version.version)},
                      {"run_id", version.run_id},
                      {"workflow_run", version.workflow_run ? json::value(*version.workflow_run) : nullptr},
                      {"commit", commit},
                      {"stage", registry::stage_name(version.stage)},
                      {"aliases", json::value_from(version.aliases)},
                      {"user", version.user_id},
                      {"created_at", to_iso8601(from_millis(version.created_ms))},
                      {"metrics", std::move(metrics)},
                      {"gate", verdict ? json::value(verdict->verdict) : nullptr}};
}

Result<io::HttpResponse> show_model(const Services& services, const ServingServices& serving,
                                    io::HttpRequest& request) {
  const std::string& name = request.params["name"];
  const auto places = places_of(serving, name);
  json::array versions;
  for (const auto& version : WEIR_TRY(serving.registry->versions(name))) {
    auto shown = WEIR_TRY(version_json(services, serving, version));
    json::array live_in;
    for (auto [place, end] = places.equal_range(version.version); place != end; ++place)
      live_in.emplace_back(place->second);
    shown["live_in"] = std::move(live_in);
    versions.push_back(std::move(shown));
  }
  return io::json_response(200, json::object{{"name", name}, {"versions", std::move(versions)}});
}

json::array endpoints(const ServingServices& serving) {
  auto list = rollout::endpoints_json(serving.rollouts->statuses(), serving.gateway->snapshot());
  for (auto& endpoint : list) {
    endpoint.as_object()["monitor"] = serving.monitor->status(json_string_or(endpoint, "name", ""));
  }
  return list;
}

Result<io::HttpResponse> show_drift(const ServingServices& serving, io::HttpRequest& request) {
  const auto limit = WEIR_TRY(number_query(request, "limit", 100, 1, 2'000));
  return io::json_response(200, WEIR_TRY(serving.monitor->drift(request.params["name"], limit)));
}

Result<io::HttpResponse> list_alerts(const ServingServices& serving, io::HttpRequest& request) {
  const auto limit = WEIR_TRY(number_query(request, "limit", 100, 1, 1'000));
  return io::json_response(200, WEIR_TRY(serving.monitor->alerts(limit, request.query_value("open") == "true")));
}

Result<io::HttpResponse> show_metrics(const ServingServices& serving) {
  monitor::Exposition exposition;
  serving.monitor->write_metrics(exposition);
  return io::text_response(200, exposition.finish(), monitor::Exposition::kContentType);
}

Result<io::HttpResponse> show_endpoint(const ServingServices& serving, io::HttpRequest& request) {
  for (const auto& endpoint : endpoints(serving)) {
    if (json_string_or(endpoint, "name", "") == request.params["name"]) return io::json_response(200, endpoint);
  }
  return fail(Code::kNotFound, "there is no endpoint \"{}\"; describe it in a repository's weir.yaml",
              request.params["name"].substr(0, 100));
}

Result<io::HttpResponse> deploy(const ServingServices& serving, io::HttpRequest& request) {
  const auto body = WEIR_TRY(body_object(request));
  const auto version = WEIR_TRY(registry::parse_version(WEIR_TRY(json_require_string(body, "version"))));
  const std::string environment = json_string_or(body, "environment", "production");
  const auto status =
      WEIR_TRY(serving.rollouts->deploy(request.params["name"], environment, version, request.identity));
  const auto& wish = status.record.wish;
  const std::string name = rollout::target_name(request.params["name"], environment);
  std::string message =
      fmt::format("{}: {} is wished for, {}", name, wish.target.text(), rollout::wish_state_name(wish.state));
  if (wish.state == rollout::WishState::kWaiting) {
    message =
        fmt::format("{} waits for a reviewer of {} (weir approve {})", wish.target.text(), environment, wish.approval);
  }
  return io::json_response(202, json::object{{"endpoint", name},
                                             {"version", wish.target.version},
                                             {"state", rollout::wish_state_name(wish.state)},
                                             {"approval", wish.approval != 0 ? json::value(wish.approval) : nullptr},
                                             {"message", message}});
}

Result<io::HttpResponse> roll_back(const ServingServices& serving, io::HttpRequest& request) {
  const auto body = WEIR_TRY(body_object(request));
  const std::string environment = json_string_or(body, "environment", "production");
  const auto status = WEIR_TRY(serving.rollouts->roll_back(request.params["name"], environment,
                                                           json_string_or(body, "reason", ""), request.identity));
  const std::string name = rollout::target_name(request.params["name"], environment);
  return io::json_response(
      200, json::object{{"endpoint", name},
                        {"version", status.record.live.version},
                        {"message", fmt::format("{} serves {} again", name, status.record.live.text())}});
}

}  // namespace

void add_model_routes(RouteTable& table, const Services& services, const ServingServices& serving) {
  using access::Permission;
  table.add({.method = "GET",
             .pattern = "/api/v1/models",
             .id = "listModels",
             .summary = "Registered models.",
             .answer = "ModelList"},
            [serving](io::HttpRequest&) { return list_models(serving); });
  table.add({.method = "GET",
             .pattern = "/api/v1/models/{name}",
             .id = "getModel",
             .summary = "A model's versions with metrics, gate verdicts and where they serve.",
             .answer = "Model"},
            [&services, serving](io::HttpRequest& request) { return show_model(services, serving, request); });
}

void add_endpoint_routes(RouteTable& table, const ServingServices& serving) {
  using access::Permission;
  table.add({.method = "GET",
             .pattern = "/api/v1/endpoints",
             .id = "listEndpoints",
             .summary = "Endpoints: what is wished for, what serves, traffic and drift.",
             .answer = "EndpointList"},
            [serving](io::HttpRequest&) -> Result<io::HttpResponse> {
              return io::json_response(200, json::object{{"endpoints", endpoints(serving)}});
            });
  table.add({.method = "GET",
             .pattern = "/api/v1/endpoints/{name}",
             .id = "getEndpoint",
             .summary = "One endpoint.",
             .answer = "Endpoint"},
            [serving](io::HttpRequest& request) { return show_endpoint(serving, request); });
  table.add({.method = "GET",
             .pattern = "/api/v1/endpoints/{name}/drift",
             .id = "getDrift",
             .summary = "Windows of an endpoint's production, newest first.",
             .query = {{"limit", "integer", "At most so many, 1 to 2000; 100 unless given."}},
             .answer = "DriftWindows"},
            [serving](io::HttpRequest& request) { return show_drift(serving, request); });
  table.add({.method = "GET",
             .pattern = "/api/v1/alerts",
             .id = "listAlerts",
             .summary = "Alerts; those that fire come first.",
             .query = {{"open", "boolean", "Only those that fire."},
                       {"limit", "integer", "At most so many, 1 to 1000; 100 unless given."}},
             .answer = "AlertList"},
            [serving](io::HttpRequest& request) { return list_alerts(serving, request); });
  table.add({.method = "GET",
             .pattern = "/api/v1/retrainings",
             .id = "listRetrainings",
             .summary = "Trainings that the monitor started, newest first.",
             .answer = "RetrainingList"},
            [serving](io::HttpRequest&) -> Result<io::HttpResponse> {
              return io::json_response(200, WEIR_TRY(serving.monitor->retrainings(100)));
            });
  table.add({.method = "GET",
             .pattern = "/metrics",
             .id = "getMetrics",
             .summary = "Figures for Prometheus.",
             .answer = "text/plain"},
            [serving](io::HttpRequest&) { return show_metrics(serving); });
  table.add({.method = "POST",
             .pattern = "/api/v1/endpoints/{name}/deploy",
             .permission = Permission::kDeploy,
             .id = "deploy",
             .summary = "Asks for a model version to go live; reviewers of the environment decide.",
             .request = "DeployRequest",
             .answer = "Deployment",
             .status = 202},
            [serving](io::HttpRequest& request) { return deploy(serving, request); });
  table.add({.method = "POST",
             .pattern = "/api/v1/endpoints/{name}/rollback",
             .permission = Permission::kRollback,
             .id = "rollBack",
             .summary = "Goes back to the version before, which is still warm.",
             .request = "RollbackRequest",
             .answer = "RolledBack"},
            [serving](io::HttpRequest& request) { return roll_back(serving, request); });
}

}  // namespace weir::api
