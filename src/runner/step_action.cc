// `uses:` steps: actions that are built in.
#include <algorithm>
#include <charconv>
#include <mutex>

#include "base/hash.h"
#include "runner/step_commands.h"
#include "runner/step_run.h"

namespace weir::runner {
namespace {

using types::Conclusion;

// Takes an action's lines as long as its step lives. An action that was abandoned talks to nobody.
class StepReporter final : public Reporter {
 public:
  StepReporter(JobState& job, StepState& step) : job_(&job), step_(&step) {}

  void line(std::string_view text) override {
    const std::scoped_lock lock(mutex_);
    if (job_ == nullptr) return;
    job_->line(step_->index, 'o', text);
    job_->log->flush();
  }
  void annotate(std::string_view level, std::string_view message) override {
    const std::scoped_lock lock(mutex_);
    if (job_ == nullptr) return;
    job_->annotate(*step_, level, message);
    job_->log->flush();
  }
  void detach() {
    const std::scoped_lock lock(mutex_);
    job_ = nullptr;
  }

 private:
  std::mutex mutex_;
  JobState* job_;
  StepState* step_;
};

void show_header(JobState& job, const StepState& step, const Inputs& inputs) {
  std::string text = fmt::format("##[group]Run {}\n", step.step.uses);
  if (!inputs.empty()) text += "with:\n";
  for (const auto& [name, value] : inputs) text += fmt::format("  {}: {}\n", name, value);
  if (!step.env.empty()) text += "env:\n";
  for (const auto& [name, value] : step.env) {
    text += fmt::format("  {}: {}\n", std::string_view(name), workflow::to_text(value));
  }
  text += "##[endgroup]";
  job.line(step.index, 'c', text);
}

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

int version_number(std::string_view version) {
  if (version.starts_with('v')) version.remove_prefix(1);
  int number = 0;
  const auto [end, error] = std::from_chars(version.data(), version.data() + version.size(), number);
  // A commit's id is no version.
  return error == std::errc{} && (end == version.data() + version.size() || *end == '.') && number < 1000 ? number : 0;
}

// Runs an action's function on a thread of its own and takes over what it answers.
void run_function(JobState& job, StepState& step, ActionRequest request,
                  const std::function<Result<ActionResult>(const ActionRequest&)>& function,
                  std::optional<Duration> limit, const std::function<void(ActionResult&)>& take_over) {
  const auto reporter = std::make_shared<StepReporter>(job, step);
  const auto stop = std::make_shared<std::atomic<bool>>(false);
  request.reporter = reporter;
  request.stop = stop;
  // Shared with the thread, which may outlive this call when it is abandoned.
  const auto answer = std::make_shared<Result<ActionResult>>();
  const auto end = job.supervisor->run_work([answer, function, request] { *answer = function(request); }, stop, limit,
                                            cancels(job, step));
  if (!end.finished) reporter->detach();
  if (report_stop(job, step, end.stopped, limit)) return;
  if (!*answer) {
    job.error(step, answer->error().message);
    step.outcome = Conclusion::kFailure;
    return;
  }
  ActionResult& result = **answer;
  if (result.failed) step.outcome = Conclusion::kFailure;
  for (const auto& [name, value] : result.outputs) step.outputs[name] = value;
  for (const auto& [name, value] : result.env) job.set_env(name, value);
  for (const auto& [name, value] : result.hidden_env) job.hidden_env[name] = value;
  for (const auto& path : result.paths) job.add_path(path);
  record_summary(job, step, result.summary);
  take_over(result);
}

// What setup-python chose. Packages of the interpreter itself stay out then, as on GitHub's machines; those of the
// virtual environment that the server was started in stay, if they fit.
Result<void> change_python(JobState& job, StepState& step, Interpreter interpreter) {
  interpreter.virtual_env.clear();
  const bool outer_fits = job.outer_python && job.outer_python->version.same_minor(interpreter.version);
  if (outer_fits && !job.spec->strict) interpreter.virtual_env = job.outer_python->virtual_env;
  return set_up_python(job, step, std::move(interpreter), false);
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
  const bool keep = job.python && job.python->spec().interpreter.version.same_minor(spec.interpreter.version) &&
                    job.python->has_packages();
  job.python = std::make_shared<PythonEnv>(
      WEIR_TRY(keep ? PythonEnv::adopt(std::move(spec)) : PythonEnv::create(std::move(spec))));
  return {};
}

Result<void> run_action(JobState& job, StepState& step, std::optional<Duration> limit, std::vector<PostStep>& posts) {
  const BuiltinAction action = WEIR_TRY(find_action(step.step.uses));
  const UsesReference reference = parse_uses(step.step.uses);
  Inputs inputs;
  for (const auto& [name, value] : step.step.with) {
    const std::string text = value.is_string()
                                 ? WEIR_TRY(workflow::interpolate(std::string(value.get_string()), job.contexts))
                                 : workflow::to_text(value);
    inputs[std::string(name)] = text;
  }
  show_header(job, step, inputs);
  warn_about_unknown(job, step, action, inputs);
  step.variables = job.process_env(step.env);
  ActionRequest request{.uses = step.step.uses,
                        .name = reference.name,
                        .version = version_number(reference.version),
                        .inputs = std::move(inputs),
                        .env = step.variables,
                        .spec = job.spec,
                        .job_dir = job.job_dir,
                        .workspace = job.workspace,
                        .temp_dir = job.temp_dir,
                        .token = job.token,
                        .reporter = nullptr,
                        .stop = nullptr,
                        .python = job.python};
  run_function(job, step, request, action.run, limit, [&](ActionResult& result) {
    Result<void> done;
    if (result.python) done = change_python(job, step, *result.python);
    if (done && result.python_files_changed && job.python) done = job.python->refresh();
    if (!done) {
      job.error(step, done.error().message);
      step.outcome = Conclusion::kFailure;
    }
    if (result.post) {
      posts.push_back({.title = "Post " + step.title, .step = step.index, .request = request, .run = result.post});
    }
  });
  return {};
}

void run_post_action(JobState& job, StepState& step, const PostStep& post) {
  ActionRequest request = post.request;
  request.python = job.python;
  run_function(job, step, std::move(request), post.run, std::nullopt, [](ActionResult&) {});
}

}  // namespace weir::runner
