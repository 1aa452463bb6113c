#include "engine/scheduler.h"

// Jobs end: by their runner, by a decision, or without ever having run.
namespace weir::engine {

using types::Conclusion;

namespace {

// Steps that were going on when the runner died did not end well.
JobResult result_of(JobReport&& report, Conclusion conclusion) {
  for (auto& step : report.steps) {
    if (step.state == "completed") continue;
    const bool stopped = conclusion == Conclusion::kCancelled || conclusion == Conclusion::kTimedOut;
    step.conclusion = stopped ? Conclusion::kCancelled : Conclusion::kFailure;
    step.state = "completed";
  }
  return {.steps = std::move(report.steps),
          .annotations = std::move(report.annotations),
          .summary = std::move(report.summary)};
}

}  // namespace

void Scheduler::job_ended(std::int64_t job, JobEnd end) {
  const auto found = running_.find(job);
  if (found == running_.end()) return;
  const auto ref = std::move(found->second);
  running_.erase(found);
  conclude(ref.run, ref.job, std::move(end));
  touch(ref.run);
  settle();
}

void Scheduler::conclude(const RunPtr& run, const JobPtr& job, JobEnd end) {
  auto& row = job->row;
  job->ended = true;
  if (job->deadline != 0) deps_.loop->cancel(std::exchange(job->deadline, 0));
  if ((end.report.preempted || (job->preempting && !end.report.finished)) && !row.cancel_requested) {
    return requeue(run, job);
  }
  auto conclusion = end.report.conclusion;
  std::string error;
  if (!end.report.finished) {
    conclusion = row.cancel_requested ? Conclusion::kCancelled
                 : job->overdue       ? Conclusion::kTimedOut
                                      : Conclusion::kFailure;
    error = row.error.empty() ? end.error : fmt::format("{}; {}", row.error, end.error);
  }
  row.outputs = std::move(end.report.outputs);
  row.environment_url = std::move(end.report.environment_url);
  // Nothing that came out of a sandbox is a ground for other runs.
  if (!run->row.options.foreign) row.layer = end.report.layer;
  keep_result(run, job, std::move(end.report), conclusion);
  if (!row.layer.empty() && conclusion == Conclusion::kSuccess) {
    std::vector<std::string> chain{row.layer};
    for (const auto& layer : row.layers) {
      if (layer != row.layer) chain.push_back(layer);
    }
    outbox_.step([repo = run->row.repo, hash = run->row.requirements_hash, chain](store::Transaction& tx) {
      return record_layers(tx, repo, hash, chain);
    });
  }
  complete(run, job, conclusion, error);
}

// What went into a job that succeeded is kept with its result: it may stand for a later one's.
void Scheduler::keep_result(const RunPtr& run, const JobPtr& job, JobReport&& report, Conclusion conclusion) {
  std::optional<JobInputs> inputs;
  if (conclusion == Conclusion::kSuccess && !run->row.options.foreign) {
    auto facts = facts_of(run, *job->key, job->row.environment);
    if (auto known = job_inputs(run, *job, facts)) {
      inputs = *std::move(known);
      inputs->reads = reads_from_json(report.reads);
    }
  }
  outbox_.step([run_id = run->row.id, id = job->row.id, inputs, needs = need_results(*job->key),
                result = result_of(std::move(report), conclusion)](store::Transaction& tx) -> Result<void> {
    if (!inputs) return insert_result(tx, id, result, "");
    auto all = *inputs;
    WEIR_TRY(add_needs(tx, run_id, needs, all));
    return insert_result(tx, id, result, json::serialize(to_json(all)));
  });
}

void Scheduler::complete(const RunPtr& run, const JobPtr& job, Conclusion conclusion, const std::string& error) {
  auto& row = job->row;
  if (row.state == JobState::kCompleted) return;
  const bool was_started = row.state == JobState::kInProgress;
  row.state = JobState::kCompleted;
  row.conclusion = conclusion;
  row.completed_at = deps_.clock->now();
  row.waiting_for.clear();
  if (!error.empty()) row.error = error;
  job->launch.reset();
  give_back_place(run, *job);
  if (was_started && !job->is_call() && deps_.revoke_job_token) {
    outbox_.step([core = core_, id = job->id](store::Transaction& tx) { return core->deps.revoke_job_token(tx, *id); });
  }
  if (row.approval != 0 && approvals_.erase(row.approval) > 0 && deps_.withdraw_approval) {
    outbox_.step([core = core_, approval = row.approval, cause = job->last_event](store::Transaction& tx) {
      return core->deps.withdraw_approval(tx, approval, "the job was cancelled", *cause);
    });
  }
  job_event(run, job, types::event_type::kJobCompleted, job->last_event);
  run->last_event = job->last_event;
  mark(run, *job);
  if (row.group_held) row.group_held = false;
  leave_group(job->member);
  if (conclusion == Conclusion::kFailure && !row.allowed_to_fail) stop_siblings(run, job);
}

// fail-fast: the other combinations of a matrix end with the first that failed.
void Scheduler::stop_siblings(const RunPtr& run, const JobPtr& job) {
  if (!job->row.fail_fast || job->key->legs.size() < 2) return;
  // One that no runner takes would still wait on GitHub, while the others go on: Linux beside Windows and macOS.
  if (job->pool == nullptr && !job->demand.labels.empty()) return;
  for (const auto& sibling : std::vector(job->key->legs)) {
    if (sibling != job) cancel_job(run, sibling);
  }
}

}  // namespace weir::engine
