#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/loop.h"
#include "engine/executor.h"
#include "engine/groups.h"
#include "engine/outbox.h"
#include "engine/plan.h"
#include "engine/pools.h"
#include "engine/rows.h"

// Unfinished runs as the scheduler holds them in memory.
namespace weir::engine {

struct RunNode;
struct JobNode;
struct KeyNode;
struct Frame;
class NeedResult;  // reuse.h

// How many jobs are in which state, so that nobody has to walk over all of a large run after each change. A call that
// was made counts apart: its jobs say what it does.
class JobCounts {
 public:
  [[nodiscard]] std::size_t of(JobState state) const { return counts_[static_cast<std::size_t>(state)]; }
  [[nodiscard]] std::size_t open_calls() const { return counts_[kOpenCall]; }
  [[nodiscard]] std::size_t unfinished() const { return total_ - of(JobState::kCompleted); }

 private:
  friend void count(RunNode& run, JobNode& job);
  static constexpr std::size_t kOpenCall = 6;  // 0: not counted yet
  std::array<std::size_t, 7> counts_{};
  std::size_t total_ = 0;
};

// One job as a runner executes it, or a call of a workflow: a combination of a matrix, or the only one.
struct JobNode : std::enable_shared_from_this<JobNode> {
  JobRow row;
  KeyNode* key = nullptr;
  ConcurrencyGroups::Member member = 0;
  std::shared_ptr<std::int64_t> id = event_ref();  // row.id, known to steps as soon as the row is inserted
  EventRef last_event = event_ref();               // cause of what comes next
  bool dirty = false;       // row differs from what was sent to the database: in RunNode::dirty_jobs
  std::size_t counted = 0;  // where the counts have it
  bool approval_asked = false;
  bool approved = false;
  Demand demand;  // where it may run, and what it needs there; set with the pool when it is queued
  std::shared_ptr<const RunnerPool> pool;
  std::optional<Slots::Held> held;         // of the pool, while it runs
  std::optional<TimePoint> blocked_since;  // it was next, and there was no room
  bool preempting = false;                 // it was asked to make room
  std::string makes_room_for;              // whom; "" if an earlier server asked
  std::shared_ptr<JobLaunch> launch;
  bool prepared = false;       // its folder and specification are there
  bool launched = false;       // a runner was started or adopted
  bool overdue = false;        // it was killed for not ending in time
  bool ended = false;          // the runner's end was seen; its completion is under way
  Loop::TimerId deadline = 0;  // kills it
  Frame* callee = nullptr;     // of a call that was made

  [[nodiscard]] bool is_call() const { return !row.calls.empty(); }
};

// A workflow at work in a run: the run's own, or one that a job calls.
struct Frame {
  std::shared_ptr<const Plan> plan;
  JobNode* call = nullptr;  // null: the run's own workflow
  std::vector<KeyNode*> keys;

  [[nodiscard]] Frame* caller() const;
};

// What a key came to, once all of its jobs have ended: nothing of it changes any more.
struct Outcome {
  types::Conclusion result = types::Conclusion::kSkipped;
  json::object outputs;             // merged
  std::vector<std::string> layers;  // environments of its jobs, each once
};

// One key below `jobs:`.
struct KeyNode {
  Frame* frame = nullptr;
  std::size_t index = 0;  // in the frame's plan
  std::vector<KeyNode*> needs;
  std::vector<std::shared_ptr<JobNode>> legs;
  std::deque<std::shared_ptr<JobNode>> parked;  // queued, but as many as may run at a time do
  bool planned = false;
  JobCounts counts;
  mutable std::optional<Outcome> outcome;     // of outcome_of()
  std::shared_ptr<const NeedResult> as_need;  // of need_results()

  [[nodiscard]] bool completed() const { return counts.of(JobState::kCompleted) == legs.size(); }
  [[nodiscard]] int in_progress() const {
    return static_cast<int>(counts.of(JobState::kInProgress) + counts.open_calls());
  }
};

struct RunNode {
  RunRow row;
  std::map<std::string, event::CalledWorkflow> called;  // by location
  std::vector<std::unique_ptr<Frame>> frames;           // the run's own workflow first
  std::vector<std::unique_ptr<KeyNode>> keys;           // of all frames
  ConcurrencyGroups::Member member = 0;
  bool group_passed = false;  // holds its group, or has none
  bool broken = false;        // cannot go on: row.problem says why
  bool dirty = false;
  std::vector<std::shared_ptr<JobNode>> dirty_jobs;  // in the order of their changes
  JobCounts counts;                                  // of all keys
  EventRef last_event = event_ref();
};

// To be called when a job's state has changed, or it was made or called its workflow.
void count(RunNode& run, JobNode& job);

struct JobRef {
  std::shared_ptr<RunNode> run;
  std::shared_ptr<JobNode> job;  // null: the run itself
};

// Of a completed key: worked out once.
const Outcome& outcome_of(const KeyNode& key);

// Result of a job as those that need it see it: failure outweighs cancelled, then success, then skipped. A failed
// combination that is allowed to fail counts as success. Only for a completed key.
types::Conclusion result_of(const KeyNode& key);

// Whether everything that `key` needs, directly or not, failed (any), and succeeded (all).
struct Ancestry {
  bool failed = false;
  bool succeeded = true;
};
Ancestry ancestry_of(const KeyNode& key);

// Result and merged outputs of jobs by their keys in the file: the `needs` context of a job, and the `jobs` context of
// a called workflow's outputs.
json::object results_of(const std::vector<KeyNode*>& keys);

// Result of a called workflow all of whose jobs have completed.
types::Conclusion result_of(const Frame& frame);

// Whether the workflow was asked to stop. A call that goes on in a cancelled run (`if: always()`) was not.
bool cancel_requested(const RunNode& run, const Frame& frame);

// A job's name as it is shown: after those of the calls that it belongs to.
std::string full_name(const KeyNode& key, const std::string& name);

// Environments of the jobs that `key` needs, nearest first, each once; a called workflow's first jobs need what the
// call needs.
std::vector<std::string> needed_layers(const KeyNode& key);

// Conclusion of a run all of whose jobs have completed.
types::Conclusion conclusion_of(const RunNode& run);
// Jobs that ran over their time limit, by name.
std::vector<std::string> overdue_jobs(const RunNode& run);

// What the run's state is by its jobs' states.
RunState state_of(const RunNode& run);

}  // namespace weir::engine
