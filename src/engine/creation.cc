#include "engine/creation.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/hash.h"
#include "engine/calls.h"
#include "engine/contexts.h"
#include "engine/plan.h"
#include "engine/reuse.h"

namespace weir::engine {
namespace {

using types::Conclusion;

bool is_requirement_file(std::string_view path) {
  const auto slash = path.rfind('/');
  const auto name = slash == std::string_view::npos ? path : path.substr(slash + 1);
  return (name.starts_with("requirements") && name.ends_with(".txt")) || name == "pyproject.toml" ||
         name == "setup.py" || name == "setup.cfg";
}

// The jobs to run: all, or those asked for and what they need.
Result<std::vector<bool>> selected_jobs(const Plan& plan, const std::vector<std::string>& only) {
  std::vector<bool> selected(plan.size(), only.empty());
  std::vector<std::size_t> open;
  for (const auto& key : only) {
    const auto job = plan.find(key);
    if (!job) {
      std::string known;
      for (std::size_t i = 0; i < plan.size(); ++i) known += (i == 0 ? "" : ", ") + plan.key(i);
      return fail(Code::kInvalidArgument, "the workflow has no job \"{}\"; its jobs are {}", key, known);
    }
    open.push_back(*job);
  }
  while (!open.empty()) {
    const auto job = open.back();
    open.pop_back();
    if (selected[job]) continue;
    selected[job] = true;
    for (const auto& need : plan.needs(job)) {
      if (const auto index = plan.find(need)) open.push_back(*index);
    }
  }
  return selected;
}

// Of a pull request's run, the commit that it offers: what runs is its merge into the base, made anew when the base
// moves.
std::string head_of(const event::RunRequest& request) {
  const auto* pull = json_find(request.event_payload, "pull_request");
  const auto* head = pull == nullptr ? nullptr : json_find(*pull, "head");
  return head == nullptr ? request.commit : json_string_or(*head, "sha", request.commit);
}

RunRow row_of(const event::PreparedRun& prepared, TimePoint now) {
  const auto& request = prepared.request;
  RunRow row;
  row.repo = request.repo;
  row.path = request.workflow_path;
  row.workflow = request.workflow ? Plan(request.workflow).name() : std::string();
  if (row.workflow.empty()) row.workflow = request.workflow_path;
  row.event = request.event_name;
  row.ref = request.ref;
  row.commit = request.commit;
  row.head_sha = head_of(request);
  row.title = request.title.empty() ? row.workflow : request.title;
  row.actor = request.actor;
  row.triggering_actor = request.actor;
  row.created_at = now;
  row.reason = request.reason;
  row.problem = request.problem;
  row.cause = request.cause;
  row.head_ref = request.head_ref;
  row.base_ref = request.base_ref;
  row.requirements_hash = prepared.requirements_hash;
  row.workflow_sha256 = sha256_hex(request.workflow_text);
  row.options = request.options;
  row.inputs = request.inputs;
  row.payload = request.event_payload;
  for (const auto& [location, called] : prepared.called) {
    row.called[location] = json::object{{"sha256", sha256_hex(called.text)}, {"commit", called.commit}};
  }
  return row;
}

json::object created_payload(const RunRow& row) {
  json::object payload{{"workflow", row.workflow}, {"path", row.path},       {"repo", row.repo},
                       {"event", row.event},       {"commit", row.commit},   {"ref", row.ref},
                       {"number", row.number},     {"attempt", row.attempt}, {"reason", row.reason}};
  if (row.options.level > 0) payload["level"] = row.options.level;
  return payload;
}

Result<void> insert_jobs(store::Transaction& tx, const RunRow& row, const event::PreparedRun& prepared) {
  const Plan plan(prepared.request.workflow);
  const auto selected = WEIR_TRY(selected_jobs(plan, row.options.only_jobs));
  const auto wanted = WEIR_TRY(stages(plan, row.options.from, row.options.to));
  for (std::size_t i = 0; i < plan.size(); ++i) {
    if (!selected[i] || (!wanted.runs[i] && !wanted.needed[i])) continue;
    JobRow job;
    job.id = WEIR_TRY(tx.next_id("job"));
    job.run = row.id;
    job.position = position_of(i);
    job.key = plan.key(i);
    job.name = plan.title(i);
    job.needs = plan.needs(i);
    if (const auto& uses = plan.uses(i); !uses.empty()) job.calls = call_location(uses, "").value_or(uses);
    job.may_reuse = wanted.needed[i];
    job.created_at = tx.now();
    WEIR_TRY(insert_job(tx, job));
  }
  return {};
}

bool did_not_succeed(const JobRow& job) {
  return job.conclusion != Conclusion::kSuccess && job.conclusion != Conclusion::kSkipped;
}

// Keys that start from scratch because something that they need runs again.
std::set<std::string> keys_after(const std::vector<JobRow>& jobs, const std::set<std::string>& again) {
  std::set<std::string> after;
  for (bool grown = true; grown;) {
    grown = false;
    for (const auto& job : jobs) {
      const bool depends = std::ranges::any_of(
          job.needs, [&](const auto& need) { return again.contains(need) || after.contains(need); });
      grown = (depends && after.insert(job.key).second) || grown;
    }
  }
  return after;
}

// The row that a job has in the next attempt.
JobRow next_attempt_of(const JobRow& before, bool carried, bool keeps_plan) {
  JobRow job;
  job.run = before.run;
  job.attempt = before.attempt + 1;
  job.position = before.position;
  job.key = before.key;
  job.name = before.name;
  job.needs = before.needs;
  job.calls = before.calls;
  if (carried) {
    job = before;
    job.attempt = before.attempt + 1;
    job.origin = before.origin != 0 ? before.origin : before.id;
    return job;
  }
  if (keeps_plan) {
    job.planned = before.planned;
    job.leg = before.leg;
    job.legs = before.legs;
    job.fail_fast = before.fail_fast;
    job.max_parallel = before.max_parallel;
    job.matrix = before.matrix;
    job.labels = before.labels;
    job.environment = before.environment;
    job.deployment = before.deployment;
    job.cancel_limit_s = before.cancel_limit_s;
    job.allowed_to_fail = before.allowed_to_fail;
    job.timeout_s = before.timeout_s;
    job.group_name = before.group_name;
    job.group_cancels = before.group_cancels;
    job.group_queues = before.group_queues;
    job.call_inputs = before.call_inputs;
    job.may_reuse = before.may_reuse;
    job.cache_mode = before.cache_mode;
  } else {
    job.name = local_key(before.key);
    job.position = before.position - before.leg;
  }
  return job;
}

// The rows of the next attempt; `fresh` are the keys that start from scratch.
Result<void> insert_again(store::Transaction& tx, const std::vector<JobRow>& jobs, const std::set<std::string>& fresh) {
  std::set<std::string> inserted;
  std::map<std::int64_t, const JobRow*> by_id;
  std::map<std::int64_t, std::int64_t> next_id;  // of calls, by the one before
  std::set<std::int64_t> called_before;
  std::set<std::int64_t> kept_calls;
  for (const auto& job : jobs) {
    by_id[job.id] = &job;
    called_before.insert(job.parent);
  }
  for (const auto& before : jobs) {
    // What a call starts from scratch calls comes when it is made.
    if (before.parent != 0 && !next_id.contains(before.parent)) continue;
    const bool from_scratch = fresh.contains(before.key);
    // One row stands for a job until its matrix is known again.
    if (from_scratch && !inserted.insert(before.key).second) continue;
    // A call that succeeded stays whole, be it that one of its jobs was allowed to fail.
    const bool carried = !from_scratch && (kept_calls.contains(before.parent) || !did_not_succeed(before));
    auto job = next_attempt_of(before, carried, !from_scratch);
    if (before.parent != 0) job.parent = next_id[before.parent];
    if (before.parent != 0 && from_scratch) job.name = fmt::format("{} / {}", by_id[before.parent]->name, job.name);
    job.id = WEIR_TRY(tx.next_id("job"));
    if (!carried) job.created_at = tx.now();
    if (!before.calls.empty() && !from_scratch && called_before.contains(before.id)) {
      next_id[before.id] = job.id;
      if (carried) kept_calls.insert(before.id);
      // The call was made; those of its jobs that succeeded did so for this attempt too.
      if (!carried) {
        job.state = JobState::kInProgress;
        job.started_at = tx.now();
      }
    }
    WEIR_TRY(insert_job(tx, job));
  }
  return {};
}

}  // namespace

Result<std::string> requirements_hash(const io::Git& git, const std::string& commit) {
  std::string text;
  for (const auto& entry : WEIR_TRY(git.list(commit))) {
    if (is_requirement_file(entry.path)) text += fmt::format("{}\n{}\n", entry.path, entry.object);
  }
  return text.empty() ? std::string() : sha256_hex(text);
}

Result<void> complete_request(event::RunRequest& request, WorkflowCache& workflows) {
  if (!request.problem.empty()) return {};
  if (request.workflow) {
    workflows.add(request.workflow_text, request.workflow);
  } else {
    auto workflow = workflows.parse(request.workflow_text, request.workflow_path);
    if (!workflow) {
      request.problem = workflow.error().message;
      return {};
    }
    request.workflow = *std::move(workflow);
  }
  WEIR_TRY(selected_jobs(Plan(request.workflow), request.options.only_jobs));
  WEIR_TRY(stages(Plan(request.workflow), request.options.from, request.options.to));
  return {};
}

Result<std::int64_t> insert_new_run(store::Transaction& tx, const event::PreparedRun& prepared,
                                    const TitleFacts& facts) {
  const auto& request = prepared.request;
  auto row = row_of(prepared, tx.now());
  row.id = WEIR_TRY(tx.next_id("run"));
  row.number = WEIR_TRY(tx.next_id(fmt::format("run_number/{}/{}", row.repo, row.path)));
  if (request.workflow && request.problem.empty()) {
    Facts known{
        .github = github_context(row, facts.server_url, facts.default_owner), .inputs = row.inputs, .vars = facts.vars};
    auto title = Plan(request.workflow).run_title(known);
    if (title && !title->empty()) row.title = *std::move(title);
  }
  const auto subject = fmt::format("run/{}", row.id);
  row.created_event = WEIR_TRY(tx.append({.type = std::string(types::event_type::kRunCreated),
                                          .actor = request.actor,
                                          .subject = subject,
                                          .cause = request.cause,
                                          .payload = created_payload(row)}));
  WEIR_TRY(insert_workflow_text(tx, row.workflow_sha256, request.workflow_text));
  for (const auto& [location, called] : prepared.called) {
    WEIR_TRY(insert_workflow_text(tx, sha256_hex(called.text), called.text));
  }
  if (!request.problem.empty()) {
    row.state = RunState::kCompleted;
    row.conclusion = Conclusion::kFailure;
    row.completed_at = tx.now();
    WEIR_TRY(tx.append({.type = std::string(types::event_type::kRunCompleted),
                        .actor = "weir",
                        .subject = subject,
                        .cause = row.created_event,
                        .payload = {{"conclusion", "failure"},
                                    {"workflow", row.workflow},
                                    {"path", row.path},
                                    {"repo", row.repo},
                                    {"event", row.event},
                                    {"commit", row.commit},
                                    {"ref", row.ref},
                                    {"attempt", row.attempt},
                                    {"problem", row.problem}}}));
  }
  WEIR_TRY(insert_run(tx, row));
  if (request.problem.empty()) WEIR_TRY(insert_jobs(tx, row, prepared));
  return row.id;
}

event::RunRequest request_again(const RunRow& run, const std::string& commit, std::string workflow_text,
                                const std::string& actor) {
  event::RunRequest request;
  request.repo = run.repo;
  request.workflow_path = run.path;
  request.workflow_text = std::move(workflow_text);
  request.commit = commit;
  request.ref = run.ref;
  request.head_ref = run.head_ref;
  request.base_ref = run.base_ref;
  request.event_name = run.event;
  request.event_payload = run.payload;
  request.inputs = run.inputs;
  request.actor = actor;
  request.title = run.title;
  request.reason = fmt::format("run #{} again on {} by {}", run.number, commit.substr(0, 12), actor);
  request.options = run.options;
  return request;
}

Result<std::vector<std::string>> failed_keys(const RunRow& run, const std::vector<JobRow>& jobs) {
  if (run.state != RunState::kCompleted) {
    return fail(Code::kFailedPrecondition, "run {} has not completed yet; cancel it first: weir cancel {}", run.id,
                run.id);
  }
  std::vector<std::string> keys;
  for (const auto& job : jobs) {
    if (job.parent != 0 || !did_not_succeed(job)) continue;
    if (std::ranges::find(keys, job.key) == keys.end()) keys.push_back(job.key);
  }
  if (keys.empty()) {
    return fail(Code::kFailedPrecondition, "no job of run {} failed; run all of it again: weir rerun {}", run.id,
                run.id);
  }
  return keys;
}

Result<void> insert_attempt(store::Transaction& tx, std::int64_t run, bool failed_only, const std::string& actor) {
  auto row = WEIR_TRY(load_run_row(tx, run));
  if (row.state != RunState::kCompleted) {
    return fail(Code::kFailedPrecondition, "run {} has not completed yet; cancel it first: weir cancel {}", run, run);
  }
  const auto jobs = WEIR_TRY(load_jobs(tx, run, row.attempt));
  if (jobs.empty()) {
    return fail(Code::kFailedPrecondition, "run {} cannot run: {}", run, row.problem);
  }
  std::set<std::string> again;
  for (const auto& job : jobs) {
    if (!failed_only || did_not_succeed(job)) again.insert(job.key);
  }
  if (again.empty()) {
    return fail(Code::kFailedPrecondition, "no job of run {} failed; run all of it again: weir rerun {}", run, run);
  }
  const auto fresh = failed_only ? keys_after(jobs, again) : again;
  row.attempt += 1;
  const auto cause = WEIR_TRY(newest_event(tx, fmt::format("run/{}", run)));
  auto payload = created_payload(row);
  payload["reason"] = fmt::format("{} again by {}", failed_only ? "failed jobs" : "all jobs", actor);
  WEIR_TRY(tx.append({.type = std::string(types::event_type::kRunCreated),
                      .actor = actor,
                      .subject = fmt::format("run/{}", run),
                      .cause = cause,
                      .payload = std::move(payload)}));
  WEIR_TRY(
      tx.execute("UPDATE engine_runs SET attempt = ?, state = ?, conclusion = NULL, started_at = NULL, "
                 "completed_at = NULL, problem = '', triggering_actor = ?, cancel_requested = 0, "
                 "cancel_reason = '', group_name = '', group_held = 0, folders = 1 WHERE id = ?",
                 {row.attempt, static_cast<std::int64_t>(RunState::kQueued), actor, run}));
  return insert_again(tx, jobs, fresh);
}

}  // namespace weir::engine
