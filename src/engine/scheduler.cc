#include "engine/scheduler.h"

#include <utility>

#include "engine/contexts.h"

namespace weir::engine {

using types::Conclusion;

Result<StoredRun> load_stored_run(store::Reader& reader, std::int64_t id) {
  StoredRun stored;
  stored.row = WEIR_TRY(load_run_row(reader, id));
  stored.jobs = WEIR_TRY(load_jobs(reader, id, stored.row.attempt));
  stored.workflow_text = WEIR_TRY(load_workflow_text(reader, stored.row.workflow_sha256));
  for (const auto& [location, called] : stored.row.called) {
    stored.called[location] = {.text = WEIR_TRY(load_workflow_text(reader, json_string_or(called, "sha256", ""))),
                               .commit = json_string_or(called, "commit", "")};
  }
  stored.last_event = WEIR_TRY(newest_event(reader, fmt::format("run/{}", id)));
  for (const auto& job : stored.jobs) {
    stored.job_events[job.id] = WEIR_TRY(newest_event(reader, fmt::format("job/{}", job.id)));
  }
  return stored;
}

Scheduler::Scheduler(std::shared_ptr<EngineCore> core)
    : core_(std::move(core)),
      outbox_(*deps_.db, *deps_.loop, *deps_.log,
              {[this] { collect(); }, [this] { settle(); }, [this] { return weak_from_this(); }}) {}

void Scheduler::stop() {
  outbox_.stop();
}

Scheduler::RunPtr Scheduler::build(StoredRun stored) {
  auto run = std::make_shared<RunNode>();
  run->row = std::move(stored.row);
  run->called = std::move(stored.called);
  run->member = ++last_member_;
  *run->last_event = stored.last_event;
  if (const auto connected = connect(*run, stored); !connected) {
    run->broken = true;
    run->row.problem = connected.error().message;
  }
  return run;
}

// Jobs, calls before what they called, by what they need. Jobs of a workflow that is broken are there nevertheless.
Result<void> Scheduler::connect(RunNode& run, StoredRun& stored) {
  auto& root = *run.frames.emplace_back(std::make_unique<Frame>());
  Result<void> result;
  const auto note = [&](Error error) {
    if (result) result = std::unexpected(std::move(error));
  };
  if (auto workflow = workflows_.parse(stored.workflow_text, run.row.path)) {
    root.plan = std::make_shared<Plan>(*std::move(workflow));
  } else {
    note(workflow.error());
  }
  std::map<std::string, KeyNode*> by_key;
  std::map<std::int64_t, JobNode*> by_id;
  for (auto& row : stored.jobs) {
    Frame* frame = &root;
    if (row.parent != 0) {
      auto* call = by_id[row.parent];  // load_jobs() gives parents first
      if (call->callee == nullptr) {
        auto added = add_frame(run, *call);
        if (!added) note(added.error());
      }
      if (call->callee != nullptr) frame = call->callee;
    }
    auto& key = by_key[row.key];
    if (key == nullptr) {
      key = run.keys.emplace_back(std::make_unique<KeyNode>()).get();
      key->planned = row.planned || row.state == JobState::kCompleted;
      key->frame = frame;
      frame->keys.push_back(key);
      const auto index = frame->plan ? frame->plan->find(local_key(row.key)) : std::nullopt;
      if (index) {
        key->index = *index;
      } else {
        note({Code::kCorrupt,
              fmt::format("job \"{}\" is not in the workflow file that the run was made from", row.key)});
      }
    }
    auto job = std::make_shared<JobNode>();
    *job->id = row.id;
    job->key = key;
    job->member = ++last_member_;
    const auto event = stored.job_events.find(row.id);
    *job->last_event = event != stored.job_events.end() && event->second != 0 ? event->second : stored.last_event;
    job->row = std::move(row);
    by_id[job->row.id] = job.get();
    key->legs.push_back(std::move(job));
  }
  for (const auto& key : run.keys) {
    for (const auto& need : key->legs.front()->row.needs) {
      if (const auto found = by_key.find(need); found != by_key.end()) key->needs.push_back(found->second);
    }
    for (const auto& job : key->legs) count(run, *job);
  }
  return result;
}

void Scheduler::run_created(std::int64_t id) {
  if (const auto found = runs_.find(id); found != runs_.end()) {
    // A new attempt of a run whose end is recorded but not yet seen to be; anything else was loaded at start.
    if (found->second->row.state != RunState::kCompleted) return;
    runs_.erase(found);
  }
  auto stored = deps_.db->load<StoredRun>([&](store::Reader& reader) { return load_stored_run(reader, id); });
  if (!stored) {
    deps_.log->error("cannot load run {}: {}", id, stored.error().message);
    return;
  }
  if (stored->row.state == RunState::kCompleted) return;
  add(build(*std::move(stored)));
  settle();
}

void Scheduler::add(const RunPtr& run) {
  runs_[run->row.id] = run;
  if (run->broken) return break_run(run, run->row.problem);
  if (!run->group_passed) enter_run_group(run);
  touch(run);
}

void Scheduler::settle() {
  if (std::exchange(settling_, true)) return;
  do {
    while (!touched_.empty()) {
      const auto run = std::move(touched_.front());
      touched_.pop_front();
      advance(run);
    }
    dispatch();
  } while (!touched_.empty());
  outbox_.flush();
  prepare_starting();
  settling_ = false;
}

void Scheduler::collect() {
  for (const auto& run : std::exchange(changed_, {})) {
    if (run->dirty) {
      run->dirty = false;
      outbox_.step([row = run->row](store::Transaction& tx) { return update_run(tx, row); });
      tell({.kind = LiveUpdate::Kind::kRun,
            .run = run->row.id,
            .state = std::string(run_state_name(run->row.state)),
            .conclusion = run->row.conclusion},
           nullptr);
    }
    for (const auto& job : std::exchange(run->dirty_jobs, {})) {
      job->dirty = false;
      outbox_.step([row = job->row, id = job->id](store::Transaction& tx) {
        auto copy = row;
        copy.id = *id;
        return update_job(tx, copy);
      });
      tell({.kind = LiveUpdate::Kind::kJob,
            .run = run->row.id,
            .state = std::string(job_state_name(job->row.state)),
            .conclusion = job->row.conclusion},
           job);
    }
  }
}

// Publishes what the transaction in preparation says, once it is durable; by then memory may be further on. A job that
// is made in the same transaction learns its number from it.
void Scheduler::tell(LiveUpdate update, const JobPtr& job) {
  outbox_.after([this, update = std::move(update), job]() mutable {
    if (job) update.job = job->row.id;
    bus_.publish(update);
  });
}

void Scheduler::advance(const RunPtr& run) {
  if (run->row.state == RunState::kCompleted) return;
  for (bool moved = true; moved;) {
    moved = run->group_passed && plan_ready(run);
    moved = (run->group_passed && step_jobs(run)) || moved;
    moved = finish_calls(run) || moved;
  }
  finish_if_done(run);
}

bool Scheduler::plan_ready(const RunPtr& run) {
  bool planned = false;
  for (const auto& key : run->keys) {
    if (key->planned || !std::ranges::all_of(key->needs, [](const auto* need) { return need->completed(); })) continue;
    plan_key(run, *key);
    planned = true;
  }
  return planned;
}

bool Scheduler::step_jobs(const RunPtr& run) {
  bool called = false;
  // By index: a call adds keys, and neither vector may be held over it.
  for (std::size_t i = 0; i < run->keys.size(); ++i) {
    auto& key = *run->keys[i];
    if (!key.planned || key.counts.of(JobState::kPending) + key.counts.of(JobState::kWaiting) == 0) continue;
    for (std::size_t leg = 0; leg < key.legs.size(); ++leg) called = step_job(run, JobPtr(key.legs[leg])) || called;
  }
  return called;
}

void Scheduler::finish_if_done(const RunPtr& run) {
  const auto state = state_of(*run);
  if (state != run->row.state) {
    run->row.state = state;
    mark(run);
  }
  if (state != RunState::kCompleted) return;
  run->row.conclusion = conclusion_of(*run);
  run->row.completed_at = deps_.clock->now();
  run->row.group_held = false;
  json::object payload{{"conclusion", types::conclusion_name(*run->row.conclusion)}};
  if (*run->row.conclusion == Conclusion::kCancelled) {
    if (run->row.problem.empty()) run->row.problem = run->row.cancel_reason;
    // Nobody wanted it to end so: whoever hears of failures is to hear of this.
    if (const auto overdue = overdue_jobs(*run); run->row.problem.empty() && !overdue.empty()) {
      run->row.problem = fmt::format("ran over the time limit: {}", fmt::join(overdue, ", "));
      payload["timed_out"] = true;
      payload["reason"] = run->row.problem;
    }
  }
  auto done = event_ref();
  outbox_.event(run_draft(*run, types::event_type::kRunCompleted, std::move(payload)), run->last_event, done);
  run->last_event = done;
  mark(run);
  outbox_.after([this, run] {
    const auto found = runs_.find(run->row.id);
    if (found != runs_.end() && found->second == run) runs_.erase(found);
  });
  leave_group(run->member);
}

void Scheduler::break_run(const RunPtr& run, const std::string& problem) {
  run->broken = true;
  run->row.problem = problem;
  for (const auto& key : run->keys) {
    key->planned = true;
    for (const auto& job : key->legs) {
      if (job->row.state == JobState::kCompleted) continue;
      if (job->row.state == JobState::kInProgress && !job->is_call()) {
        adopt(run, job);
        cancel_job(run, job);
      } else {
        complete(run, job, Conclusion::kCancelled);
      }
    }
  }
  touch(run);
}

types::EventDraft Scheduler::run_draft(const RunNode& run, std::string_view type, json::object payload) const {
  const auto& row = run.row;
  payload["workflow"] = row.workflow;
  payload["path"] = row.path;
  payload["repo"] = row.repo;
  payload["event"] = row.event;
  payload["commit"] = row.commit;
  payload["ref"] = row.ref;
  payload["number"] = row.number;
  payload["attempt"] = row.attempt;
  return {.type = std::string(type),
          .actor = "weir",
          .subject = fmt::format("run/{}", row.id),
          .payload = std::move(payload)};
}

void Scheduler::job_event(const RunPtr& run, const JobPtr& job, std::string_view type, EventRef cause) {
  types::EventDraft draft{.type = std::string(type),
                          .actor = "weir",
                          .payload = {{"run", run->row.id}, {"key", job->row.key}, {"name", job->row.name}}};
  if (job->row.conclusion) draft.payload["conclusion"] = types::conclusion_name(*job->row.conclusion);
  if (!job->row.environment.empty()) draft.payload["environment"] = job->row.environment;
  job->last_event = event_ref();
  outbox_.step([draft = std::move(draft), cause = std::move(cause), as = job->last_event,
                id = job->id](store::Transaction& tx) -> Result<void> {
    auto copy = draft;
    copy.cause = *cause;
    copy.subject = fmt::format("job/{}", *id);
    *as = WEIR_TRY(tx.append(std::move(copy)));
    return {};
  });
}

void Scheduler::job_progressed(std::int64_t job) {
  const auto found = running_.find(job);
  if (found == running_.end() || !bus_.heard()) return;
  const auto dir = deps_.jobs_dir / std::to_string(job);
  std::error_code error;
  const auto size = std::filesystem::file_size(dir / "log.txt", error);
  bus_.publish({.kind = LiveUpdate::Kind::kProgress,
                .run = found->second.run->row.id,
                .job = job,
                .steps = read_report_file(dir).steps,
                .log_size_bytes = error ? 0 : static_cast<std::int64_t>(size)});
}

}  // namespace weir::engine
