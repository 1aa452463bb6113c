#include "engine/cache_access.h"
#include "engine/contexts.h"
#include "engine/scheduler.h"

// What a job is, once what it needs has ended: its `if`, its matrix, its details, its environment's approval.
namespace weir::engine {

using types::Conclusion;

Facts Scheduler::facts_of(const RunPtr& run, const KeyNode& key, const std::string& environment) const {
  const auto& row = run->row;
  Facts facts;
  facts.github = github_context(row, deps_.server_url(), deps_.default_owner);
  facts.github["job"] = local_key(key.legs.front()->row.key);
  const auto* call = key.frame->call;
  facts.inputs = call != nullptr ? call->row.call_inputs : row.inputs;
  if (deps_.vars) facts.vars = deps_.vars(row.repo, environment);
  for (const auto& variable : row.options.vars) facts.vars[variable.key()] = variable.value();
  const bool known = std::ranges::all_of(key.needs, [](const auto* need) { return need->completed(); });
  if (known) {
    facts.needs = results_of(key.needs);
    const auto ancestry = ancestry_of(key);
    facts.failed = ancestry.failed;
    facts.succeeded = ancestry.succeeded;
  }
  facts.cancelled = cancel_requested(*run, *key.frame);
  return facts;
}

void Scheduler::set_leg(Facts& facts, const JobRow& row) const {
  facts.matrix = row.matrix;
  facts.strategy = {{"fail-fast", row.fail_fast},
                    {"job-index", row.leg},
                    {"job-total", row.legs},
                    {"max-parallel", row.max_parallel > 0 ? row.max_parallel : row.legs}};
}

// The event that made a job's time come: the newest end of what it needs, or the start of the run.
EventRef Scheduler::cause_of(const RunPtr& run, const KeyNode& key) const {
  const JobNode* last = nullptr;
  for (const auto* need : key.needs) {
    for (const auto& leg : need->legs) {
      if (last == nullptr || last->row.completed_at <= leg->row.completed_at) last = leg.get();
    }
  }
  if (last != nullptr) return last->last_event;
  return key.frame->call != nullptr ? key.frame->call->last_event : run->last_event;
}

void Scheduler::plan_key(const RunPtr& run, KeyNode& key) {
  key.planned = true;
  const auto first = key.legs.front();
  first->last_event = cause_of(run, key);
  auto facts = facts_of(run, key);
  const auto should_run = key.frame->plan->should_run(key.index, facts);
  if (!should_run) return complete(run, first, Conclusion::kFailure, should_run.error().message);
  if (!*should_run) {
    return complete(run, first, facts.cancelled ? Conclusion::kCancelled : Conclusion::kSkipped);
  }
  if (const auto expanded = expand_key(run, key, facts); !expanded) {
    return complete(run, first, Conclusion::kFailure, expanded.error().message);
  }
}

Result<void> Scheduler::expand_key(const RunPtr& run, KeyNode& key, Facts& facts) {
  auto expansion = WEIR_TRY(key.frame->plan->expand(key.index, facts, run->row.options.matrix));
  const auto legs = static_cast<int>(expansion.legs.size());
  for (int leg = 0; leg < legs; ++leg) {
    if (leg > 0) {
      // A row of its own; the first combination took the row that stood for all.
      auto job = std::make_shared<JobNode>();
      job->row = key.legs.front()->row;
      job->row.id = 0;
      job->row.position += leg;
      job->row.created_at = deps_.clock->now();
      job->key = &key;
      job->member = ++last_member_;
      job->last_event = key.legs.front()->last_event;
      key.legs.push_back(job);
      count(*run, *job);
    }
    auto& row = key.legs[static_cast<std::size_t>(leg)]->row;
    row.planned = true;
    row.leg = leg;
    row.legs = legs;
    row.fail_fast = expansion.fail_fast;
    row.max_parallel = expansion.max_parallel;
    row.matrix = std::move(expansion.legs[static_cast<std::size_t>(leg)].matrix);
  }
  for (const auto& job : std::vector(key.legs)) {
    if (job->row.leg > 0) {
      insert(job);
    }
    describe(run, key, job, facts, expansion.legs[static_cast<std::size_t>(job->row.leg)].suffix);
  }
  return {};
}

// Its number, and perhaps that of the call that it belongs to, are known when the transaction runs.
void Scheduler::insert(const JobPtr& job) {
  const auto* call = job->key->frame->call;
  const auto parent = call != nullptr ? call->id : std::make_shared<std::int64_t>(0);
  outbox_.step([row = job->row, id = job->id, parent](store::Transaction& tx) -> Result<void> {
    auto copy = row;
    copy.parent = *parent;
    copy.id = *id = WEIR_TRY(tx.next_id("job"));
    return insert_job(tx, copy);
  });
  outbox_.after([job, parent] {
    job->row.id = *job->id;
    job->row.parent = *parent;
  });
}

void Scheduler::describe(const RunPtr& run, KeyNode& key, const JobPtr& job, Facts& facts, const std::string& suffix) {
  auto& row = job->row;
  set_leg(facts, row);
  mark(run, *job);
  if (job->is_call()) return describe_call(run, key, job, facts, suffix);
  auto details = key.frame->plan->details(key.index, facts, suffix);
  if (!details) return complete(run, job, Conclusion::kFailure, details.error().message);
  row.name = full_name(key, std::move(details->name));
  row.labels = std::move(details->labels);
  row.environment = std::move(details->environment);
  row.deployment = details->deployment;
  row.allowed_to_fail = details->allowed_to_fail;
  row.timeout_s = std::chrono::duration_cast<std::chrono::seconds>(details->timeout).count();
  row.cancel_limit_s = std::chrono::duration_cast<std::chrono::seconds>(details->cancel_limit).count();
  row.cache_mode = declared_cache_mode(key).value_or(default_cache_mode(run->row));
  set_group(row, details->group);
  if (row.may_reuse) reuse(run, job, facts);
}

void Scheduler::set_group(JobRow& row, const std::optional<GroupRule>& group) const {
  if (!group) return;
  row.group_name = group->name;
  row.group_cancels = group->cancel_in_progress;
  row.group_queues = group->queue;
}

// Whether a called workflow's jobs joined the run.
bool Scheduler::step_job(const RunPtr& run, const JobPtr& job) {
  const auto state = job->row.state;
  if (state != JobState::kPending && state != JobState::kWaiting) return false;
  if (!pass_approval(run, job) || !enter_job_group(run, job)) return false;
  if (job->is_call()) return open_call(run, job);
  queue(run, job);
  return false;
}

bool Scheduler::pass_approval(const RunPtr& run, const JobPtr& job) {
  if (job->row.environment.empty() || !deps_.request_approval || job->approved) return true;
  if (!job->approval_asked) ask_approval(run, job);
  return false;
}

void Scheduler::ask_approval(const RunPtr& run, const JobPtr& job) {
  auto& row = job->row;
  job->approval_asked = true;
  row.state = JobState::kWaiting;
  row.waiting_for = fmt::format("approval for environment \"{}\"", row.environment);
  mark(run, *job);
  ApprovalRequest request{.environment = row.environment,
                          .summary = fmt::format("{} ({} #{}, {} at {})", row.name, run->row.workflow, run->row.number,
                                                 run->row.ref, run->row.commit.substr(0, 7)),
                          .requested_by = run->row.triggering_actor,
                          .repo = run->row.repo,
                          .ref = run->row.ref,
                          .run = run->row.id};
  auto answer = std::make_shared<Result<ApprovalAnswer>>();
  outbox_.step([core = core_, request = std::move(request), answer, id = job->id,
                cause = job->last_event](store::Transaction& tx) -> Result<void> {
    auto copy = request;
    copy.job = *id;
    copy.subject = fmt::format("job/{}", *id);
    copy.cause = *cause;
    *answer = core->deps.request_approval(tx, copy);
    // A refusal ends this job; anything else is the database's trouble and is tried again with the rest.
    if (!*answer) {
      const auto code = answer->error().code;
      if (code == Code::kFailedPrecondition || code == Code::kPermissionDenied || code == Code::kNotFound ||
          code == Code::kInvalidArgument) {
        return {};
      }
      return std::unexpected(answer->error());
    }
    WEIR_TRY(tx.execute("UPDATE engine_jobs SET approval = ? WHERE id = ?", {(*answer)->id, *id}));
    return {};
  });
  outbox_.after([this, run, job, answer] {
    if (*answer) {
      apply_approval(run, job, **answer);
    } else if (job->row.state != JobState::kCompleted) {
      complete(run, job, Conclusion::kFailure, answer->error().message);
    }
    touch(run);
  });
}

void Scheduler::apply_approval(const RunPtr& run, const JobPtr& job, const ApprovalAnswer& answer) {
  auto& row = job->row;
  row.approval = answer.id;
  if (row.state == JobState::kCompleted) {
    // Cancelled while the request was being recorded.
    if (deps_.withdraw_approval && answer.state == ApprovalState::kPending) {
      outbox_.step([core = core_, id = answer.id, cause = job->last_event](store::Transaction& tx) {
        return core->deps.withdraw_approval(tx, id, "the job was cancelled", *cause);
      });
    }
    mark(run, *job);
    return;
  }
  if (answer.event != 0) *(job->last_event = event_ref()) = answer.event;
  mark(run, *job);
  switch (answer.state) {
    case ApprovalState::kGranted:
      job->approved = true;
      row.waiting_for.clear();
      break;
    case ApprovalState::kRejected:
      complete(
          run, job, Conclusion::kFailure,
          fmt::format("environment \"{}\": approval {} {}{}{}", row.environment, answer.id,
                      answer.expired ? "expired" : "was rejected", answer.comment.empty() ? "" : ": ", answer.comment));
      break;
    case ApprovalState::kPending:
      // Nobody can have decided it before: a decision is written after the request, and the writer tells of writes in
      // their order.
      approvals_[answer.id] = {run, job};
      break;
  }
}

void Scheduler::approval_decided(std::int64_t approval) {
  const auto found = approvals_.find(approval);
  if (found == approvals_.end()) return;
  const auto ref = found->second;
  auto answer = deps_.approval(approval);
  if (!answer) {
    deps_.log->error("cannot read approval {}: {}", approval, answer.error().message);
    return;
  }
  if (answer->state == ApprovalState::kPending) return;
  approvals_.erase(approval);
  if (ref.job->row.state != JobState::kCompleted) apply_approval(ref.run, ref.job, *answer);
  touch(ref.run);
  settle();
}

}  // namespace weir::engine
