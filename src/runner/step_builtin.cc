// `uses:` of actions that are built in.
#include <algorithm>

#include "base/hash.h"
#include "runner/loaded_action.h"
#include "runner/sandbox.h"
#include "runner/step_commands.h"
#include "runner/step_work.h"

namespace weir::runner {
namespace {

using types::Conclusion;

void warn_about_unknown(JobState& job, StepState& step, const BuiltinAction& action, const Inputs& inputs) {
  std::string unknown;
  for (const auto& [name, value] : inputs) {
    const bool known = std::ranges::any_of(action.inputs, [&](auto input) { return equal_ignoring_case(input, name); });
    if (!known) unknown += fmt::format("{}'{}'", unknown.empty() ? "" : ", ", name);
  }
  if (unknown.empty()) return;
  std::string valid;
  for (const auto input : action.inputs) valid += fmt::format("{}'{}'", valid.empty() ? "" : ", ", input);
  job.warning(step, fmt::format("Unexpected input(s) {}, valid inputs are [{}]", unknown, valid));
}

// What setup-python chose. Packages of the interpreter itself stay out then, as on GitHub's machines; those of the
// virtual environment that the server was started in stay, if they fit.
Result<void> change_python(JobState& job, StepState& step, Interpreter interpreter) {
  interpreter.virtual_env.clear();
  const bool outer_fits = job.outer_python && job.outer_python->version.same_minor(interpreter.version);
  if (outer_fits && !job.spec->strict) interpreter.virtual_env = job.outer_python->virtual_env;
  return set_up_python(job, step, std::move(interpreter), false);
}

// Those that confine what they do with the workspace themselves: they need the machine's programs as well.
bool confines_itself(std::string_view name) {
  constexpr std::string_view kNames[] = {"actions/checkout", "actions/setup-python", "actions/setup-node"};
  return std::ranges::find(kNames, name) != std::end(kNames);
}

// Steps of a sandbox have no say in what runs outside of it, as PATH would be, or HOME in paths of built-in actions.
Result<void> adapt_to_sandbox(const JobState& job, const StepState& step, ActionRequest& request) {
  constexpr std::string_view kRefused[] = {"aws-actions/configure-aws-credentials", "slack/notify-action"};
  if (std::ranges::find(kRefused, request.name) != std::end(kRefused)) {
    return fail(Code::kPermissionDenied, "`uses: {}` is not for {}", step.step.uses, kSandboxed);
  }
  request.confinement = job.sandbox->confinement();
  request.staging = job.sandbox->staging();
  request.env = job.inherited;
  for (const auto& [name, value] : job.fixed_env) request.env[name] = value;
  if (!confines_itself(request.name)) request.env["HOME"] = job.sandbox->home().string();
  return {};
}

// Does an action's work on a thread of its own and takes over what it answers. Nothing if the step was ended or failed.
std::optional<ActionResult> run_function(JobState& job, StepState& step, const ActionRequest& request,
                                         const ActionFunction& function) {
  auto answer =
      work_aside<ActionResult>(job, step, [request, function](const WorkTools& tools) -> Result<ActionResult> {
        ActionRequest own = request;
        own.reporter = tools.reporter;
        own.stop = tools.stop;
        // The thread does nothing else, and ends with it.
        if (own.confinement && !confines_itself(own.name)) WEIR_TRY(own.confinement->confine_thread());
        return function(own);
      });
  if (!answer) return std::nullopt;
  if (!*answer) {
    job.error(step, answer->error().message);
    step.outcome = Conclusion::kFailure;
    return std::nullopt;
  }
  ActionResult& result = **answer;
  if (result.failed) step.outcome = Conclusion::kFailure;
  for (const auto& secret : result.masks) job.log->add_mask(secret);
  for (const auto& [name, value] : result.outputs) step.outputs[name] = value;
  for (const auto& [name, value] : result.env) job.set_env(name, value);
  for (const auto& [name, value] : result.hidden_env) job.set_hidden_env(name, value);
  for (const auto& path : result.paths) job.add_path(path);
  record_summary(job, step, result.summary);
  if (result.at_end) job.at_end.push_back(result.at_end);
  return std::move(result);
}

}  // namespace

Result<void> set_up_python(JobState& job, StepState& step, Interpreter interpreter, bool system_packages) {
  PythonEnvSpec spec{.folder = job.job_dir / "venv",
                     .envs_dir = job.spec->envs_dir,
                     .interpreter = std::move(interpreter),
                     .layers = {},
                     .system_packages = system_packages};
  std::vector<std::string> dropped;
  if (!job.spec->strict) spec.layers = flatten_layers(job.spec->python_layers, spec.interpreter.version, dropped);
  for (const auto& text : dropped) {
    job.line(step.index, 'c', fmt::format("Packages of an earlier job are left out: {}", text));
  }
  std::string below;
  for (const auto& layer : spec.layers) {
    below += fmt::format("{}job {}", below.empty() ? "" : ", ", layer.filename().string());
  }
  if (!spec.interpreter.virtual_env.empty()) {
    below += fmt::format("{}{}", below.empty() ? "" : ", ", spec.interpreter.virtual_env.string());
  }
  if (!below.empty()) {
    job.line(step.index, 'c',
             fmt::format("Python {} starts with the packages of {} (--strict turns this off)",
                         minor_version(spec.interpreter.version), below));
  }
  // What a sandbox left in it stays in no other's way: made anew.
  const bool keep = !job.sandbox && job.python &&
                    job.python->spec().interpreter.version.same_minor(spec.interpreter.version) &&
                    job.python->has_packages();
  job.python = std::make_shared<PythonEnv>(
      WEIR_TRY(keep ? PythonEnv::adopt(std::move(spec)) : PythonEnv::create(std::move(spec))));
  // Steps cannot make the layer with pip themselves, which they would as soon as they want it.
  if (job.sandbox) WEIR_TRY(job.python->make_base(job.inherited));
  return {};
}

Result<void> run_builtin(JobState& job, StepState& step, const BuiltinAction& action, const UsesReference& uses) {
  Inputs inputs = WEIR_TRY(evaluate_inputs(job, step, nullptr));
  show_action_header(job, step, inputs);
  warn_about_unknown(job, step, action, inputs);
  step.variables = job.process_env(step.env);
  ActionRequest request{.uses = step.step.uses,
                        .name = uses.name,
                        .version = version_number(uses.ref),
                        .inputs = std::move(inputs),
                        .env = step.variables,
                        .spec = job.spec,
                        .job_dir = job.job_dir,
                        .workspace = job.workspace,
                        .temp_dir = job.temp_dir,
                        .token = job.token,
                        .reporter = nullptr,
                        .stop = nullptr,
                        .python = job.python,
                        .confinement = nullptr,
                        .staging = {}};
  if (job.sandbox) WEIR_TRY(adapt_to_sandbox(job, step, request));
  auto result = run_function(job, step, request, action.run);
  if (!result) return {};
  if (result->python) WEIR_TRY(change_python(job, step, *result->python));
  if (result->python_files_changed && job.python) {
    WEIR_TRY(run_confined(job.confinement(), [&] { return job.python->refresh(); }));
  }
  if (result->post) {
    PostStep post{.title = "Post " + step.title, .name = step.name, .step = step.step, .run = {}};
    post.step.condition = "success()";
    post.run = [request, function = result->post](JobState& later, StepState& post_step) -> Result<void> {
      ActionRequest own = request;
      own.python = later.python;
      run_function(later, post_step, own, function);
      return {};
    };
    job.posts.push_back(std::move(post));
  }
  return {};
}

}  // namespace weir::runner
