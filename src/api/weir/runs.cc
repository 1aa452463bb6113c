#include "api/weir/routes.h"

namespace weir::api {
namespace {

Result<io::HttpResponse> list_runs(const Services& services, const io::HttpRequest& request) {
  engine::RunFilter filter;
  if (auto repo = request.query_value("repo"); repo && !repo->empty()) filter.repo = std::move(repo);
  if (auto workflow = request.query_value("workflow"); workflow && !workflow->empty())
    filter.workflow = std::move(workflow);
  if (const auto state = request.query_value("state"); state && !state->empty()) {
    filter.state = WEIR_TRY(engine::parse_run_state(*state));
  }
  filter.before = WEIR_TRY(number_query(request, "before", 0, 0, INT64_MAX));
  filter.limit = static_cast<int>(WEIR_TRY(number_query(request, "limit", 50, 1, 500)));
  json::array runs;
  for (const auto& run : WEIR_TRY(services.engine->runs(filter))) runs.push_back(engine::to_json(run));
  return io::json_response(200, json::object{{"runs", std::move(runs)}});
}

Result<io::HttpResponse> show_run(const Services& services, const io::HttpRequest& request) {
  const auto id = WEIR_TRY(id_param(request, "id"));
  const auto attempt = WEIR_TRY(number_query(request, "attempt", 0, 0, 1'000'000));
  const auto outline = request.query_value("outline").value_or("false");
  if (outline != "true" && outline != "false") {
    return fail(Code::kInvalidArgument, "outline must be true or false, not \"{}\"", outline.substr(0, 80));
  }
  const auto parts = outline == "true" ? engine::JobParts::kOutline : engine::JobParts::kAll;
  json::object body = engine::to_json(WEIR_TRY(services.engine->run(id)));
  json::array jobs;
  for (const auto& job : WEIR_TRY(services.engine->jobs(id, attempt, parts))) jobs.push_back(engine::to_json(job));
  body["jobs"] = std::move(jobs);
  json::array artifacts;
  for (const auto& artifact : WEIR_TRY(services.artifacts->list(id, attempt))) {
    artifacts.push_back(engine::to_json(artifact));
  }
  body["artifacts"] = std::move(artifacts);
  return io::json_response(200, body);
}

Result<io::HttpResponse> cancel_run(const Services& services, const io::HttpRequest& request) {
  const auto id = WEIR_TRY(id_param(request, "id"));
  const auto body = WEIR_TRY(body_object(request));
  WEIR_TRY(services.engine->cancel(id, request.identity.name, json_string_or(body, "reason", ""),
                                   json_bool_or(body, "force", false)));
  return io::json_response(202, engine::to_json(WEIR_TRY(services.engine->run(id))));
}

Result<io::HttpResponse> rerun(const Services& services, const io::HttpRequest& request) {
  const auto id = WEIR_TRY(id_param(request, "id"));
  const auto body = WEIR_TRY(body_object(request));
  const bool failed_only = json_bool_or(body, "failed_only", false);
  if (const auto ref = json_string_or(body, "ref", ""); !ref.empty()) {
    const auto made = WEIR_TRY(services.engine->rerun_on(id, ref, failed_only, request.identity.name));
    return io::json_response(201, engine::to_json(WEIR_TRY(services.engine->run(made))));
  }
  WEIR_TRY(services.engine->rerun(id, failed_only, request.identity.name));
  return io::json_response(201, engine::to_json(WEIR_TRY(services.engine->run(id))));
}

Result<io::HttpResponse> dispatch(const Services& services, io::HttpRequest& request) {
  const auto body = WEIR_TRY(body_object(request));
  const auto workflow = WEIR_TRY(json_require_string(body, "workflow"));
  json::object inputs;
  if (const auto* given = json_find(body, "inputs"); given != nullptr) {
    if (!given->is_object()) return fail(Code::kInvalidArgument, "member \"inputs\" must be an object");
    inputs = given->get_object();
  }
  const auto run = WEIR_TRY(services.triggers->dispatch(request.params["repo"], workflow,
                                                        json_string_or(body, "ref", ""), inputs, request.identity));
  return io::json_response(201, json::object{{"run_id", run}});
}

}  // namespace

void add_run_routes(RouteTable& table, const Services& services) {
  using access::Permission;
  const auto bind = [&services](auto function) {
    return [&services, function](io::HttpRequest& request) { return function(services, request); };
  };
  table.add({.method = "GET",
             .pattern = "/api/v1/runs",
             .id = "listRuns",
             .summary = "Workflow runs, newest first.",
             .query = {{"repo", "string", "Only of this repository."},
                       {"workflow", "string", "Only of this workflow file, as path or file name."},
                       {"state", "string", "queued, waiting, in_progress or completed."},
                       {"before", "integer", "Only runs with a smaller id: the next page."},
                       {"limit", "integer", "At most so many, 1 to 500; 50 unless given."}},
             .answer = "RunList"},
            bind(list_runs));
  table.add({.method = "GET",
             .pattern = "/api/v1/runs/{id}",
             .id = "getRun",
             .summary = "One run with its jobs and artifacts.",
             .query = {{"attempt", "integer", "The jobs and artifacts of this attempt; of the last unless given."},
                       {"outline", "boolean", "Without jobs' steps and annotations, for runs of many jobs."}},
             .answer = "Run"},
            bind(show_run));
  table.add({.method = "GET",
             .pattern = "/api/v1/runs/{id}/workflow",
             .id = "getRunWorkflow",
             .summary = "The workflow file as the run read it.",
             .answer = "text/plain"},
            [&services](io::HttpRequest& request) -> Result<io::HttpResponse> {
              const auto id = WEIR_TRY(id_param(request, "id"));
              return io::text_response(200, WEIR_TRY(services.engine->workflow_text(id)));
            });
  table.add({.method = "GET",
             .pattern = "/api/v1/jobs/{id}",
             .id = "getJob",
             .summary = "One job with its steps, summary and annotations.",
             .answer = "Job"},
            [&services](io::HttpRequest& request) -> Result<io::HttpResponse> {
              const auto id = WEIR_TRY(id_param(request, "id"));
              return io::json_response(200, engine::to_json(WEIR_TRY(services.engine->job(id))));
            });
  table.add({.method = "GET",
             .pattern = "/api/v1/jobs/{id}/reuse",
             .id = "getJobReuse",
             .summary = "Why an earlier result was reused for the job, or what differed so that it ran.",
             .answer = "JobReuse"},
            [&services](io::HttpRequest& request) -> Result<io::HttpResponse> {
              const auto id = WEIR_TRY(id_param(request, "id"));
              return io::json_response(200, engine::to_json(WEIR_TRY(services.engine->reuse(id))));
            });
  add_log_routes(table, services);
  table.add({.method = "POST",
             .pattern = "/api/v1/runs/{id}/cancel",
             .permission = Permission::kCancelRun,
             .id = "cancelRun",
             .summary = "Cancels a run; its always() steps still run.",
             .request = "CancelRequest",
             .answer = "Run",
             .status = 202},
            bind(cancel_run));
  table.add({.method = "POST",
             .pattern = "/api/v1/runs/{id}/rerun",
             .permission = Permission::kDispatchRun,
             .id = "rerun",
             .summary = "Runs a completed run again, as a new attempt, or as a new run of another commit.",
             .request = "RerunRequest",
             .answer = "Run",
             .status = 201},
            bind(rerun));
  table.add({.method = "POST",
             .pattern = "/api/v1/repos/{repo}/dispatches",
             .permission = Permission::kDispatchRun,
             .id = "dispatchWorkflow",
             .summary = "Starts a workflow that has `on: workflow_dispatch`.",
             .request = "DispatchRequest",
             .answer = "Dispatched",
             .status = 201},
            bind(dispatch));
}

}  // namespace weir::api
