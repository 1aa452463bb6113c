#include "engine/views.h"

#include "engine/engine.h"

namespace weir::engine {
namespace {

json::value time_or_null(const std::optional<TimePoint>& time) {
  return time ? json::value(to_iso8601(*time)) : json::value(nullptr);
}

json::value conclusion_or_null(const std::optional<types::Conclusion>& conclusion) {
  return conclusion ? json::value(types::conclusion_name(*conclusion)) : json::value(nullptr);
}

}  // namespace

std::string_view run_state_name(RunState state) {
  switch (state) {
    case RunState::kQueued: return "queued";
    case RunState::kWaiting: return "waiting";
    case RunState::kInProgress: return "in_progress";
    case RunState::kCompleted: return "completed";
  }
  return "unknown";
}

std::string_view job_state_name(JobState state) {
  switch (state) {
    case JobState::kPending: return "pending";
    case JobState::kWaiting: return "waiting";
    case JobState::kQueued: return "queued";
    case JobState::kInProgress: return "in_progress";
    case JobState::kCompleted: return "completed";
  }
  return "unknown";
}

Result<RunState> parse_run_state(std::string_view name) {
  for (const auto state : {RunState::kQueued, RunState::kWaiting, RunState::kInProgress, RunState::kCompleted}) {
    if (run_state_name(state) == name) return state;
  }
  return fail(Code::kInvalidArgument, "\"{}\" is not a state of a run; use queued, waiting, in_progress or completed",
              name.substr(0, 64));
}

json::object to_json(const Run& run) {
  return {{"id", run.id},
          {"number", run.number},
          {"attempt", run.attempt},
          {"workflow", run.workflow},
          {"path", run.path},
          {"repo", run.repo},
          {"event", run.event},
          {"ref", run.ref},
          {"commit", run.commit},
          {"head_sha", run.head_sha},
          {"title", run.title},
          {"actor", run.actor},
          {"state", run_state_name(run.state)},
          {"conclusion", conclusion_or_null(run.conclusion)},
          {"created_at", to_iso8601(run.created_at)},
          {"started_at", time_or_null(run.started_at)},
          {"completed_at", time_or_null(run.completed_at)},
          {"reason", run.reason},
          {"problem", run.problem}};
}

json::object to_json(const Job& job) {
  json::array needs;
  for (const auto& key : job.needs) needs.emplace_back(key);
  json::array steps;
  for (const auto& step : job.steps) steps.emplace_back(to_json(step));
  return {{"id", job.id},
          {"run", job.run},
          {"attempt", job.attempt},
          {"parent", job.parent == 0 ? json::value(nullptr) : json::value(job.parent)},
          {"calls", job.calls.empty() ? json::value(nullptr) : json::value(job.calls)},
          {"key", job.key},
          {"name", job.name},
          {"needs", std::move(needs)},
          {"state", job_state_name(job.state)},
          {"conclusion", conclusion_or_null(job.conclusion)},
          {"created_at", to_iso8601(job.created_at)},
          {"started_at", time_or_null(job.started_at)},
          {"completed_at", time_or_null(job.completed_at)},
          {"environment", job.environment.empty() ? json::value(nullptr) : json::value(job.environment)},
          {"environment_url", job.environment_url.empty() ? json::value(nullptr) : json::value(job.environment_url)},
          {"deployment", !job.environment.empty() && job.deployment},
          {"approval", job.approval == 0 ? json::value(nullptr) : json::value(job.approval)},
          {"origin", job.origin == 0 ? json::value(nullptr) : json::value(job.origin)},
          {"reason", job.reason},
          {"waiting_for", job.waiting_for},
          {"error", job.error},
          {"matrix", job.matrix},
          {"outputs", job.outputs},
          {"steps", std::move(steps)},
          {"summary", job.summary},
          {"annotations", job.annotations}};
}

json::object to_json(const Step& step) {
  return {{"index", step.index},
          {"name", step.name},
          {"state", step.state},
          {"conclusion", conclusion_or_null(step.conclusion)},
          {"started_at", time_or_null(step.started_at)},
          {"completed_at", time_or_null(step.completed_at)}};
}

json::object to_json(const LiveUpdate& update) {
  json::object object{{"run", update.run}};
  switch (update.kind) {
    case LiveUpdate::Kind::kRun: object["kind"] = "run"; break;
    case LiveUpdate::Kind::kJob: object["kind"] = "job"; break;
    case LiveUpdate::Kind::kProgress: object["kind"] = "progress"; break;
  }
  if (update.job != 0) object["job"] = update.job;
  if (update.kind == LiveUpdate::Kind::kProgress) {
    json::array steps;
    for (const auto& step : update.steps) steps.emplace_back(to_json(step));
    object["steps"] = std::move(steps);
    object["log_size_bytes"] = update.log_size_bytes;
  } else {
    object["state"] = update.state;
    object["conclusion"] = conclusion_or_null(update.conclusion);
  }
  return object;
}

}  // namespace weir::engine
