#pragma once

#include <functional>

#include "runner/loaded_action.h"
#include "runner/supervisor.h"

namespace weir::runner {

// Runs one process of a JavaScript or container action through `start`, with the variables that GitHub gives it: the
// step's, then `defaults` where these have none, STATE_…, INPUT_… and those of action_environment(). Sets the step's
// outcome, reads what the process left in the step's files, and keeps its state for the action's next process. Called
// by the step's own thread.
Result<void> run_action_process(JobState& job, StepState& step, ActionRun& run, const Inputs& inputs,
                                const std::map<std::string, std::string>& defaults,
                                const std::function<Result<SupervisedEnd>()>& start);

}  // namespace weir::runner
