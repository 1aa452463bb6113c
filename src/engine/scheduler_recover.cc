#include "engine/scheduler.h"

// After a restart: what the database says goes on, and runners that were started are taken over.
namespace weir::engine {

using types::Conclusion;

void Scheduler::recover(std::vector<StoredRun> stored) {
  std::vector<RunPtr> runs;
  for (auto& one : stored) {
    if (!runs_.contains(one.row.id)) runs.push_back(build(std::move(one)));
  }
  // Holders first, so that nobody takes a group or a slot that is taken.
  for (const auto& run : runs) {
    runs_[run->row.id] = run;
    if (run->broken) continue;
    if (run->row.group_held) {
      groups_.restore_holder(fmt::format("{}/{}", run->row.repo, run->row.group_name), run->member);
      members_[run->member] = {run, nullptr};
    }
    run->group_passed = run->row.group_held || run->row.started_at.has_value();
    for (const auto& key : run->keys) {
      for (const auto& job : key->legs) {
        if (job->row.state == JobState::kCompleted || !job->row.group_held) continue;
        groups_.restore_holder(fmt::format("{}/{}", run->row.repo, job->row.group_name), job->member);
        members_[job->member] = {run, job};
      }
    }
  }
  std::vector<Ref> queued;
  for (const auto& run : runs) {
    if (run->broken) {
      break_run(run, run->row.problem);
      continue;
    }
    for (const auto& key : run->keys) {
      for (const auto& job : key->legs) {
        restore_job(run, job);
        if (job->row.state == JobState::kQueued) queued.push_back({run, job});
      }
    }
  }
  std::ranges::sort(queued, {}, [](const Ref& ref) { return std::pair(ref.job->row.queued_at, ref.job->row.id); });
  for (const auto& ref : queued) queue_.push(ref);
  for (const auto& run : runs) {
    if (run->broken) continue;
    if (!run->group_passed && !run->row.cancel_requested) enter_run_group(run);
    if (run->row.cancel_requested) cancel_jobs(run);
    touch(run);
  }
  settle();
}

void Scheduler::restore_job(const RunPtr& run, const JobPtr& job) {
  auto& row = job->row;
  if (job->is_call() && row.state == JobState::kInProgress) return;  // its jobs are what goes on
  if (row.state == JobState::kQueued || row.state == JobState::kInProgress) {
    job->approved = true;
    const auto found = find_place(run, *job);
    if (!found && row.state == JobState::kQueued) {
      return complete(run, job, Conclusion::kFailure, found.error().message);
    }
    // It runs where the configuration of its time put it.
    if (!found) job->pool = std::make_shared<const RunnerPool>(RunnerPool{.name = "gone"});
  }
  if (row.state == JobState::kInProgress) return adopt(run, job);
  if (row.state != JobState::kWaiting || row.environment.empty() || !deps_.request_approval) return;
  if (row.approval == 0) return;  // it was never asked for: step_job does
  job->approval_asked = true;
  auto answer = deps_.approval(row.approval);
  if (!answer) {
    return complete(run, job, Conclusion::kFailure,
                    fmt::format("environment \"{}\": {}", row.environment, answer.error().message));
  }
  apply_approval(run, job, *answer);
}

void Scheduler::adopt(const RunPtr& run, const JobPtr& job) {
  auto& row = job->row;
  job->held = Slots::Held{.resources = job->demand.resources, .gpus = row.gpus};
  slots_.force(job->pool->name, run->row.repo, *job->held);
  auto adoption = deps_.executor->adopt(row.id, deps_.jobs_dir / std::to_string(row.id));
  if (!adoption) {
    return complete(run, job, Conclusion::kFailure,
                    fmt::format("cannot take the job over from the earlier server: {}", adoption.error().message));
  }
  if (*adoption == Adoption::kNeverStarted) {
    if (run->broken || row.cancel_requested) return complete(run, job, Conclusion::kCancelled);
    return issue_and_launch(run, job);
  }
  job->launched = true;
  running_[row.id] = {run, job};
  if (row.cancel_requested) {
    deps_.executor->cancel(row.id);
    kill_after(job, std::chrono::seconds{row.cancel_limit_s});
  } else {
    guard_deadline(run, job);
  }
}

}  // namespace weir::engine
