// `uses:` of composite actions: their steps run inside the step that names them.
#include "runner/loaded_action.h"
#include "runner/step_run.h"

namespace weir::runner {
namespace {

using types::Conclusion;

constexpr int kDepthMax = 10;  // as on GitHub

bool must_end(const JobState& job, const StepState& step) {
  const StepState* outermost = &step;
  while (outermost->outer != nullptr) outermost = outermost->outer;
  return outermost->timed_out || job.supervisor->killed() || job.supervisor->stopping();
}

void run_steps(JobState& job, StepState& step, const Action& action) {
  int number = 0;
  for (const auto& inner_step : action.file.steps) {
    StepState inner{.index = step.index, .path = inner_path(step, number++)};
    inner.step = inner_step;
    inner.name = step.name;
    inner.outer = &step;
    run_inner_step(job, inner);
    if (inner.conclusion == Conclusion::kFailure) {
      job.action_failed = true;
      step.outcome = Conclusion::kFailure;
    } else if (inner.conclusion == Conclusion::kCancelled && step.outcome == Conclusion::kSuccess) {
      step.outcome = Conclusion::kCancelled;
    }
    if (must_end(job, step)) {
      if (step.outcome == Conclusion::kSuccess) step.outcome = Conclusion::kCancelled;
      return;
    }
  }
}

}  // namespace

Result<void> run_composite(JobState& job, StepState& step, const Action& action) {
  if (job.depth >= kDepthMax) {
    return fail(Code::kInvalidArgument, "`uses: {}` lies more than {} actions deep", action.uses, kDepthMax);
  }
  const Inputs inputs = WEIR_TRY(evaluate_inputs(job, step, &action.file));
  show_action_header(job, step, inputs);
  const ActionScope scope(job, step, action, inputs);
  run_steps(job, step, action);
  job.update_status();
  // What is set in the action's last steps counts for its outputs too.
  job.contexts.values["env"] = job.job_env;
  for (const auto& [name, value] : job.outer_env) job.contexts.values["env"].get_object()[name] = value;
  for (const auto& output : action.file.outputs) {
    step.outputs[output.name] = WEIR_TRY(workflow::interpolate(output.value, job.contexts));
  }
  return {};
}

}  // namespace weir::runner
