#pragma once

#include "runner/job_state.h"

namespace weir::runner {

// Fills the expression contexts and the environment that all steps start from: GitHub's default variables, the
// runner's, MLflow's address and weir's own. Writes the event's payload to GITHUB_EVENT_PATH.
Result<void> prepare_contexts(JobState& job);

// Where this job looks for interpreters.
PythonPlaces python_places(const JobState& job);

}  // namespace weir::runner
