#pragma once

#include <filesystem>
#include <string>

#include "base/json.h"
#include "runner/supervisor.h"
#include "types/job_spec.h"

// Runs one job from its specification to the last record of its journal.
namespace weir::runner {

struct JobOptions {
  KillPauses pauses;  // shorter in tests
};

// What comes on standard input, and stays in memory.
struct JobSecrets {
  json::object secrets;  // names to strings
  std::string token;     // the job's; "" without a server that wants one
  json::object env;      // of workflow and job, where a value holds a secret
  json::object actions;  // variables that actions get and `run` steps do not
};
Result<JobSecrets> parse_secrets(std::string_view text);

struct JobExit {
  // A thread of a given-up action may still be at work: leave without destroying what is shared by the whole process.
  bool work_abandoned = false;
};

// Runs the job of `job_dir` (holds spec.json; journal.jsonl and log.txt are made). Success once the journal says
// "job_finished", whatever the job's conclusion; an error if the job could not be started or its end not be recorded.
// One job a process: signals, children and the mask of new files are the process's.
Result<JobExit> run_job(const std::filesystem::path& job_dir, JobSecrets secrets, const JobOptions& options = {});

}  // namespace weir::runner
