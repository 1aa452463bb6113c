#pragma once

#include "runner/job_state.h"

namespace weir::runner {

// What a step does once its `if` holds. An error fails the step with its message.
using StepBody = std::function<Result<void>(JobState&, StepState&)>;

// Runs one of the job's steps from its `if` to its record in the journal, as GitHub does. Failures end up in the step's
// outcome. `title`: instead of the one that the step's own members give.
void run_step(JobState& job, StepState& step, const StepBody& body, std::string title = {});

// The same for a step inside a composite action, which the journal does not know.
void run_inner_step(JobState& job, StepState& step);

// What a step that has `run` or `uses` does.
Result<void> run_main(JobState& job, StepState& step);

// The parts of run_step(), for steps that run in the background.
enum class StepWish { kRun, kSkip, kFailed };
// `env` and `if`. `files`: what the step will talk back by.
StepWish begin_step(JobState& job, StepState& step, const StepFiles& files);
void run_body(JobState& job, StepState& step, const StepBody& body);
void record_start(JobState& job, const StepState& step);
void record_end(JobState& job, StepState& step);
void remember(JobState& job, const StepState& step);  // in the `steps` context

// The pieces that run_main() chooses from.
Result<void> run_script(JobState& job, StepState& step);
Result<void> run_action(JobState& job, StepState& step);

// The step's name, evaluated if that works; for show.
std::string shown_title(const JobState& job, const workflow::Step& step);

// What is left of the step's time; nothing without `timeout-minutes`.
std::optional<Duration> time_left(const StepState& step);

// Sets the outcome of what the supervisor ended; false if it did not.
bool report_stop(JobState& job, StepState& step, StopReason reason);

// Whether the job's cancellation ends this step: not if its `if` holds nevertheless (always(), cancelled()).
std::function<bool()> cancels(JobState& job, const StepState& step);

// Runs a process of the step to its end; in the job's sandbox if it has one.
Result<SupervisedEnd> run_supervised(JobState& job, StepState& step, io::ProcessOptions options);

// Takes what a step's processes print: commands and problems as long as the step runs, afterwards lines of its log.
LineSplitter::Use take_lines(JobState& job, StepState& step);

// Stands the job's Python environment on `interpreter` and says in the log what it starts with.
Result<void> set_up_python(JobState& job, StepState& step, Interpreter interpreter, bool system_packages);

}  // namespace weir::runner
