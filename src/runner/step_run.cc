#include "runner/step_run.h"

#include <cmath>

#include "runner/step_commands.h"
#include "workflow/plan.h"

namespace weir::runner {
namespace {

using types::Conclusion;

// Number of minutes; nothing for none. GitHub ignores 0 and less.
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

// Evaluates the step's `env` and shows it to later expressions of the step.
Result<void> prepare_env(JobState& job, StepState& step) {
  auto& env = job.contexts.values["env"];
  env = job.job_env;
  if (!step.step.env.is_null()) {
    const auto own = WEIR_TRY(workflow::evaluate_env(step.step.env, job.contexts, "env"));
    for (const auto& [name, value] : own) env.get_object()[name] = value;
  }
  step.env = env.get_object();
  return {};
}

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

void finish(JobState& job, StepState& step) {
  if (step.outcome == Conclusion::kFailure && step.conclusion == Conclusion::kFailure) job.failed = true;
  remember(job, step);
  job.update_status();
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

void run_body(JobState& job, StepState& step, std::vector<PostStep>& posts) {
  std::optional<Duration> limit;
  if (auto found = step_limit(job, step)) {
    limit = *found;
  } else {
    job.error(step, "An error occurred when attempting to determine the step timeout.");
    job.error(step, found.error().message);
  }
  const auto done = step.step.uses.empty() ? run_script(job, step, limit) : run_action(job, step, limit, posts);
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

}  // namespace

void run_step(JobState& job, StepState& step, std::vector<PostStep>& posts) {
  job.update_status();
  const auto env = prepare_env(job, step);
  step.title = shown_title(job, step.step);
  job.record("step_started", {{"step", step.index}, {"name", step.title}});
  Result<bool> wanted = false;
  if (env)
    wanted = job.supervisor->killed() ? Result<bool>(false)
                                      : workflow::evaluate_condition(step.step.condition, job.contexts);
  if (!env || !wanted) {
    job.error(step, env ? wanted.error().message : env.error().message);
    step.outcome = step.conclusion = Conclusion::kFailure;
  } else if (!*wanted) {
    step.outcome = step.conclusion = Conclusion::kSkipped;
  } else {
    run_body(job, step, posts);
  }
  finish(job, step);
}

bool report_stop(JobState& job, StepState& step, StopReason reason, std::optional<Duration> limit) {
  if (reason == StopReason::kNone) return false;
  if (reason == StopReason::kStepTimeout) {
    const double minutes = std::chrono::duration<double, std::ratio<60>>(limit.value_or(Duration{0})).count();
    job.error(step, fmt::format("The action '{}' has timed out after {} minutes.", step.title,
                                workflow::format_number(minutes)));
    step.outcome = Conclusion::kFailure;
  } else {
    job.error(step, "The operation was canceled.");
    step.outcome = Conclusion::kCancelled;
  }
  return true;
}

std::function<bool()> cancels(JobState& job, const StepState& step) {
  return [&job, condition = step.step.condition] {
    job.update_status();
    const auto holds = workflow::evaluate_condition(condition, job.contexts);
    return !holds || !*holds;
  };
}

void run_post_step(JobState& job, PostStep& post, int index) {
  StepState step{.index = index, .step = {}, .title = post.title};
  job.update_status();
  job.record("step_started", {{"step", index}, {"name", step.title}});
  if (!job.contexts.status.success || job.supervisor->killed()) {
    step.outcome = step.conclusion = Conclusion::kSkipped;
  } else {
    run_post_action(job, step, post);
    step.conclusion = step.outcome;
  }
  finish(job, step);
}

}  // namespace weir::runner
