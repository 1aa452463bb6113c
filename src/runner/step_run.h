#pragma once

#include "runner/job_state.h"

namespace weir::runner {

// What a step left to be done after the job's steps.
struct PostStep {
  std::string title;
  int step = 0;  // that it belongs to
  ActionRequest request;
  std::function<Result<ActionResult>(const ActionRequest&)> run;
};

// Runs one step from its `if` to its record in the journal, as GitHub does. Failures end up in the step's outcome.
void run_step(JobState& job, StepState& step, std::vector<PostStep>& posts);

// Runs a post step under the number `index`.
void run_post_step(JobState& job, PostStep& post, int index);

// The pieces that run_step() chooses from: `run:` and `uses:`. An error fails the step with its message.
Result<void> run_script(JobState& job, StepState& step, std::optional<Duration> limit);
Result<void> run_action(JobState& job, StepState& step, std::optional<Duration> limit, std::vector<PostStep>& posts);
void run_post_action(JobState& job, StepState& step, const PostStep& post);

// Sets the outcome of what the supervisor ended; false if it did not.
bool report_stop(JobState& job, StepState& step, StopReason reason, std::optional<Duration> limit);

// Whether the job's cancellation ends this step: not if its `if` holds nevertheless (always(), cancelled()).
std::function<bool()> cancels(JobState& job, const StepState& step);

// Stands the job's Python environment on `interpreter` and says in the log what it starts with.
Result<void> set_up_python(JobState& job, StepState& step, Interpreter interpreter, bool system_packages);

}  // namespace weir::runner
