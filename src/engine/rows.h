#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/views.h"
#include "event/run_request.h"
#include "store/database.h"
#include "types/cache_mode.h"

// The engine's tables as structs: reading and writing rows, nothing else.
namespace weir::engine {

// A row of engine_runs: what is shown, and what only the engine needs.
struct RunRow : Run {
  std::string triggering_actor;  // who started this attempt
  bool cancel_requested = false;
  std::string cancel_reason;
  std::string group_name;  // concurrency group; "": none
  bool group_held = false;
  std::string base_ref;
  std::string requirements_hash;
  std::string workflow_sha256;
  event::RunOptions options;
  json::object inputs;
  json::object payload;
  json::object called;  // workflows that its jobs call: {"<location>": {"sha256": …, "commit": …}}
};

// A row of engine_jobs. A job whose matrix and details are not known yet is one row with `planned` false. A call of a
// workflow is a row too; the called workflow's jobs name it as their parent, and their keys begin with its key.
struct JobRow {
  std::int64_t id = 0;  // 0: not inserted yet
  std::int64_t run = 0;
  std::int64_t attempt = 1;
  std::int64_t parent = 0;    // the call that it belongs to; 0: the run's own workflow
  std::int64_t position = 0;  // order of show among those of the same parent
  std::string calls;          // location of the workflow that it calls; "": it has steps
  std::string key;            // below `jobs:`, after that of the call: "deploy/build", "deploy.2/build" for a third leg
  std::string name;
  std::vector<std::string> needs;
  bool planned = false;
  int leg = 0;  // which combination of the matrix, and of how many
  int legs = 1;
  bool fail_fast = true;
  int max_parallel = 0;  // 0: no limit
  JobState state = JobState::kPending;
  std::optional<types::Conclusion> conclusion;
  std::string environment;
  bool allowed_to_fail = false;  // continue-on-error
  bool deployment = true;        // entering the environment counts as a deployment to it
  std::int64_t approval = 0;
  std::string group_name;
  bool group_cancels = false;
  bool group_queues = false;  // `queue: max`
  bool group_held = false;
  bool cancel_requested = false;
  bool may_reuse = false;  // an earlier result stands for it if nothing that went into it has changed
  std::vector<std::string> labels;
  std::int64_t timeout_s = 0;
  std::int64_t cancel_limit_s = 300;  // for always() steps after a cancellation
  std::string waiting_for;
  TimePoint created_at;
  std::optional<TimePoint> queued_at;
  std::optional<TimePoint> started_at;
  std::optional<TimePoint> completed_at;
  std::int64_t origin = 0;  // the job of an earlier attempt whose result this one carries on; 0: itself
  std::string layer;        // Python environment that it made
  std::string error;
  std::vector<std::string> layers;  // environments that it started with, nearest first
  json::value matrix;               // object, or null
  json::object outputs;
  std::string environment_url;  // evaluated at the job's end
  json::object call_inputs;     // what the called workflow gets
  std::vector<int> gpus;        // numbers of those that it has while it runs
  std::string reason;           // why it ran or was reused, where that was asked
  int preemptions = 0;          // how often it had to make room, and began again
  types::CacheMode cache_mode = types::CacheMode::kWrite;
};

// The key that a job has in its own workflow file.
std::string_view local_key(std::string_view key);

// Position of a job's first leg; legs follow by one.
inline std::int64_t position_of(std::size_t job_index) {
  return static_cast<std::int64_t>(job_index) * 100'000;
}

// What is kept of a finished job's journal.
struct JobResult {
  std::vector<Step> steps;
  json::array annotations;
  std::string summary;
};

json::object to_json(const event::RunOptions& options);
event::RunOptions options_from_json(const json::value& value);

// ---- reading
Result<Run> load_run(store::Reader& reader, std::int64_t id);
Result<RunRow> load_run_row(store::Reader& reader, std::int64_t id);
Result<std::vector<Run>> list_runs(store::Reader& reader, std::optional<std::string> repo,
                                   std::optional<std::string> path, std::optional<RunState> state,
                                   std::optional<std::string> commit, std::int64_t before, int limit);
Result<std::vector<std::int64_t>> unfinished_runs(store::Reader& reader);
// In the order of the file, a called workflow's jobs after the call.
Result<std::vector<JobRow>> load_jobs(store::Reader& reader, std::int64_t run, std::int64_t attempt);
Result<JobRow> load_job(store::Reader& reader, std::int64_t id);
Result<JobResult> load_result(store::Reader& reader, std::int64_t job);
Result<std::string> load_summary(store::Reader& reader, std::int64_t job);
Result<std::string> load_workflow_text(store::Reader& reader, std::string_view sha256);
// Newest layer chain recorded for the requirements; empty if there is none.
Result<std::vector<std::string>> load_layers(store::Reader& reader, std::string_view repo, std::string_view hash);
// Sequence of the newest event about a subject; 0 if there is none.
Result<std::int64_t> newest_event(store::Reader& reader, std::string_view subject);

// ---- writing
Result<void> insert_run(store::Transaction& tx, const RunRow& run);
// Everything of a run that changes while it runs, except cancellation.
Result<void> update_run(store::Transaction& tx, const RunRow& run);
Result<void> mark_cancelled(store::Transaction& tx, std::int64_t run, std::string_view reason);
Result<void> insert_job(store::Transaction& tx, const JobRow& job);
Result<void> update_job(store::Transaction& tx, const JobRow& job);
// `inputs`: what went into it, as reuse.h writes it; "" if it must not be reused.
Result<void> insert_result(store::Transaction& tx, std::int64_t job, const JobResult& result,
                           const std::string& inputs);
Result<void> insert_workflow_text(store::Transaction& tx, std::string_view sha256, std::string_view text);
Result<void> record_layers(store::Transaction& tx, std::string_view repo, std::string_view hash,
                           const std::vector<std::string>& layers);

}  // namespace weir::engine
