#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/loop.h"
#include "engine/executor.h"
#include "engine/groups.h"
#include "engine/outbox.h"
#include "engine/plan.h"
#include "engine/rows.h"

// Unfinished runs as the scheduler holds them in memory.
namespace weir::engine {

struct RunNode;
struct KeyNode;

// One job as a runner executes it: a combination of a matrix, or the only one.
struct JobNode {
  JobRow row;
  KeyNode* key = nullptr;
  ConcurrencyGroups::Member member = 0;
  std::shared_ptr<std::int64_t> id = event_ref();  // row.id, known to steps as soon as the row is inserted
  EventRef last_event = event_ref();               // cause of what comes next
  bool dirty = false;                              // row differs from what was sent to the database
  bool approval_asked = false;
  bool approved = false;
  std::string pool;  // where it runs; set when it is queued
  int pool_slots = 0;
  bool holds_slot = false;
  std::shared_ptr<JobLaunch> launch;
  bool prepared = false;       // its folder and specification are there
  bool launched = false;       // a runner was started or adopted
  bool overdue = false;        // it was killed for not ending in time
  bool ended = false;          // the runner's end was seen; its completion is under way
  Loop::TimerId deadline = 0;  // kills it
};

// One key below `jobs:`.
struct KeyNode {
  std::size_t index = 0;  // in the plan
  std::vector<KeyNode*> needs;
  std::vector<std::shared_ptr<JobNode>> legs;
  bool planned = false;

  [[nodiscard]] bool completed() const;
  [[nodiscard]] int in_progress() const;
};

struct RunNode {
  RunRow row;
  std::shared_ptr<const Plan> plan;
  std::vector<std::unique_ptr<KeyNode>> keys;
  ConcurrencyGroups::Member member = 0;
  bool group_passed = false;  // holds its group, or has none
  bool broken = false;        // cannot go on: row.problem says why
  bool dirty = false;
  EventRef last_event = event_ref();
};

// Result of a job as those that need it see it: failure outweighs cancelled, then success, then skipped. A failed
// combination that is allowed to fail counts as success. Only for a completed key.
types::Conclusion result_of(const KeyNode& key);

// Whether everything that `key` needs, directly or not, failed (any), and succeeded (all).
struct Ancestry {
  bool failed = false;
  bool succeeded = true;
};
Ancestry ancestry_of(const KeyNode& key);

// The `needs` context: result and merged outputs of the direct needs.
json::object needs_context(const KeyNode& key);

// Environments of the jobs that `key` needs, nearest first, each once.
std::vector<std::string> needed_layers(const KeyNode& key);

// Conclusion of a run all of whose jobs have completed.
types::Conclusion conclusion_of(const RunNode& run);

// What the run's state is by its jobs' states.
RunState state_of(const RunNode& run);

}  // namespace weir::engine
