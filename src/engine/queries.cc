#include "engine/queries.h"

#include <algorithm>

#include "io/file.h"

namespace weir::engine {
namespace {

// How a step without a name is shown, as GitHub does.
std::string step_title(const json::value& step) {
  if (auto name = json_string(step, "name")) return *std::move(name);
  if (const auto uses = json_string(step, "uses")) return fmt::format("Run {}", *uses);
  const auto run = json_string_or(step, "run", "");
  return fmt::format("Run {}", run.substr(0, run.find('\n')));
}

// Steps that a running job has not reached yet, from what its runner was given.
void add_coming_steps(const std::filesystem::path& job_dir, std::vector<Step>& steps) {
  const auto text = io::read_file(job_dir / "spec.json");
  if (!text) return;
  const auto spec = parse_json(*text, "spec.json");
  if (!spec) return;
  const auto* planned = json_find(*spec, "steps");
  if (planned == nullptr || !planned->is_array()) return;
  int index = 0;
  for (const auto& step : planned->get_array()) {
    const bool known = std::ranges::any_of(steps, [&](const Step& one) { return one.index == index; });
    if (!known) steps.push_back({.index = index, .name = step_title(step)});
    ++index;
  }
  std::ranges::sort(steps, {}, &Step::index);
}

Result<Job> view_of(store::Reader& reader, const std::filesystem::path& jobs_dir, JobRow row, JobParts parts) {
  Job job;
  job.id = row.id;
  job.run = row.run;
  job.attempt = row.attempt;
  job.parent = row.parent;
  job.calls = std::move(row.calls);
  job.key = std::move(row.key);
  job.name = std::move(row.name);
  job.needs = std::move(row.needs);
  job.state = row.state;
  job.conclusion = row.conclusion;
  job.created_at = row.created_at;
  job.started_at = row.started_at;
  job.completed_at = row.completed_at;
  job.environment = std::move(row.environment);
  job.deployment = row.deployment;
  job.origin = row.origin;
  job.reason = std::move(row.reason);
  job.approval = row.approval;
  job.waiting_for = std::move(row.waiting_for);
  job.error = std::move(row.error);
  job.matrix = std::move(row.matrix);
  job.outputs = std::move(row.outputs);
  job.environment_url = std::move(row.environment_url);
  const bool ran = row.state == JobState::kCompleted && row.started_at && job.calls.empty();
  const auto source = row.origin != 0 ? row.origin : row.id;
  if (parts == JobParts::kOutline) {
    if (ran) job.summary = WEIR_TRY(load_summary(reader, source));
  } else if (row.state == JobState::kInProgress && job.calls.empty()) {
    const auto dir = jobs_dir / std::to_string(row.id);
    auto report = read_report_file(dir);
    job.steps = std::move(report.steps);
    job.summary = std::move(report.summary);
    job.annotations = std::move(report.annotations);
    add_coming_steps(dir, job.steps);
  } else if (ran) {
    auto result = WEIR_TRY(load_result(reader, source));
    job.steps = std::move(result.steps);
    job.summary = std::move(result.summary);
    job.annotations = std::move(result.annotations);
  }
  return job;
}

}  // namespace

Result<std::vector<Run>> find_runs(store::Reader& reader, const RunFilter& filter) {
  auto path = filter.workflow;
  if (path && path->find('/') == std::string::npos) path = ".github/workflows/" + *path;
  return list_runs(reader, filter.repo, path, filter.state, filter.commit, filter.before,
                   std::clamp(filter.limit, 1, 500));
}

Result<std::vector<Job>> find_jobs(store::Reader& reader, const std::filesystem::path& jobs_dir, std::int64_t run,
                                   std::int64_t attempt, JobParts parts) {
  const auto newest = WEIR_TRY(load_run(reader, run)).attempt;
  if (attempt < 0 || attempt > newest) {
    return fail(Code::kNotFound, "run {} has no attempt {}; its newest is {}", run, attempt, newest);
  }
  std::vector<Job> jobs;
  for (auto& row : WEIR_TRY(load_jobs(reader, run, attempt == 0 ? newest : attempt))) {
    jobs.push_back(WEIR_TRY(view_of(reader, jobs_dir, std::move(row), parts)));
  }
  return jobs;
}

Result<Job> find_job(store::Reader& reader, const std::filesystem::path& jobs_dir, std::int64_t id) {
  return view_of(reader, jobs_dir, WEIR_TRY(load_job(reader, id)), JobParts::kAll);
}

}  // namespace weir::engine
