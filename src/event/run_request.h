#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "store/database.h"

namespace weir::workflow {
struct Workflow;
}

namespace weir::event {

// What a person may narrow or add when starting a run by hand (`weir run`). Kept with the run.
struct RunOptions {
  std::vector<std::string> only_jobs;  // keys; these jobs and what they need; empty: all
  // Keys: only the jobs on the way from these to those; what they need of others is reused where nothing that went into
  // it has changed, and made anew where it has. Empty: from the start, to the end.
  std::vector<std::string> from;
  std::vector<std::string> to;
  std::map<std::string, std::string> matrix;  // keep matrix combinations with these values only
  json::object env;                           // over the workflow's own `env`
  json::object vars;                          // over the configured variables
  bool strict = false;                        // GitHub's empty machine for every job
  bool foreign =
      false;  // of a pull request by somebody who may not push: no secrets, a token that only reads, a sandbox
  // How many runs, each started by what the one before did, led to this one (workflow_run, events of the log).
  int level = 0;
};

// Everything a workflow run is made from.
struct RunRequest {
  std::string repo;                                    // as in subjects: "flights"
  std::string workflow_path;                           // ".github/workflows/ml-pipeline.yml"
  std::string workflow_text;                           // the file at `commit`
  std::shared_ptr<const workflow::Workflow> workflow;  // parsed from workflow_text; may be left empty
  std::string problem;         // set for a file that cannot run: the run is recorded as failed with this text
  std::string commit;          // full object id
  std::string ref;             // "refs/heads/main"
  std::string head_ref;        // pull_request only: source branch, short
  std::string base_ref;        // pull_request only: target branch, short
  std::string event_name;      // "push", "workflow_dispatch", "schedule", "pull_request"
  json::object event_payload;  // github.event
  json::object inputs;         // workflow_dispatch inputs, defaults filled in
  std::string actor;           // identity name
  std::string title;           // shown in lists: first line of the commit message; empty: the workflow's name
  std::string reason;          // why it started, for people: "push to main by alice"
  std::int64_t cause = 0;      // sequence of the event that led to it
  RunOptions options;
};

// A workflow that a job calls, as it is at the moment of the call.
struct CalledWorkflow {
  std::string text;
  std::string commit;
};

// A request that was checked and completed outside any transaction.
struct PreparedRun {
  RunRequest request;
  std::map<std::string, CalledWorkflow> called;  // by location, as engine/calls.h writes it
  std::string requirements_hash;                 // over the commit's requirement files; "" if it has none
};

// Makes workflow runs; the engine implements it. Any thread.
class RunStarter {
 public:
  virtual ~RunStarter() = default;

  // Parses the workflow and looks at the commit; may block for a git process. A workflow that does not parse gives
  // a prepared run whose `request.problem` holds the diagnostics.
  virtual Result<PreparedRun> prepare(RunRequest request) = 0;

  // Records the run in the caller's transaction and gives its id; it starts once that has been committed.
  virtual Result<std::int64_t> insert(store::Transaction& tx, const PreparedRun& run) = 0;
};

}  // namespace weir::event
