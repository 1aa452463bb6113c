#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "types/cache_mode.h"

namespace weir::types {

// The label that containers and networks of a job bear, with the job's RUNNER_TRACKING_ID as its value.
inline constexpr std::string_view kTrackingLabel = "weir-tracking";

// What holds for a job whose code nobody here has looked at: each process of its steps runs in a sandbox of its own.
struct JobSandbox {
  std::int64_t memory_bytes = std::int64_t{2} << 30;  // of all of them together
  std::int64_t processes = 512;                       // likewise; threads count
  std::string state_dir;                              // the server's: hidden from them, but for what is the job's
};

// Everything that a runner needs to run one job, written by the engine as <job dir>/spec.json. Secrets are not in it:
// they come on the runner's standard input as {"secrets": {...}, "token": "...", "env": {...}, "actions": {...}} and
// stay in its memory; `env` are the variables of workflow and job whose values were made from a secret, `actions` those
// that actions get and `run` steps do not (ACTIONS_RUNTIME_TOKEN and its like).
struct JobSpec {
  static constexpr int kVersion = 1;

  std::int64_t job_id = 0;
  std::int64_t run_id = 0;
  std::int64_t run_number = 0;
  std::int64_t run_attempt = 1;
  std::string job_key;   // key below `jobs:`, e.g. "train"
  std::string job_name;  // as shown, e.g. "train (3.11, large)"
  std::string workflow_name;
  std::string workspace;   // absolute path, made by the runner
  std::string git_dir;     // absolute path of the repository's git directory
  std::string repository;  // "owner/name"
  std::string commit;
  std::string ref;                         // "refs/heads/main"
  std::string server_url;                  // "http://127.0.0.1:4510", no slash at the end
  std::string checkouts_dir;               // small work trees, kept for the next job
  std::string envs_dir;                    // immutable Python environments
  std::string tool_dir;                    // RUNNER_TOOL_CACHE
  std::string blobs_dir;                   // the server's blobs, where the runner may read them itself; "": it may not
  std::string exchange_dir;                // files that are handed to the server by their names; "": none
  std::string cache_trees_dir;             // unpacked caches that nobody changed; "": none
  std::string containers_dir;              // a job that uses containers leaves a file of its number here; "": none
  std::string actions_dir;                 // where actions of other repositories are kept
  std::string actions_url;                 // what their names are below: "https://github.com", "file:///srv/mirror"
  std::string server_owner;                // "weir": OWNER/NAME of this owner is the server's own repository NAME
  std::vector<std::string> python_layers;  // environment folders of needed or earlier jobs, nearest first
  bool strict = false;                     // GitHub's empty machine: no implicit checkout, no layers
  bool implicit_checkout = false;          // no actions/checkout step: start with the commit checked out
  bool may_push = true;                    // `permissions` let it write contents; a server asks its token instead
  Duration timeout{std::chrono::hours{6}};
  Duration cancel_limit{std::chrono::minutes{5}};   // for always() steps after a cancellation
  Duration preempt_grace{std::chrono::minutes{1}};  // from SIGTERM to SIGKILL when the job is to make room
  CacheMode cache_mode = CacheMode::kWrite;         // what the server lets it do with caches
  std::vector<std::string> warnings;                // of the engine, shown where the job begins
  json::object contexts;              // github, env, vars, needs, matrix, strategy, inputs, job, runner (no secrets)
  json::object env;                   // workflow-level and job-level `env`, expressions evaluated
  json::object outputs;               // the job's `outputs`, expressions not yet evaluated
  std::string environment_url;        // `environment.url`, expressions not yet evaluated
  json::object defaults;              // {"run": {"shell": …, "working-directory": …}}
  json::value container;              // image, or {"image": …, "env": …}; expressions not yet evaluated; null: none
  json::value services;               // by name the same; null: none
  json::array steps;                  // workflow::Step as JSON, expressions not yet evaluated
  std::optional<JobSandbox> sandbox;  // nothing: its steps have the rights of the server's user
};

json::value to_json(const JobSpec& spec);
// kInvalidArgument names the member that is missing or of the wrong kind; kUnimplemented for a newer version.
Result<JobSpec> job_spec_from_json(const json::value& value);

// How a step or job ended. Persisted.
enum class Conclusion : std::uint8_t { kSuccess = 1, kFailure = 2, kCancelled = 3, kSkipped = 4, kTimedOut = 5 };
std::string_view conclusion_name(Conclusion conclusion);  // "success", "failure", "cancelled", "skipped", "timed_out"
Result<Conclusion> parse_conclusion(std::string_view name);

// One line of <job dir>/journal.jsonl. The runner appends with one write() a record, so that a reader of a live or
// torn file sees whole records followed by at most one broken line, which it ignores.
//   {"seq": 1, "t": <micros>, "type": "job_started", "pid": …}
//   {"type": "step_started", "step": 0, "name": "Train model"}
//   {"type": "step_finished", "step": 0, "conclusion": "success", "outcome": "success", "outputs": {…}}
//   {"type": "summary", "step": 0, "text": "…"}       {"type": "annotation", "level": "error", "message": …, "file": …,
//   "line": …}
//   {"type": "job_cancelled"}: the runner was asked to stop, or its time is up
//   {"type": "job_preempted"}: its last record; the job made room for another one and is to run again
//   {"type": "job_finished", "conclusion": "success", "outputs": {…}, "environment_url": "…", "layer": "<python
//   environment folder, if anything was installed>", "reads": {"files": […], "folders": […]}: what of the commit's
//   files it read, or null if that is unknown}
struct JournalRecord {
  std::int64_t sequence = 0;
  TimePoint time;
  std::string type;
  json::object fields;  // the whole record
};

// Reads what `text` (a journal, or its tail) holds; `consumed` becomes the bytes of whole lines read.
std::vector<JournalRecord> read_journal(std::string_view text, std::size_t& consumed);

// One line of <job dir>/log.txt: "<step> <micros> <stream> <text>\n"; stream is 'o' (output), 'c' (a command echoed or
// a group marker), 'e' (an error of the runner's). Secrets are already masked. `text` holds no newline.
struct LogLine {
  int step = 0;  // index into the job's steps; -1: the job's own set-up
  TimePoint time;
  char stream = 'o';
  std::string text;
};
std::string format_log_line(const LogLine& line);
// Lines of `text`; a torn last line is left for later (`consumed`). Bytes that are no UTF-8 were replaced by the
// writer.
std::vector<LogLine> read_log(std::string_view text, std::size_t& consumed);

}  // namespace weir::types
