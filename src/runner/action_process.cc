#include "runner/action_process.h"

#include "runner/action_environment.h"
#include "runner/step_commands.h"
#include "runner/step_run.h"

namespace weir::runner {

Result<void> run_action_process(JobState& job, StepState& step, ActionRun& run, const Inputs& inputs,
                                const std::map<std::string, std::string>& defaults,
                                const std::function<Result<SupervisedEnd>()>& start) {
  const Action& action = *run.action;
  step.variables = job.process_env(step.env);
  for (const auto& [name, value] : defaults) step.variables.try_emplace(name, value);
  for (const auto& [name, value] : run.state) step.variables["STATE_" + name] = value;
  for (const auto& [name, value] : inputs) step.variables[input_variable(name)] = value;
  for (const auto& [name, value] : action_environment(job)) step.variables[name] = value;
  step.variables["GITHUB_ACTION"] = step.name;
  step.variables["GITHUB_ACTION_REPOSITORY"] = action.repository;
  step.variables["GITHUB_ACTION_REF"] = action.ref;
  WEIR_TRY(job.files.prepare(step.variables));
  step.saved_state = &run.state;
  const auto end = WEIR_TRY(start());
  if (!report_stop(job, step, end.stopped) && end.status.code != 0) {
    // Actions say themselves what went wrong; one that fell silent does not.
    if (!step.annotations.contains("error")) {
      job.error(step, fmt::format("{} ended with exit code {}", action.uses, end.status.code));
    }
    step.outcome = types::Conclusion::kFailure;
  }
  process_step_files(job, step);
  step.saved_state = nullptr;
  return {};
}

}  // namespace weir::runner
