#include "workflow/workflow.h"

#include <fmt/format.h>

#include <algorithm>

#include "workflow/expression.h"
#include "workflow/expression_value.h"

namespace weir::workflow {

std::string_view input_type_name(InputType type) {
  switch (type) {
    case InputType::kString: return "string";
    case InputType::kBoolean: return "boolean";
    case InputType::kNumber: return "number";
    case InputType::kChoice: return "choice";
    case InputType::kEnvironment: return "environment";
  }
  return "string";
}

const Input* DispatchTrigger::find(std::string_view name) const {
  const auto found =
      std::ranges::find_if(inputs, [&](const Input& input) { return equal_ignoring_case(input.name, name); });
  return found == inputs.end() ? nullptr : &*found;
}

const Input* CallTrigger::find(std::string_view name) const {
  const auto found =
      std::ranges::find_if(inputs, [&](const Input& input) { return equal_ignoring_case(input.name, name); });
  return found == inputs.end() ? nullptr : &*found;
}

const CallSecret* CallTrigger::find_secret(std::string_view name) const {
  const auto found =
      std::ranges::find_if(secrets, [&](const CallSecret& secret) { return equal_ignoring_case(secret.name, name); });
  return found == secrets.end() ? nullptr : &*found;
}

const EventTrigger* On::find(std::string_view event) const {
  const auto found = std::ranges::find(events, event, &EventTrigger::name);
  return found == events.end() ? nullptr : &*found;
}

bool On::listens(std::string_view event) const {
  if (event == "workflow_dispatch") return dispatch.has_value();
  if (event == "workflow_call") return call.has_value();
  if (event == "schedule") return !schedule.empty();
  return find(event) != nullptr;
}

std::vector<std::string> On::names() const {
  std::vector<std::string> out;
  out.reserve(events.size() + 3);
  for (const auto& event : events) out.push_back(event.name);
  for (const char* event : {"workflow_dispatch", "workflow_call", "schedule"}) {
    if (listens(event)) out.emplace_back(event);
  }
  return out;
}

StepKind Step::kind() const {
  if (!uses.empty()) return StepKind::kUses;
  if (!wait.empty()) return StepKind::kWait;
  if (wait_all) return StepKind::kWaitAll;
  return cancel.empty() ? StepKind::kRun : StepKind::kCancel;
}

std::string Step::title() const {
  if (!name.empty()) return name;
  switch (kind()) {
    case StepKind::kUses: return "Run " + uses;
    case StepKind::kWait: return "Wait";
    case StepKind::kWaitAll: return "Wait for all";
    case StepKind::kCancel: return "Cancel";
    case StepKind::kRun: break;
  }
  const auto start = run.find_first_not_of(" \t\r\n");
  if (start == std::string::npos) return "Run";
  auto line = std::string_view{run}.substr(start);
  line = line.substr(0, line.find_first_of("\r\n"));
  while (line.ends_with(' ') || line.ends_with('\t')) line.remove_suffix(1);
  return fmt::format("Run {}", line);
}

bool Job::has_matrix() const {
  if (strategy.is_string()) return true;
  const auto* object = strategy.if_object();
  return object != nullptr && object->contains("matrix");
}

bool Job::uses_action(std::string_view action) const {
  return std::ranges::any_of(steps, [&](const Step& step) {
    return equal_ignoring_case(std::string_view{step.uses}.substr(0, step.uses.find('@')), action);
  });
}

const Job* Workflow::find(std::string_view key) const {
  const auto found = std::ranges::find(jobs, key, &Job::key);
  return found == jobs.end() ? nullptr : &*found;
}

std::optional<types::CacheMode> Workflow::cache_mode_of(const Job& job) const {
  return job.cache_mode ? job.cache_mode : cache_mode;
}

std::string lint_text(const ParseResult& result, std::string_view text, bool color) {
  return text::render_all(result.diagnostics, text, color);
}

json::value to_json(const Step& step) {
  json::object out;
  const auto add = [&out](std::string_view key, const std::string& text) {
    if (!text.empty()) out.emplace(json::string_view{key.data(), key.size()}, text);
  };
  const auto add_value = [&out](std::string_view key, const json::value& value) {
    if (!value.is_null()) out.emplace(json::string_view{key.data(), key.size()}, value);
  };
  add("id", step.id);
  add("name", step.name);
  add("if", step.condition);
  add("run", step.run);
  add("uses", step.uses);
  if (!step.with.empty()) out.emplace("with", step.with);
  add_value("env", step.env);
  add("shell", step.shell);
  add("working-directory", step.working_directory);
  add_value("timeout-minutes", step.timeout_minutes);
  add_value("continue-on-error", step.continue_on_error);
  if (step.background) out.emplace("background", true);
  if (!step.wait.empty()) out.emplace("wait", json::value_from(step.wait));
  if (step.wait_all) out.emplace("wait-all", true);
  add("cancel", step.cancel);
  return out;
}

json::array steps_to_json(const std::vector<Step>& steps) {
  json::array out;
  for (const auto& step : steps) out.push_back(to_json(step));
  return out;
}

namespace {

// The members of steps that run in the background, wait or cancel.
Result<void> take_background(const json::value& value, Step& step) {
  for (auto [key, out] : {std::pair{"background", &step.background}, std::pair{"wait-all", &step.wait_all}}) {
    const auto* member = json_find(value, key);
    if (member == nullptr || member->is_null()) continue;
    if (!member->is_bool()) return fail(Code::kInvalidArgument, "\"{}\" of a step must be true or false", key);
    *out = member->get_bool();
  }
  const auto* wait = json_find(value, "wait");
  if (wait == nullptr || wait->is_null()) return {};
  if (!wait->is_array()) return fail(Code::kInvalidArgument, "\"wait\" of a step must be a list of ids");
  for (const auto& id : wait->get_array()) {
    if (!id.is_string()) return fail(Code::kInvalidArgument, "\"wait\" of a step must be a list of ids");
    step.wait.emplace_back(id.get_string());
  }
  return {};
}

}  // namespace

Result<Step> step_from_json(const json::value& value) {
  if (!value.is_object()) return fail(Code::kInvalidArgument, "a step must be an object");
  Step step;
  const auto take = [&value](std::string_view key, std::string& out) -> Result<void> {
    const auto* member = json_find(value, key);
    if (member == nullptr || member->is_null()) return {};
    if (!member->is_string()) return fail(Code::kInvalidArgument, "\"{}\" of a step must be a string", key);
    out = member->get_string();
    return {};
  };
  const auto take_value = [&value](std::string_view key, json::value& out) {
    if (const auto* member = json_find(value, key)) out = *member;
  };
  WEIR_TRY(take("id", step.id));
  WEIR_TRY(take("name", step.name));
  WEIR_TRY(take("if", step.condition));
  WEIR_TRY(take("run", step.run));
  WEIR_TRY(take("uses", step.uses));
  WEIR_TRY(take("shell", step.shell));
  WEIR_TRY(take("working-directory", step.working_directory));
  take_value("env", step.env);
  take_value("timeout-minutes", step.timeout_minutes);
  take_value("continue-on-error", step.continue_on_error);
  if (!step.env.is_null() && !step.env.is_object() && !step.env.is_string()) {
    return fail(Code::kInvalidArgument, "\"env\" of a step must be an object or an expression");
  }
  if (const auto* with = json_find(value, "with"); with != nullptr && !with->is_null()) {
    if (!with->is_object()) return fail(Code::kInvalidArgument, "\"with\" of a step must be an object");
    step.with = with->get_object();
  }
  WEIR_TRY(take("cancel", step.cancel));
  WEIR_TRY(take_background(value, step));
  const int kinds = static_cast<int>(!step.run.empty()) + static_cast<int>(!step.uses.empty()) +
                    static_cast<int>(!step.wait.empty()) + static_cast<int>(step.wait_all) +
                    static_cast<int>(!step.cancel.empty());
  if (kinds != 1) {
    return fail(Code::kInvalidArgument,
                "a step must have one of \"run\", \"uses\", \"wait\", \"wait-all\" and \"cancel\"");
  }
  return step;
}

}  // namespace weir::workflow
