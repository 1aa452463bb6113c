#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "engine/executor.h"
#include "types/job_spec.h"

// Runs and jobs as the API shows them.
namespace weir::engine {

// Persisted.
enum class RunState : std::uint8_t { kQueued = 1, kWaiting = 2, kInProgress = 3, kCompleted = 4 };
enum class JobState : std::uint8_t {
  kPending = 1,  // for jobs that it needs
  kWaiting = 2,  // for an approval, a wait timer or its concurrency group
  kQueued = 3,   // for a slot
  kInProgress = 4,
  kCompleted = 5,
};
std::string_view run_state_name(RunState state);  // "queued", "waiting", "in_progress", "completed"
std::string_view job_state_name(JobState state);  // "pending", "waiting", "queued", "in_progress", "completed"
Result<RunState> parse_run_state(std::string_view name);

struct Run {
  std::int64_t id = 0;
  std::int64_t number = 0;  // counts per workflow file, from 1
  std::int64_t attempt = 1;
  std::string workflow;  // its name
  std::string path;
  std::string repo;
  std::string event;
  std::string ref;
  std::string commit;
  std::string head_sha;  // of a pull request, the commit that it offers; else the same
  std::string head_ref;  // of a pull request, the branch that it offers: "better"; else ""
  std::string title;
  std::string actor;
  RunState state = RunState::kQueued;
  std::optional<types::Conclusion> conclusion;
  TimePoint created_at;
  std::optional<TimePoint> started_at;
  std::optional<TimePoint> completed_at;
  std::string reason;              // why it started
  std::string problem;             // diagnostics of a workflow that cannot run, or why the run was cancelled
  std::int64_t cause = 0;          // event that led to it
  std::int64_t created_event = 0;  // sequence of its run.created
};

// How much of a job is read: an outline leaves out steps and annotations, and the summary until it has ended.
enum class JobParts : std::uint8_t { kAll, kOutline };

struct Job {
  std::int64_t id = 0;
  std::int64_t run = 0;
  std::int64_t attempt = 1;
  std::int64_t parent = 0;  // the call of a workflow that it belongs to; 0: none
  std::string calls;        // the workflow that it calls; "": it has steps
  std::string key;
  std::string name;
  std::vector<std::string> needs;  // keys
  JobState state = JobState::kPending;
  std::optional<types::Conclusion> conclusion;
  TimePoint created_at;
  std::optional<TimePoint> started_at;
  std::optional<TimePoint> completed_at;
  std::string environment;
  bool deployment = true;     // entering the environment counts as a deployment to it
  std::int64_t approval = 0;  // id of the approval that it needs or had; 0: none
  std::int64_t origin = 0;    // the earlier job whose result it carries on; 0: its own
  std::string reason;         // why it ran or was reused, where that was asked
  std::string waiting_for;    // what a waiting job waits for, for people
  std::string error;          // why it failed without (or besides) its steps
  json::value matrix;         // object, or null
  json::object outputs;
  std::string environment_url;  // evaluated at the job's end; "" if none
  std::vector<Step> steps;
  std::string summary;
  json::array annotations;
};

// Members as the REST API names them; jobs with their steps.
json::object to_json(const Run& run);
json::object to_json(const Job& job);
json::object to_json(const Step& step);

}  // namespace weir::engine
