#pragma once

#include <map>
#include <string>

#include "runner/job_state.h"

namespace weir::runner {

// The variables that an action's process gets (JavaScript, Docker; `uses:`) and that a `run` step does not, as on
// GitHub: ACTIONS_RUNTIME_URL, ACTIONS_RUNTIME_TOKEN, ACTIONS_RESULTS_URL, ACTIONS_CACHE_SERVICE_V2, ACTIONS_CACHE_URL,
// and with `permissions: id-token: write` ACTIONS_ID_TOKEN_REQUEST_URL and _TOKEN. They win over the step's own
// variables. Made by the server when the job starts; empty without one. GitHub gives the two for the id token to `run`
// steps too: those are id_token_environment().
std::map<std::string, std::string> action_environment(const JobState& job);

// The variables of these that `run` steps get too: ACTIONS_ID_TOKEN_REQUEST_URL and _TOKEN where the job has them.
std::map<std::string, std::string> id_token_environment(const JobState& job);

}  // namespace weir::runner
