#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/broadcast.h"
#include "engine/contexts.h"
#include "engine/engine.h"
#include "engine/groups.h"
#include "engine/job_queue.h"
#include "engine/nodes.h"
#include "engine/outbox.h"
#include "engine/pools.h"
#include "engine/reuse.h"
#include "engine/workflow_cache.h"

namespace weir::engine {

// An unfinished run as the database holds it.
struct StoredRun {
  RunRow row;
  std::vector<JobRow> jobs;
  std::string workflow_text;
  std::map<std::string, event::CalledWorkflow> called;  // by location
  std::int64_t last_event = 0;
  std::map<std::int64_t, std::int64_t> job_events;  // newest event of each job
};
Result<StoredRun> load_stored_run(store::Reader& reader, std::int64_t id);

// What the engine works with. Shared, because a scheduler may be in the middle of a turn, and its writes may still be
// on their way to the database, when the engine goes.
struct EngineCore {
  EngineDeps deps;
  Broadcast<LiveUpdate> bus;
  WorkflowCache workflows;
};

// The state machine of runs and jobs. Lives on the engine's loop: every function is called there.
//
//   pending -> waiting (approval, concurrency group) -> queued (slot) -> in_progress -> completed
//
// Each call from outside is a turn: it changes memory, starts what now can start, and hands all changes to the outbox
// as one transaction. A runner is started only after the transaction with its job's start is durable; since the
// executor can tell whether a runner was ever there, a job whose server died in between is started by the next one.
class Scheduler : public std::enable_shared_from_this<Scheduler> {
 public:
  explicit Scheduler(std::shared_ptr<EngineCore> core);

  // Takes over what an earlier server left; once, before anything else.
  void recover(std::vector<StoredRun> runs);
  // A run (or a new attempt of it) was recorded.
  void run_created(std::int64_t id);
  void cancel_run(std::int64_t id, const std::string& reason, bool force);
  void approval_decided(std::int64_t approval);
  void job_ended(std::int64_t job, JobEnd end);
  void job_progressed(std::int64_t job);
  void stop();

 private:
  using RunPtr = std::shared_ptr<RunNode>;
  using JobPtr = std::shared_ptr<JobNode>;
  using Ref = JobRef;

  // scheduler.cc: turns, runs as a whole
  RunPtr build(StoredRun stored);
  Result<void> connect(RunNode& run, StoredRun& stored);
  void add(const RunPtr& run);
  void settle();
  void collect();
  void tell(LiveUpdate update, const JobPtr& job);
  void touch(const RunPtr& run) { touched_.push_back(run); }
  void advance(const RunPtr& run);
  bool plan_ready(const RunPtr& run);
  bool step_jobs(const RunPtr& run);
  void finish_if_done(const RunPtr& run);
  void break_run(const RunPtr& run, const std::string& problem);
  void mark(const RunPtr& run) {
    run->dirty = true;
    changed_.insert(run);
  }
  void mark(const RunPtr& run, JobNode& job) {
    count(*run, job);
    if (!std::exchange(job.dirty, true)) run->dirty_jobs.push_back(job.shared_from_this());
    changed_.insert(run);
  }
  types::EventDraft run_draft(const RunNode& run, std::string_view type, json::object payload) const;
  void job_event(const RunPtr& run, const JobPtr& job, std::string_view type, EventRef cause);

  // scheduler_groups.cc: concurrency groups and cancellation
  void enter_run_group(const RunPtr& run);
  bool enter_job_group(const RunPtr& run, const JobPtr& job);
  void leave_group(ConcurrencyGroups::Member member);
  void cancel_member(ConcurrencyGroups::Member member, const std::string& reason);
  void cancel_jobs(const RunPtr& run);
  void cancel_key(const RunPtr& run, KeyNode& key);
  void cancel_job(const RunPtr& run, const JobPtr& job);
  bool runs_when_cancelled(const RunPtr& run, const KeyNode& key);

  // scheduler_plan.cc: needs, if, matrix, approval
  Facts facts_of(const RunPtr& run, const KeyNode& key, const std::string& environment = {}) const;
  void set_leg(Facts& facts, const JobRow& row) const;
  void plan_key(const RunPtr& run, KeyNode& key);
  Result<void> expand_key(const RunPtr& run, KeyNode& key, Facts& facts);
  void insert(const JobPtr& job);
  void describe(const RunPtr& run, KeyNode& key, const JobPtr& job, Facts& facts, const std::string& suffix);
  void describe_call(const RunPtr& run, KeyNode& key, const JobPtr& job, const Facts& facts, const std::string& suffix);
  void set_group(JobRow& row, const std::optional<GroupRule>& group) const;
  bool step_job(const RunPtr& run, const JobPtr& job);
  bool pass_approval(const RunPtr& run, const JobPtr& job);
  void ask_approval(const RunPtr& run, const JobPtr& job);
  void apply_approval(const RunPtr& run, const JobPtr& job, const ApprovalAnswer& answer);
  EventRef cause_of(const RunPtr& run, const KeyNode& key) const;

  // scheduler_reuse.cc: earlier results that stand for a job
  bool reuse(const RunPtr& run, const JobPtr& job, Facts& facts);
  Result<bool> try_reuse(const RunPtr& run, const JobPtr& job, Facts& facts);
  Result<JobInputs> job_inputs(const RunPtr& run, const JobNode& job, Facts& facts) const;
  void take_result(const RunPtr& run, const JobPtr& job, const Candidate& candidate, JobRow earlier);

  // scheduler_calls.cc: workflows that jobs call
  Result<std::shared_ptr<const Plan>> plan_of_call(const RunNode& run, const std::string& location);
  Result<Frame*> add_frame(RunNode& run, JobNode& call);
  bool open_call(const RunPtr& run, const JobPtr& job);
  void add_callee(const RunPtr& run, Frame& frame, std::size_t index);
  bool finish_calls(const RunPtr& run);
  CalledFile workflow_of(const RunNode& run, const Frame& frame) const;
  std::optional<types::TokenScopes> scopes_of(const KeyNode& key) const;
  static std::optional<types::CacheMode> declared_cache_mode(const KeyNode& key);
  Result<json::object> secrets_in(const RunPtr& run, const Frame& frame, json::object given) const;

  // scheduler_start.cc: slots and starts
  void begin(const RunPtr& run, const JobPtr& job);
  void queue(const RunPtr& run, const JobPtr& job);
  void dispatch();
  JobQueue::Answer offer_place(const Ref& ref);
  void make_room(const JobNode& job);
  void requeue(const RunPtr& run, const JobPtr& job);
  void unpark(KeyNode& key, const RunPtr& run);
  void give_back_place(const RunPtr& run, JobNode& job);
  Result<void> find_place(const RunPtr& run, JobNode& job) const;
  void start(const RunPtr& run, const JobPtr& job);
  void issue_and_launch(const RunPtr& run, const JobPtr& job);
  void prepare_starting();
  Result<void> prepare(const RunPtr& run, const JobPtr& job);
  static void limit_caches(const RunNode& run, const JobNode& job, types::JobSpec& spec);
  void put_in_sandbox(const JobNode& job, types::JobSpec& spec) const;
  Result<void> add_resume(const RunPtr& run, const JobNode& job, json::object& env);
  Result<std::string> secrets_of(const RunPtr& run, const JobNode& job, const std::string& token);
  void launch(const RunPtr& run, const JobPtr& job, Result<std::string> token);
  void guard_deadline(const RunPtr& run, const JobPtr& job);
  void kill_after(const JobPtr& job, Duration delay);

  // scheduler_end.cc: completion
  void complete(const RunPtr& run, const JobPtr& job, types::Conclusion conclusion, const std::string& error = {});
  void conclude(const RunPtr& run, const JobPtr& job, JobEnd end);
  void keep_result(const RunPtr& run, const JobPtr& job, JobReport&& report, types::Conclusion conclusion);
  void stop_siblings(const RunPtr& run, const JobPtr& job);

  // scheduler_recover.cc
  void restore_job(const RunPtr& run, const JobPtr& job);
  void adopt(const RunPtr& run, const JobPtr& job);

  std::shared_ptr<EngineCore> core_;  // what steps of the outbox hold, instead of the scheduler
  EngineDeps& deps_ = core_->deps;
  Broadcast<LiveUpdate>& bus_ = core_->bus;
  WorkflowCache& workflows_ = core_->workflows;
  Outbox outbox_;
  std::map<std::int64_t, RunPtr> runs_;  // unfinished, by id
  ConcurrencyGroups groups_;
  ConcurrencyGroups::Member last_member_ = 0;
  std::unordered_map<ConcurrencyGroups::Member, Ref> members_;
  std::unordered_map<std::int64_t, Ref> running_;    // by job id: a runner is there
  std::unordered_map<std::int64_t, Ref> approvals_;  // by approval id: a job waits for it
  Slots slots_;
  JobQueue queue_;
  Trees trees_;
  std::vector<Ref> starting_;
  std::deque<RunPtr> touched_;
  std::set<RunPtr> changed_;
  bool settling_ = false;
};

}  // namespace weir::engine
