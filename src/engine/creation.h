#pragma once

#include <cstdint>
#include <string>

#include "engine/rows.h"
#include "engine/workflow_cache.h"
#include "event/run_request.h"
#include "io/git.h"
#include "store/database.h"

// Recording runs and new attempts: rows and the event, in a transaction of the caller's.
namespace weir::engine {

// SHA-256 over the names and contents of the files that say what Python packages a commit needs (requirements*.txt,
// pyproject.toml, setup.py, setup.cfg, in any folder); "" if it has none.
Result<std::string> requirements_hash(const io::Git& git, const std::string& commit);

// Parses the workflow where that was not done, checks the options and fills in what is empty. Problems of the file go
// to request.problem.
Result<void> complete_request(event::RunRequest& request, WorkflowCache& workflows);

// What `run-name` may see beside the run itself.
struct TitleFacts {
  std::string server_url;
  std::string default_owner;
  json::object vars;
};

// The run, its jobs and run.created; for a request with a problem, a run that has failed already.
Result<std::int64_t> insert_new_run(store::Transaction& tx, const event::PreparedRun& prepared,
                                    const TitleFacts& facts);

// What a run was made from, for another commit.
event::RunRequest request_again(const RunRow& run, const std::string& commit, std::string workflow_text,
                                const std::string& actor);

// Keys of the run's own jobs that did not succeed. kFailedPrecondition if there is none, or if it has not completed.
Result<std::vector<std::string>> failed_keys(const RunRow& run, const std::vector<JobRow>& jobs);

// Rows and event of a new attempt. Jobs that succeeded and depend on nothing that runs again are carried over if
// `failed_only`. kFailedPrecondition if the run has not completed, cannot run at all, or nothing of it failed.
Result<void> insert_attempt(store::Transaction& tx, std::int64_t run, bool failed_only, const std::string& actor);

}  // namespace weir::engine
