#include "engine/contexts.h"
#include "engine/scheduler.h"

// Concurrency groups, and cancellation, which a newer member of a group may cause.
namespace weir::engine {

using types::Conclusion;

namespace {

std::string queue_full(std::string_view group) {
  return fmt::format("{} wait in the concurrency group \"{}\" already, which is as many as may",
                     ConcurrencyGroups::kWaitingMax, group);
}

}  // namespace

void Scheduler::enter_run_group(const RunPtr& run) {
  auto& row = run->row;
  std::optional<GroupRule> rule;
  Facts facts;
  facts.github = github_context(row, deps_.server_url(), deps_.default_owner);
  facts.inputs = row.inputs;
  if (deps_.vars) facts.vars = deps_.vars(row.repo, "");
  auto evaluated = run->frames.front()->plan->group(facts);
  if (!evaluated) return break_run(run, evaluated.error().message);
  rule = *std::move(evaluated);
  if (!rule || rule->name.empty()) {
    run->group_passed = true;
    return;
  }
  row.group_name = rule->name;
  const auto entered = groups_.enter(fmt::format("{}/{}", row.repo, row.group_name), run->member,
                                     {.cancel_in_progress = rule->cancel_in_progress, .queue = rule->queue});
  members_[run->member] = {run, nullptr};
  run->group_passed = entered.holds;
  row.group_held = entered.holds;
  mark(run);
  if (entered.refused) return cancel_member(run->member, queue_full(row.group_name));
  const auto why = fmt::format("run {} came in the same concurrency group \"{}\"", row.id, row.group_name);
  for (const auto replaced : entered.replaced) cancel_member(replaced, why);
  if (entered.to_cancel) cancel_member(*entered.to_cancel, why);
}

bool Scheduler::enter_job_group(const RunPtr& run, const JobPtr& job) {
  auto& row = job->row;
  if (row.group_name.empty() || row.group_held) return true;
  if (members_.contains(job->member)) return false;
  const auto entered = groups_.enter(fmt::format("{}/{}", run->row.repo, row.group_name), job->member,
                                     {.cancel_in_progress = row.group_cancels, .queue = row.group_queues});
  members_[job->member] = {run, job};
  row.group_held = entered.holds;
  row.state = JobState::kWaiting;
  row.waiting_for = fmt::format("concurrency group \"{}\"", row.group_name);
  mark(run, *job);
  const auto why =
      fmt::format("job \"{}\" of run {} came in the same concurrency group \"{}\"", row.name, row.run, row.group_name);
  for (const auto replaced : entered.replaced) cancel_member(replaced, why);
  if (entered.to_cancel) cancel_member(*entered.to_cancel, why);
  if (entered.refused) cancel_member(job->member, queue_full(row.group_name));
  return entered.holds;
}

void Scheduler::leave_group(ConcurrencyGroups::Member member) {
  if (members_.erase(member) == 0) return;
  const auto next = groups_.leave(member);
  if (!next) return;
  const auto found = members_.find(*next);
  if (found == members_.end()) return;
  const auto& [run, job] = found->second;
  if (job) {
    job->row.group_held = true;
    mark(run, *job);
  } else {
    run->group_passed = true;
    run->row.group_held = true;
    mark(run);
  }
  touch(run);
}

void Scheduler::cancel_member(ConcurrencyGroups::Member member, const std::string& reason) {
  const auto found = members_.find(member);
  if (found == members_.end()) return;
  const auto ref = found->second;
  if (!ref.job) {
    outbox_.step([id = ref.run->row.id, reason](store::Transaction& tx) { return mark_cancelled(tx, id, reason); });
    ref.run->row.cancel_reason = reason;
    return cancel_jobs(ref.run);
  }
  ref.job->row.error = reason;
  cancel_job(ref.run, ref.job);
  touch(ref.run);
}

void Scheduler::cancel_run(std::int64_t id, const std::string& reason, bool force) {
  const auto found = runs_.find(id);
  if (found == runs_.end()) return;
  const auto run = found->second;
  run->row.cancel_reason = reason;
  cancel_jobs(run);
  for (const auto& key : run->keys) {
    for (const auto& job : key->legs) {
      if (force && job->launched && job->row.state == JobState::kInProgress) deps_.executor->kill(job->row.id);
    }
  }
  settle();
}

bool Scheduler::runs_when_cancelled(const RunPtr& run, const KeyNode& key) {
  // A run that waits for its group has no right to run anything.
  if (!run->group_passed || run->broken) return false;
  auto facts = facts_of(run, key);
  facts.cancelled = true;
  return key.frame->plan->should_run(key.index, facts).value_or(false);
}

void Scheduler::cancel_jobs(const RunPtr& run) {
  run->row.cancel_requested = true;
  for (auto* key : std::vector(run->frames.front()->keys)) cancel_key(run, *key);
  if (!run->group_passed) leave_group(run->member);
  touch(run);
}

void Scheduler::cancel_key(const RunPtr& run, KeyNode& key) {
  // What is not planned yet asks its own `if` when its needs have ended, unless it never gets that far.
  if (!key.planned && run->group_passed) return;
  if (runs_when_cancelled(run, key)) return;
  key.planned = true;
  for (const auto& job : std::vector(key.legs)) cancel_job(run, job);
}

void Scheduler::cancel_job(const RunPtr& run, const JobPtr& job) {
  auto& row = job->row;
  if (row.state == JobState::kCompleted || job->ended) return;
  if (row.state != JobState::kInProgress) return complete(run, job, Conclusion::kCancelled);
  if (!row.cancel_requested) {
    row.cancel_requested = true;
    mark(run, *job);
  }
  if (job->callee != nullptr) {
    for (auto* key : std::vector(job->callee->keys)) cancel_key(run, *key);
    return touch(run);
  }
  // A job whose start is being committed sees the request when it would be launched.
  if (!job->launched) return;
  deps_.executor->cancel(row.id);
  kill_after(job, std::chrono::seconds{row.cancel_limit_s});
}

}  // namespace weir::engine
