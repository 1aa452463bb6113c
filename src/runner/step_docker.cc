// `uses:` of container actions: their image's program runs instead of a script.
#include "runner/action_process.h"
#include "runner/container_image.h"
#include "runner/containers.h"
#include "runner/program.h"
#include "runner/step_run.h"

namespace weir::runner {
namespace {

std::string input_of(const Inputs& inputs, std::string_view name) {
  const auto found = inputs.find(name);
  return found == inputs.end() ? std::string() : found->second;
}

// What `args` and `env` of the action's file say: expressions over its inputs.
struct Command {
  std::vector<std::string> arguments;
  std::map<std::string, std::string> env;
};

Result<Command> evaluate_command(const JobState& job, const workflow::ActionFile& file, const Inputs& inputs) {
  workflow::Contexts contexts;
  contexts.status = job.contexts.status;
  auto& own = contexts.values["inputs"].emplace_object();
  for (const auto& [name, value] : inputs) own[name] = value;
  Command command;
  for (const auto& text : file.args) command.arguments.push_back(WEIR_TRY(workflow::interpolate(text, contexts)));
  if (file.args.empty()) command.arguments = split_arguments(input_of(inputs, "args"));
  for (const auto& [name, value] : file.env) {
    command.env[std::string(name)] = WEIR_TRY(workflow::interpolate(workflow::to_text(value), contexts));
  }
  return command;
}

Result<void> run_process(JobState& job, StepState& step, ActionRun& run, const std::string& entrypoint,
                         const Inputs& inputs) {
  const Action& action = *run.action;
  WEIR_TRY(job.containers->require(fmt::format("`uses: {}`", action.uses)));
  Containers::ActionProcess process;
  process.image = action.file.image;
  if (process.image.starts_with("docker://")) {
    process.image.erase(0, 9);
    if (process.image.starts_with('-')) return fail(Code::kInvalidArgument, "\"{}\" is no image", process.image);
    process.image = whole_image_name(process.image);
  } else {
    process.image = WEIR_TRY(job.containers->build(step, action.uses, action.folder / action.file.image));
  }
  const Command command = WEIR_TRY(evaluate_command(job, action.file, inputs));
  process.entrypoint = entrypoint;
  process.arguments = command.arguments;
  return run_action_process(job, step, run, inputs, command.env, [&]() -> Result<SupervisedEnd> {
    process.variables = step.variables;
    return job.containers->run_action(step, std::move(process));
  });
}

void expect_docker_post(JobState& job, const StepState& step, const std::shared_ptr<ActionRun>& run) {
  if (run->action->file.post_entrypoint.empty()) return;
  expect_post(job, step, run, step.title, [run](JobState& later, StepState& post_step) -> Result<void> {
    const Inputs inputs = WEIR_TRY(evaluate_inputs(later, post_step, &run->action->file, true));
    show_action_header(later, post_step, inputs);
    return run_process(later, post_step, *run, run->action->file.post_entrypoint, inputs);
  });
}

}  // namespace

Result<void> run_docker(JobState& job, StepState& step, const std::shared_ptr<ActionRun>& run) {
  const auto& file = run->action->file;
  const Inputs inputs = WEIR_TRY(evaluate_inputs(job, step, &file));
  show_action_header(job, step, inputs);
  expect_docker_post(job, step, run);
  return run_process(job, step, *run, file.entrypoint.empty() ? input_of(inputs, "entrypoint") : file.entrypoint,
                     inputs);
}

Result<void> run_docker_pre(JobState& job, StepState& step, const std::shared_ptr<ActionRun>& run) {
  const Inputs inputs = WEIR_TRY(evaluate_inputs(job, step, &run->action->file, true));
  show_action_header(job, step, inputs);
  expect_docker_post(job, step, run);
  return run_process(job, step, *run, run->action->file.pre_entrypoint, inputs);
}

}  // namespace weir::runner
