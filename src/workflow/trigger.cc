#include "workflow/trigger.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "text/suggest.h"
#include "workflow/expression.h"
#include "workflow/expression_value.h"

namespace weir::workflow {
namespace {

constexpr std::string_view kBranches = "refs/heads/";
constexpr std::string_view kTags = "refs/tags/";

std::string names(std::span<const Pattern> patterns) {
  std::vector<std::string_view> out;
  for (const auto& pattern : patterns) out.push_back(pattern.text());
  return fmt::format("{}", fmt::join(out, ", "));
}

// Why `filter` of `kind` ("branches") does not take `name`; "" if it does.
std::string refusal(const Filter& filter, std::string_view kind, std::string_view name) {
  if (!filter.include.empty() && !matches_any(filter.include, name)) {
    return fmt::format("{} is not in {} ({})", name, kind, names(filter.include));
  }
  if (!filter.exclude.empty() && matches_any(filter.exclude, name)) {
    return fmt::format("{} is in {}-ignore ({})", name, kind, names(filter.exclude));
  }
  return {};
}

std::string paths_refusal(const Filter& filter, const std::optional<std::vector<std::string>>& paths) {
  if (filter.empty() || !paths) return {};
  if (!filter.include.empty() &&
      std::ranges::none_of(*paths, [&](const auto& path) { return matches_any(filter.include, path); })) {
    return fmt::format("no changed file is in paths ({})", names(filter.include));
  }
  if (!filter.exclude.empty() &&
      std::ranges::all_of(*paths, [&](const auto& path) { return matches_any(filter.exclude, path); })) {
    return fmt::format("every changed file is in paths-ignore ({})", names(filter.exclude));
  }
  return {};
}

TriggerMatch answer(std::string refusal, std::string reason) {
  if (!refusal.empty()) return {false, std::move(refusal)};
  return {true, std::move(reason)};
}

TriggerMatch match_push(const EventTrigger& push, const TriggerInfo& info) {
  if (info.deleted) return {false, fmt::format("{} was deleted", info.ref)};
  const std::string_view ref = info.ref;
  if (ref.starts_with(kTags)) {
    const auto name = ref.substr(kTags.size());
    // Filters for branches alone leave tags out. Paths are not looked at for tags.
    if (push.tags.empty() && !push.branches.empty())
      return {false,
              fmt::format("only {} start it, not the tag {}",
                          push.branches.include.empty() ? "branches"
                                                        : fmt::format("branches ({})", names(push.branches.include)),
                          name)};
    return answer(refusal(push.tags, "tags", name), fmt::format("push of the tag {}", name));
  }
  if (!ref.starts_with(kBranches)) return {false, fmt::format("{} is neither a branch nor a tag", ref)};
  const auto name = ref.substr(kBranches.size());
  if (push.branches.empty() && !push.tags.empty())
    return {false,
            fmt::format("only {} start it, not the branch {}",
                        push.tags.include.empty() ? "tags" : fmt::format("tags ({})", names(push.tags.include)), name)};
  std::string why = refusal(push.branches, "branches", name);
  if (why.empty()) why = paths_refusal(push.paths, info.changed_paths);
  return answer(std::move(why), fmt::format("push to {}", name));
}

// "pull_request to main", "release published", "workflow_run of build".
std::string describe(const TriggerInfo& info, std::string_view branch) {
  std::string out = info.event;
  std::ranges::replace(out, '_', ' ');
  if (!info.action.empty() && !info.event.starts_with("pull_request")) out += " " + info.action;
  if (!info.workflow.empty()) out += " of " + info.workflow;
  if (!branch.empty()) out += fmt::format("{}{}", info.event == "workflow_run" ? " on " : " to ", branch);
  return out;
}

// Why a list of patterns does not take `name`; "" if it does.
std::string list_refusal(const std::vector<std::string>& list, std::string_view key, std::string_view name) {
  if (list.empty() || name.empty()) return {};
  const bool taken = std::ranges::any_of(list, [&](const auto& text) {
    const auto pattern = Pattern::parse(text);
    return text == name || (pattern && pattern->matches(name));
  });
  return taken ? std::string{} : fmt::format("{} is not in {} ({})", name, key, fmt::join(list, ", "));
}

TriggerMatch match_event(const EventTrigger& trigger, const TriggerInfo& info) {
  const auto named = [&](const std::string& type) {
    return type == info.action || (!type.empty() && type == info.action_of);
  };
  if (!info.action.empty() && !trigger.types.empty() && std::ranges::none_of(trigger.types, named)) {
    return {false,
            fmt::format("the activity \"{}\" is not in types ({})", info.action, fmt::join(trigger.types, ", "))};
  }
  // Or it would be started by every workflow, itself among them.
  if (info.event == "workflow_run" && trigger.workflows.empty()) {
    return {false, "it names no workflow: add `workflows: [NAME]`"};
  }
  std::string_view branch = info.event == "workflow_run" ? info.ref : info.base_ref;
  if (branch.starts_with(kBranches)) branch.remove_prefix(kBranches.size());
  std::string why = list_refusal(trigger.workflows, "workflows", info.workflow);
  if (why.empty()) why = refusal(trigger.branches, "branches", branch);
  if (why.empty()) why = paths_refusal(trigger.paths, info.changed_paths);
  if (why.empty()) why = list_refusal(trigger.names, "names", info.name);
  if (why.empty()) why = list_refusal(trigger.versions, "versions", info.version);
  return answer(std::move(why), describe(info, branch));
}

// ---- inputs of a dispatch

std::string allowed_options(const Input& input) {
  const std::vector<std::string_view> words(input.options.begin(), input.options.end());
  return text::quoted_list(words);
}

// Adds `value` of `input` to both forms; the error is for people.
std::string take(const Input& input, const json::value& value, DispatchInputs& out) {
  if (value.is_object() || value.is_array()) return fmt::format("input \"{}\" must be a single value", input.name);
  std::string text = to_text(value);
  json::value typed = json::string(text);
  if (input.type == InputType::kBoolean) {
    if (text != "true" && text != "false")
      return fmt::format("input \"{}\" must be true or false, not \"{}\"", input.name, text);
    typed = text == "true";
  } else if (input.type == InputType::kNumber) {
    const double number = to_number(value);
    if (text.empty() || !std::isfinite(number))
      return fmt::format("input \"{}\" must be a number, not \"{}\"", input.name, text);
    typed = number;
    if (std::abs(number) <= 9e15 && number == std::trunc(number)) typed = static_cast<std::int64_t>(number);
  } else if (input.type == InputType::kChoice && std::ranges::find(input.options, text) == input.options.end()) {
    const std::string hint = text::did_you_mean(text, input.options);
    return fmt::format("input \"{}\" must be {}, not \"{}\"{}{}", input.name, allowed_options(input), text,
                       hint.empty() ? "" : "; ", hint);
  } else if (input.required && text.empty()) {
    return fmt::format("input \"{}\" is required and must not be empty", input.name);
  }
  out.text.emplace(input.name, text);
  out.typed.emplace(input.name, std::move(typed));
  return {};
}

// The value of an input that nobody gave: its default, or what GitHub puts for its type. Null for none.
json::value fallback(const Input& input) {
  if (input.default_value) return json::string(*input.default_value);
  if (input.type == InputType::kBoolean) return false;
  return nullptr;
}

}  // namespace

TriggerMatch matches(const On& on, const TriggerInfo& info) {
  if (info.event == "workflow_dispatch") {
    return on.dispatch ? TriggerMatch{true, "started by hand"} : TriggerMatch{false, "it has no workflow_dispatch"};
  }
  if (info.event == "workflow_call") {
    return on.call ? TriggerMatch{true, "called by a workflow"} : TriggerMatch{false, "it has no workflow_call"};
  }
  if (info.event == "schedule") {
    const auto fits = [&](const Schedule& s) { return s.cron.text() == info.cron && s.timezone == info.timezone; };
    const bool known = info.cron.empty() ? !on.schedule.empty() : std::ranges::any_of(on.schedule, fits);
    return known ? TriggerMatch{true, info.cron.empty() ? "schedule" : fmt::format("schedule \"{}\"", info.cron)}
                 : TriggerMatch{false, "it has no such schedule"};
  }
  const EventTrigger* trigger = on.find(info.event);
  if (trigger == nullptr) return {false, fmt::format("{} does not start it", info.event)};
  return info.event == "push" ? match_push(*trigger, info) : match_event(*trigger, info);
}

Result<DispatchInputs> complete_inputs(const DispatchTrigger& dispatch, const json::object& given) {
  DispatchInputs out;
  std::vector<std::string> problems;
  std::vector<std::string> known;
  known.reserve(dispatch.inputs.size());
  for (const auto& input : dispatch.inputs) known.push_back(input.name);
  for (const auto& member : given) {
    const std::string_view name{member.key().data(), member.key().size()};
    if (dispatch.find(name) != nullptr) continue;
    const std::string hint = text::did_you_mean(name, known);
    const std::string all =
        known.empty() ? "the workflow takes none" : fmt::format("the workflow takes {}", fmt::join(known, ", "));
    problems.push_back(fmt::format("unknown input \"{}\"; {}", name, hint.empty() ? all : hint));
  }
  for (const auto& input : dispatch.inputs) {
    const auto found = std::ranges::find_if(given, [&](const auto& member) {
      return equal_ignoring_case({member.key().data(), member.key().size()}, input.name);
    });
    json::value value = found == given.end() || found->value().is_null() ? fallback(input) : found->value();
    if (value.is_null()) {
      if (input.required) {
        problems.push_back(fmt::format("input \"{}\" is required{}", input.name,
                                       input.type == InputType::kChoice ? "; it takes " + allowed_options(input) : ""));
        continue;
      }
      // As on GitHub, an input without value or default is there and empty.
      out.text.emplace(input.name, "");
      out.typed.emplace(input.name, "");
      continue;
    }
    if (auto problem = take(input, value, out); !problem.empty()) problems.push_back(std::move(problem));
  }
  if (!problems.empty()) return fail(Code::kInvalidArgument, "{}", fmt::join(problems, "\n"));
  return out;
}

}  // namespace weir::workflow
