#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "engine/rows.h"

namespace weir::engine {

// github.server_url for a server at `server_url`. Programs that people use with GitHub take a bare address for an
// Enterprise server and then refuse; a name below .localhost they take for GitHub's own. Browsers, curl and git know
// that such a name is this machine; programs that ask the system's resolver may not, so that addresses for programs
// (api_url) keep the number.
std::string shown_url(std::string_view server_url);

// The `github` context of a run (docs.github.com, "Contexts"), without what only a job has: job, token, workspace,
// action and the paths that the runner makes. Numbers that GitHub gives as texts are texts.
json::object github_context(const RunRow& run, std::string_view server_url, std::string_view default_owner);

// The workflow file that a job stands in, where it is another one than the run's own.
struct CalledFile {
  std::string location;  // as calls.h writes it; "": the run's own file
  std::string commit;
};

// The `job` context at the job's start; `repository` is the run's, "owner/name".
json::object job_context(const RunRow& run, const CalledFile& file, std::string_view repository);

}  // namespace weir::engine
