#include "runner/step_run.h"

#include <cmath>

#include "runner/sandbox.h"
#include "runner/step_commands.h"
#include "workflow/plan.h"

namespace weir::runner {
namespace {

using types::Conclusion;

// Nothing for none. GitHub ignores 0 minutes and less.
Result<std::optional<Duration>> step_limit(const JobState& job, const StepState& step) {
  const json::value& wish = step.step.timeout_minutes;
  if (wish.is_null()) return std::nullopt;
  const json::value value =
      wish.is_string() ? WEIR_TRY(workflow::evaluate_text(std::string(wish.get_string()), job.contexts)) : wish;
  const double minutes = workflow::to_number(value);
  if (std::isnan(minutes)) {
    return fail(Code::kInvalidArgument, "timeout-minutes is \"{}\", expected a number", workflow::to_text(value));
  }
  if (minutes <= 0 || minutes > 60.0 * 24 * 365) return std::nullopt;
  return Duration{static_cast<std::int64_t>(minutes * 60e6)};
}

Result<bool> continues_on_error(const JobState& job, const StepState& step) {
  const json::value& wish = step.step.continue_on_error;
  if (wish.is_null()) return false;
  if (wish.is_bool()) return wish.get_bool();
  if (!wish.is_string()) return fail(Code::kInvalidArgument, "continue-on-error must be true or false");
  const json::value value = WEIR_TRY(workflow::evaluate_text(std::string(wish.get_string()), job.contexts));
  if (value.is_bool()) return value.get_bool();
  const std::string text = workflow::to_text(value);
  if (text == "true") return true;
  if (text == "false" || text.empty()) return false;
  return fail(Code::kInvalidArgument, "continue-on-error is \"{}\", expected true or false", text);
}

// What the `github` context says of the step itself.
void show_step(JobState& job, const StepState& step, const StepFiles& files) {
  auto& github = job.contexts.values["github"];
  if (!github.is_object()) github.emplace_object();
  github.get_object()["action"] = step.name;
  files.show(github.get_object());
}

// Evaluates the step's `env` and shows it to later expressions of the step.
Result<void> prepare_env(JobState& job, StepState& step) {
  auto& env = job.contexts.values["env"];
  env = job.job_env;
  for (const auto& [name, value] : job.outer_env) env.get_object()[name] = value;
  if (!step.step.env.is_null()) {
    step.own_env = WEIR_TRY(workflow::evaluate_env(step.step.env, job.contexts, "env"));
    for (const auto& [name, value] : step.own_env) env.get_object()[name] = value;
  }
  step.env = env.get_object();
  return {};
}

void finish(JobState& job, StepState& step) {
  if (step.outcome == Conclusion::kFailure && step.conclusion == Conclusion::kFailure) job.failed = true;
  remember(job, step);
  job.update_status();
  record_end(job, step);
}

}  // namespace

std::string shown_title(const JobState& job, const workflow::Step& step) {
  const std::string title = step.title();
  // Only for show: a name that cannot be evaluated stays as it is written.
  auto text = workflow::has_expression(title) ? workflow::interpolate(title, job.contexts) : Result<std::string>(title);
  std::string shown = text ? *std::move(text) : title;
  if (const auto end = shown.find_first_of("\r\n"); end != std::string::npos) shown.resize(end);
  return job.log->mask(shown);
}

void remember(JobState& job, const StepState& step) {
  if (step.step.id.empty()) return;
  auto& steps = job.contexts.values["steps"];
  if (!steps.is_object()) steps.emplace_object();
  steps.get_object()[step.step.id] = {{"outputs", step.outputs},
                                      {"outcome", types::conclusion_name(step.outcome)},
                                      {"conclusion", types::conclusion_name(step.conclusion)}};
}

void record_start(JobState& job, const StepState& step) {
  job.record("step_started", {{"step", step.index}, {"name", step.title}});
}

void record_end(JobState& job, StepState& step) {
  json::object outputs;
  for (const auto& [name, value] : step.outputs) {
    outputs[name] = job.log->mask(std::string_view(value.get_string()));
  }
  job.log->flush();
  job.record("step_finished", {{"step", step.index},
                               {"name", step.title},
                               {"conclusion", types::conclusion_name(step.conclusion)},
                               {"outcome", types::conclusion_name(step.outcome)},
                               {"outputs", std::move(outputs)}});
}

StepWish begin_step(JobState& job, StepState& step, const StepFiles& files) {
  job.update_status();
  show_step(job, step, files);
  const auto env = prepare_env(job, step);
  if (step.title.empty()) step.title = shown_title(job, step.step);
  // One in the background starts later, one inside an action is no step of the job's.
  if (step.outer == nullptr && !step.step.background) record_start(job, step);
  Result<bool> wanted = false;
  if (env && !job.supervisor->killed()) wanted = workflow::evaluate_condition(step.step.condition, job.contexts);
  if (env && wanted) {
    if (*wanted) return StepWish::kRun;
    step.outcome = step.conclusion = Conclusion::kSkipped;
    return StepWish::kSkip;
  }
  job.error(step, env ? wanted.error().message : env.error().message);
  step.outcome = step.conclusion = Conclusion::kFailure;
  return StepWish::kFailed;
}

void run_body(JobState& job, StepState& step, const StepBody& body) {
  if (step.outer != nullptr) {
    step.deadline = step.outer->deadline;
  } else if (auto limit = step_limit(job, step)) {
    step.limit = *limit;
    if (step.limit) step.deadline = std::chrono::steady_clock::now() + *step.limit;
  } else {
    job.error(step, "An error occurred when attempting to determine the step timeout.");
    job.error(step, limit.error().message);
  }
  if (!job.matchers.empty()) job.matchers.reset();
  const auto done = body(job, step);
  if (!done) {
    job.error(step, done.error().message);
    step.outcome =
        done.error().code == Code::kCancelled && job.cancelled() ? Conclusion::kCancelled : Conclusion::kFailure;
  }
  if (step.command_failed && step.outcome == Conclusion::kSuccess) step.outcome = Conclusion::kFailure;
  step.conclusion = step.outcome;
  if (step.outcome != Conclusion::kFailure) return;
  if (auto goes_on = continues_on_error(job, step)) {
    if (*goes_on) step.conclusion = Conclusion::kSuccess;
  } else {
    job.error(step, "The step failed and an error occurred when attempting to determine whether to continue on error.");
    job.error(step, goes_on.error().message);
  }
}

void run_step(JobState& job, StepState& step, const StepBody& body, std::string title) {
  step.title = std::move(title);
  if (begin_step(job, step, job.files) == StepWish::kRun) run_body(job, step, body);
  finish(job, step);
}

void run_inner_step(JobState& job, StepState& step) {
  if (begin_step(job, step, job.files) == StepWish::kRun) run_body(job, step, run_main);
  if (step.outcome == Conclusion::kSkipped) {
    job.debug(step.index, fmt::format("Skipped: {}", step.title));
  }
  remember(job, step);
}

Result<void> run_main(JobState& job, StepState& step) {
  return step.step.uses.empty() ? run_script(job, step) : run_action(job, step);
}

Result<SupervisedEnd> run_supervised(JobState& job, StepState& step, io::ProcessOptions options) {
  std::optional<Sandbox::Start> start;
  if (job.sandbox) {
    start = WEIR_TRY(job.sandbox->wrap(job, options));
    options = start->options;
  }
  auto end = job.supervisor->run(std::move(options), take_lines(job, step), time_left(step), cancels(job, step));
  if (job.sandbox) job.sandbox->report_limits(job, step);
  return end;
}

std::optional<Duration> time_left(const StepState& step) {
  if (!step.deadline) return std::nullopt;
  const auto left = std::chrono::ceil<Duration>(*step.deadline - std::chrono::steady_clock::now());
  return std::max(Duration{0}, left);
}

bool report_stop(JobState& job, StepState& step, StopReason reason) {
  if (reason == StopReason::kNone) return false;
  if (reason == StopReason::kStepTimeout) {
    StepState* outermost = &step;
    while (outermost->outer != nullptr) outermost = outermost->outer;
    outermost->timed_out = true;
    const double minutes =
        std::chrono::duration<double, std::ratio<60>>(outermost->limit.value_or(Duration{0})).count();
    job.error(step, fmt::format("The action '{}' has timed out after {} minutes.", outermost->title,
                                workflow::format_number(minutes)));
    step.outcome = Conclusion::kFailure;
  } else {
    // What a `cancel` step ended is no mistake.
    if (!job.supervisor->stopping()) job.error(step, "The operation was canceled.");
    step.outcome = Conclusion::kCancelled;
  }
  return true;
}

std::function<bool()> cancels(JobState& job, const StepState& step) {
  if (job.in_background) {
    return [] { return true; };
  }
  return [&job, condition = step.step.condition] {
    job.update_status();
    const auto holds = workflow::evaluate_condition(condition, job.contexts);
    return !holds || !*holds;
  };
}

}  // namespace weir::runner
