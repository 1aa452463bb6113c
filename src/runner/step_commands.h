#pragma once

#include <string_view>

#include "runner/job_state.h"

namespace weir::runner {

// Does what a line of a step's output commands. False if it is ordinary output, to be shown.
bool process_command_line(JobState& job, StepState& step, std::string_view line);

// Takes over what the step wrote to its files: outputs, environment, paths, summary. Mistakes are reported and fail the
// step (`command_failed`).
void process_step_files(JobState& job, StepState& step);

// Takes a summary over (masked; at most 1 MiB).
void record_summary(JobState& job, StepState& step, std::string_view text);

// Sets an environment variable for the steps to come, unless it is one that a step must not set.
void set_step_env(JobState& job, StepState& step, std::string_view name, std::string_view value,
                  std::string_view command);

}  // namespace weir::runner
