// Workflow runs, jobs and dispatches: https://docs.github.com/en/rest/actions
#include <algorithm>
#include <fstream>

#include "api/github/call.h"
#include "base/hash.h"
#include "event/source.h"
#include "event/workflow_files.h"

namespace weir::api::github {
namespace {

using access::Permission;
using engine::Job;
using engine::Run;

constexpr Need kReads{"actions", Level::kRead, Permission::kRead};
constexpr Need kStarts{"actions", Level::kWrite, Permission::kDispatchRun};
constexpr Need kCancels{"actions", Level::kWrite, Permission::kCancelRun};
constexpr std::size_t kRunsMax = 1'000;  // that a search gives, as on GitHub
constexpr std::size_t kLogBytesMax = 256U << 20;
constexpr int kChunk = 500;

// GitHub has numbers for workflow files; here their paths tell them apart.
std::int64_t workflow_number(std::string_view path) {
  return std::stoll(sha256_hex(path).substr(0, 12), nullptr, 16);
}

// GitHub's clients know a job that ran over its time limit as a cancelled one.
json::value word(const std::optional<types::Conclusion>& conclusion) {
  if (conclusion == types::Conclusion::kTimedOut) return json::value("cancelled");
  return conclusion ? json::value(types::conclusion_name(*conclusion)) : json::value();
}

json::value time_or_null(const std::optional<TimePoint>& time) {
  return time ? json::value(to_iso8601(*time)) : json::value();
}

// The branch or tag that a run is of; of a pull request, the branch that it offers.
std::string branch_of(const Run& run) {
  return event::short_ref(run.head_ref.empty() ? run.ref : run.head_ref);
}

// What a run's commit says; null once the commit is gone.
json::value head_commit_json(const Call& call, const Run& run) {
  const auto git = call.git();
  if (!git) return nullptr;
  const auto commit = git->commit(run.head_sha);
  if (!commit) return nullptr;
  const json::object author{{"name", commit->author_name}, {"email", commit->author_email}};
  return json::object{{"id", commit->sha},
                      {"tree_id", commit->tree},
                      {"message", commit->message},
                      {"timestamp", to_iso8601(TimePoint{std::chrono::seconds{commit->committer_time_s}})},
                      {"author", author},
                      {"committer", author}};
}

json::object run_json(const Call& call, const Run& run) {
  const auto url = call.api_url(fmt::format("/actions/runs/{}", run.id));
  const auto workflow = workflow_number(run.path);
  const json::object repository{{"name", call.repo}, {"full_name", call.full_name()}, {"url", call.api_url()}};
  return {{"id", run.id},
          {"node_id", fmt::format("run-{}", run.id)},
          {"name", run.workflow},
          {"display_title", run.title},
          {"path", run.path},
          {"run_number", run.number},
          {"run_attempt", run.attempt},
          {"event", run.event},
          {"status", engine::run_state_name(run.state)},
          {"conclusion", word(run.conclusion)},
          {"workflow_id", workflow},
          {"head_branch", branch_of(run)},
          {"head_sha", run.head_sha},
          {"head_commit", head_commit_json(call, run)},
          {"url", url},
          {"html_url", call.page_url(fmt::format("/runs/{}", run.id))},
          {"jobs_url", url + "/jobs"},
          {"artifacts_url", url + "/artifacts"},
          {"cancel_url", url + "/cancel"},
          {"rerun_url", url + "/rerun"},
          {"workflow_url", call.api_url(fmt::format("/actions/workflows/{}", workflow))},
          {"pull_requests", json::array()},
          {"created_at", to_iso8601(run.created_at)},
          {"run_started_at", to_iso8601(run.started_at.value_or(run.created_at))},
          {"updated_at", to_iso8601(run.completed_at.value_or(run.started_at.value_or(run.created_at)))},
          {"actor", user_json(call, run.actor)},
          {"triggering_actor", user_json(call, run.actor)},
          {"repository", repository},
          {"head_repository", repository}};
}

json::object job_json(const Call& call, const Run& run, const Job& job) {
  json::array steps;
  for (const auto& step : job.steps) {
    steps.push_back(json::object{{"name", step.name},
                                 {"number", step.index + 1},
                                 {"status", step.state},
                                 {"conclusion", word(step.conclusion)},
                                 {"started_at", time_or_null(step.started_at)},
                                 {"completed_at", time_or_null(step.completed_at)}});
  }
  const auto url = call.api_url(fmt::format("/actions/jobs/{}", job.id));
  return {{"id", job.id},
          {"node_id", fmt::format("job-{}", job.id)},
          {"run_id", job.run},
          {"run_attempt", job.attempt},
          {"run_url", call.api_url(fmt::format("/actions/runs/{}", job.run))},
          {"workflow_name", run.workflow},
          {"head_sha", run.head_sha},
          {"head_branch", branch_of(run)},
          {"name", job.name},
          {"status", engine::job_state_name(job.state)},
          {"conclusion", word(job.conclusion)},
          {"created_at", to_iso8601(job.created_at)},
          {"started_at", time_or_null(job.started_at)},
          {"completed_at", time_or_null(job.completed_at)},
          {"steps", std::move(steps)},
          {"labels", json::array()},
          {"runner_id", nullptr},
          {"runner_name", nullptr},
          {"url", url},
          {"html_url", call.page_url(fmt::format("/runs/{}", job.run))}};
}

Result<Run> run_of(const Call& call, std::int64_t id) {
  auto run = WEIR_TRY(call.services().engine->run(id));
  if (run.repo != call.repo) return fail(Code::kNotFound, "{} has no run {}", call.full_name(), id);
  return run;
}

// The file that is meant by a name, a path or a number.
Result<event::WorkflowFile> workflow_of(const Call& call) {
  const auto git = WEIR_TRY(call.git());
  const auto commit = WEIR_TRY(commit_of(git, git.head_ref().value_or("HEAD")));
  const auto& name = call.param("workflow");
  if (!name.empty() && name.find_first_not_of("0123456789") == std::string::npos) {
    for (auto& file : WEIR_TRY(event::read_workflow_files(git, commit))) {
      if (std::to_string(workflow_number(file.path)) == name) return std::move(file);
    }
  }
  return event::find_workflow_file(git, commit, name);
}

json::object workflow_json(const Call& call, const event::WorkflowFile& file) {
  const auto number = workflow_number(file.path);
  const auto url = call.api_url(fmt::format("/actions/workflows/{}", number));
  const bool named = file.workflow && !file.workflow->name.empty();
  return {{"id", number},
          {"node_id", fmt::format("workflow-{}", number)},
          {"name", named ? file.workflow->name : file.path},
          {"path", file.path},
          {"state", "active"},
          {"url", url},
          {"html_url", call.page_url("/runs")}};
}

Result<io::HttpResponse> list_workflows(Call& call) {
  const auto git = WEIR_TRY(call.git());
  const auto commit = WEIR_TRY(commit_of(git, git.head_ref().value_or("HEAD")));
  const auto files = WEIR_TRY(event::read_workflow_files(git, commit));
  return paged(call, files, [&](const event::WorkflowFile& file) { return workflow_json(call, file); }, "workflows");
}

Result<io::HttpResponse> get_workflow(Call& call) {
  return io::json_response(200, workflow_json(call, WEIR_TRY(workflow_of(call))));
}

Result<io::HttpResponse> find_runs(Call& call, std::optional<std::string> workflow) {
  engine::RunFilter filter{.repo = call.repo, .workflow = std::move(workflow), .limit = kChunk};
  const auto status = call.query("status");
  if (const auto state = engine::parse_run_state(status); !status.empty() && state) filter.state = *state;
  const bool of_conclusion = !status.empty() && !filter.state;
  if (const auto sha = call.query("head_sha"); !sha.empty()) filter.commit = sha;
  for (const std::string_view name : {"created", "check_suite_id"}) {
    if (!call.query(name).empty()) return fail(Code::kInvalidArgument, "weir cannot filter runs by {}", name);
  }
  const auto branch = call.query("branch");
  const auto event = call.query("event");
  const auto actor = call.query("actor");
  std::vector<Run> found;
  while (found.size() < kRunsMax) {
    auto more = WEIR_TRY(call.services().engine->runs(filter));
    const bool last = more.size() < kChunk;
    if (!more.empty()) filter.before = more.back().id;
    std::erase_if(more, [&](const Run& run) {
      return (of_conclusion && (!run.conclusion || types::conclusion_name(*run.conclusion) != status)) ||
             (!branch.empty() && branch_of(run) != branch) || (!event.empty() && run.event != event) ||
             (!actor.empty() && run.actor != actor);
    });
    std::ranges::move(more, std::back_inserter(found));
    if (last) break;
  }
  if (found.size() > kRunsMax) found.resize(kRunsMax);
  return paged(call, found, [&](const Run& run) { return run_json(call, run); }, "workflow_runs");
}

Result<io::HttpResponse> list_runs(Call& call) {
  return find_runs(call, std::nullopt);
}

Result<io::HttpResponse> list_runs_of_workflow(Call& call) {
  return find_runs(call, WEIR_TRY(workflow_of(call)).path);
}

Result<io::HttpResponse> get_run(Call& call) {
  return io::json_response(200, run_json(call, WEIR_TRY(run_of(call, WEIR_TRY(call.number("run"))))));
}

Result<io::HttpResponse> list_jobs(Call& call) {
  const auto run = WEIR_TRY(run_of(call, WEIR_TRY(call.number("run"))));
  const auto attempt = call.request.params.contains("attempt") ? WEIR_TRY(call.number("attempt")) : 0;
  auto jobs = WEIR_TRY(call.services().engine->jobs(run.id, attempt));
  std::erase_if(jobs, [](const Job& job) { return !job.calls.empty(); });  // the jobs of the called workflow follow
  return paged(call, jobs, [&](const Job& job) { return job_json(call, run, job); }, "jobs");
}

Result<io::HttpResponse> get_job(Call& call) {
  const auto job = WEIR_TRY(call.services().engine->job(WEIR_TRY(call.number("job"))));
  return io::json_response(200, job_json(call, WEIR_TRY(run_of(call, job.run)), job));
}

// As GitHub's log of a job: a time before each line.
Result<io::HttpResponse> get_log(Call& call) {
  const auto job = WEIR_TRY(call.services().engine->job(WEIR_TRY(call.number("job"))));
  WEIR_TRY(run_of(call, job.run));
  const auto folder = WEIR_TRY(call.services().engine->job_dir(job.id));
  std::ifstream file(folder / "log.txt", std::ios::binary);
  std::string text;
  std::string piece(1U << 20, '\0');
  while (file.read(piece.data(), static_cast<std::streamsize>(piece.size())) || file.gcount() > 0) {
    text.append(piece, 0, static_cast<std::size_t>(file.gcount()));
    if (text.size() > kLogBytesMax) {
      return fail(Code::kResourceExhausted, "the log of job {} has more than {} bytes; read it at /api/v1/jobs/{}/log",
                  job.id, kLogBytesMax, job.id);
    }
  }
  std::size_t consumed = 0;
  std::string lines;
  for (const auto& line : types::read_log(text, consumed)) {
    lines += fmt::format("{} {}\n", to_iso8601(line.time), line.text);
  }
  return io::text_response(200, std::move(lines));
}

// GitHub says 409 where the state of a run forbids something.
Result<io::HttpResponse> answer_of(const Result<void>& done, int status) {
  if (done) return io::json_response(status, json::object{});
  if (done.error().code == Code::kFailedPrecondition) return error_answer(409, done.error().message);
  return std::unexpected(done.error());
}

Result<io::HttpResponse> cancel(Call& call, bool force) {
  const auto run = WEIR_TRY(run_of(call, WEIR_TRY(call.number("run"))));
  return answer_of(call.services().engine->cancel(run.id, call.identity().name, "", force), 202);
}

Result<io::HttpResponse> cancel_run(Call& call) {
  return cancel(call, false);
}

Result<io::HttpResponse> force_cancel(Call& call) {
  return cancel(call, true);
}

Result<io::HttpResponse> rerun(Call& call) {
  const auto run = WEIR_TRY(run_of(call, WEIR_TRY(call.number("run"))));
  return answer_of(call.services().engine->rerun(run.id, false, call.identity().name), 201);
}

Result<io::HttpResponse> rerun_failed(Call& call) {
  const auto run = WEIR_TRY(run_of(call, WEIR_TRY(call.number("run"))));
  return answer_of(call.services().engine->rerun(run.id, true, call.identity().name), 201);
}

Result<json::object> object_in(const Call& call, std::string_view member) {
  const auto* value = json_find(call.body, member);
  if (value == nullptr || value->is_null()) return json::object{};
  if (!value->is_object()) return fail(Code::kInvalidArgument, "{} must be an object", member);
  return value->get_object();
}

Result<io::HttpResponse> dispatch_workflow(Call& call) {
  const auto file = WEIR_TRY(workflow_of(call));
  const auto ref = WEIR_TRY(json_require_string(call.body, "ref"));
  const auto inputs = WEIR_TRY(object_in(call, "inputs"));
  auto run = call.services().triggers->dispatch(call.repo, file.path, ref, inputs, call.identity());
  if (!run && run.error().code == Code::kNotFound) run.error().code = Code::kInvalidArgument;  // the ref
  const auto id = WEIR_TRY(std::move(run));
  if (!json_bool_or(call.body, "return_run_details", false)) return io::text_response(204, "");
  return io::json_response(200, json::object{{"workflow_run_id", id},
                                             {"run_url", call.api_url(fmt::format("/actions/runs/{}", id))},
                                             {"html_url", call.page_url(fmt::format("/runs/{}", id))}});
}

Result<io::HttpResponse> dispatch_repository(Call& call) {
  const auto type = WEIR_TRY(json_require_string(call.body, "event_type"));
  if (type.empty() || type.size() > 100)
    return fail(Code::kInvalidArgument, "event_type must have 1 to 100 characters");
  WEIR_TRY(call.services().triggers->repository_dispatch(call.repo, type, WEIR_TRY(object_in(call, "client_payload")),
                                                         call.identity()));
  return io::text_response(204, "");
}

}  // namespace

void add_action_routes(Routes& routes) {
  routes.repo("POST", "/dispatches", {"contents", Level::kWrite, Permission::kDispatchRun}, dispatch_repository);
  routes.repo("GET", "/actions/workflows", kReads, list_workflows);
  routes.repo("GET", "/actions/workflows/{workflow}", kReads, get_workflow);
  routes.repo("GET", "/actions/workflows/{workflow}/runs", kReads, list_runs_of_workflow);
  routes.repo("POST", "/actions/workflows/{workflow}/dispatches", kStarts, dispatch_workflow);
  routes.repo("GET", "/actions/runs", kReads, list_runs);
  routes.repo("GET", "/actions/runs/{run}", kReads, get_run);
  routes.repo("GET", "/actions/runs/{run}/jobs", kReads, list_jobs);
  routes.repo("GET", "/actions/runs/{run}/attempts/{attempt}/jobs", kReads, list_jobs);
  routes.repo("POST", "/actions/runs/{run}/cancel", kCancels, cancel_run);
  routes.repo("POST", "/actions/runs/{run}/force-cancel", kCancels, force_cancel);
  routes.repo("POST", "/actions/runs/{run}/rerun", kStarts, rerun);
  routes.repo("POST", "/actions/runs/{run}/rerun-failed-jobs", kStarts, rerun_failed);
  routes.repo("GET", "/actions/jobs/{job}", kReads, get_job);
  routes.repo("GET", "/actions/jobs/{job}/logs", kReads, get_log);
}

}  // namespace weir::api::github
