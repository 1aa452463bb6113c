#include "engine/calls.h"
#include "engine/scheduler.h"

// Jobs that call workflows: the called workflow's jobs join the run when the call's turn has come, and the call ends
// when they have.
namespace weir::engine {

using types::Conclusion;

Result<std::shared_ptr<const Plan>> Scheduler::plan_of_call(const RunNode& run, const std::string& location) {
  const auto called = run.called.find(location);
  if (called == run.called.end()) {
    return fail(Code::kCorrupt, "the run has no workflow {}, which one of its jobs calls", location);
  }
  const auto target = WEIR_TRY(parse_location(location));
  auto workflow = WEIR_TRY(workflows_.parse(called->second.text, path_of(target)));
  if (!workflow->on.call) return fail(Code::kInvalidArgument, "{} has no `workflow_call` under `on:`", location);
  return std::make_shared<const Plan>(std::move(workflow));
}

Result<Frame*> Scheduler::add_frame(RunNode& run, JobNode& call) {
  auto plan = WEIR_TRY(plan_of_call(run, call.row.calls));
  auto& frame = *run.frames.emplace_back(std::make_unique<Frame>());
  frame.plan = std::move(plan);
  frame.call = &call;
  call.callee = &frame;
  return &frame;
}

void Scheduler::describe_call(const RunPtr& run, KeyNode& key, const JobPtr& job, const Facts& facts,
                              const std::string& suffix) {
  auto& row = job->row;
  const auto callee = plan_of_call(*run, row.calls);
  if (!callee) return complete(run, job, Conclusion::kFailure, callee.error().message);
  auto details = key.frame->plan->call_details(key.index, facts, suffix, **callee);
  if (!details) return complete(run, job, Conclusion::kFailure, details.error().message);
  row.name = full_name(key, details->name);
  row.call_inputs = std::move(details->inputs);
  set_group(row, details->group);
}

bool Scheduler::open_call(const RunPtr& run, const JobPtr& job) {
  const int at_most = job->row.max_parallel;
  if (at_most != 0 && job->key->in_progress() >= at_most) return false;
  auto frame = add_frame(*run, *job);
  if (!frame) {
    complete(run, job, Conclusion::kFailure, frame.error().message);
    return true;
  }
  job->row.waiting_for.clear();
  begin(run, job);
  for (std::size_t index = 0; index < (*frame)->plan->size(); ++index) add_callee(run, **frame, index);
  for (auto* key : (*frame)->keys) {
    for (const auto& need : (*frame)->plan->needs(key->index)) {
      key->needs.push_back((*frame)->keys[*(*frame)->plan->find(need)]);
    }
  }
  return true;
}

// One job of a called workflow, which is one row until its matrix is known.
void Scheduler::add_callee(const RunPtr& run, Frame& frame, std::size_t index) {
  const auto& call = frame.call->row;
  const auto prefix = call.legs > 1 ? fmt::format("{}.{}/", call.key, call.leg) : call.key + "/";
  auto& key = *run->keys.emplace_back(std::make_unique<KeyNode>());
  key.frame = &frame;
  key.index = index;
  frame.keys.push_back(&key);
  auto job = std::make_shared<JobNode>();
  job->key = &key;
  job->member = ++last_member_;
  job->last_event = frame.call->last_event;
  auto& row = job->row;
  row.run = call.run;
  row.attempt = call.attempt;
  row.position = position_of(index);
  row.key = prefix + frame.plan->key(index);
  row.name = full_name(key, frame.plan->title(index));
  for (const auto& need : frame.plan->needs(index)) row.needs.push_back(prefix + need);
  if (const auto& uses = frame.plan->uses(index); !uses.empty()) {
    row.calls = call_location(uses, call.calls).value_or(uses);
  }
  row.created_at = deps_.clock->now();
  insert(job);
  key.legs.push_back(job);
  count(*run, *job);
}

// Ends the calls all of whose jobs have ended, inner ones first; whether there was one.
bool Scheduler::finish_calls(const RunPtr& run) {
  bool finished = false;
  for (auto i = run->frames.size(); i-- > 1;) {
    const auto& frame = *run->frames[i];
    if (frame.call->row.state == JobState::kCompleted) continue;
    if (!std::ranges::all_of(frame.keys, [](const auto* key) { return key->completed(); })) continue;
    const auto& legs = frame.call->key->legs;
    const auto job = *std::ranges::find(legs, frame.call, [](const auto& leg) { return leg.get(); });
    finished = true;
    const auto result = result_of(frame);
    auto outputs = frame.plan->call_outputs(facts_of(run, *frame.keys.front()), results_of(frame.keys));
    if (!outputs) {
      complete(run, job, Conclusion::kFailure, outputs.error().message);
      continue;
    }
    job->row.outputs = *std::move(outputs);
    complete(run, job, result);
  }
  return finished;
}

CalledFile Scheduler::workflow_of(const RunNode& run, const Frame& frame) const {
  if (frame.call == nullptr) return {};
  const auto& location = frame.call->row.calls;
  const auto called = run.called.find(location);
  return {.location = location, .commit = called == run.called.end() ? std::string() : called->second.commit};
}

// A called workflow's job has at most what the call has.
std::optional<types::TokenScopes> Scheduler::scopes_of(const KeyNode& key) const {
  auto own = key.frame->plan->scopes(key.index);
  if (key.frame->call == nullptr) return own;
  auto allowed = scopes_of(*key.frame->call->key);
  if (!own) return allowed;
  return allowed ? types::TokenScopes::common(*own, *allowed) : own;
}

// What is said of the job's caches, by itself, its workflow or the calls that it belongs to. A call has at least what
// it lets its jobs ask for: a run in which it has not is refused.
std::optional<types::CacheMode> Scheduler::declared_cache_mode(const KeyNode& key) {
  const auto own = key.frame->plan->cache_mode(key.index);
  if (key.frame->call == nullptr) return own;
  const auto allowed = declared_cache_mode(*key.frame->call->key);
  if (!own) return allowed;
  return allowed ? types::common(*own, *allowed) : *own;
}

// What the jobs of a workflow see of the secrets that the run has.
Result<json::object> Scheduler::secrets_in(const RunPtr& run, const Frame& frame, json::object given) const {
  if (frame.call == nullptr) return given;
  const auto& call = *frame.call;
  auto secrets = WEIR_TRY(secrets_in(run, *call.key->frame, std::move(given)));
  if (call.key->frame->plan->inherits_secrets(call.key->index)) return secrets;
  auto facts = facts_of(run, *call.key);
  set_leg(facts, call.row);
  facts.secrets = std::move(secrets);
  return call.key->frame->plan->call_secrets(call.key->index, facts);
}

}  // namespace weir::engine
