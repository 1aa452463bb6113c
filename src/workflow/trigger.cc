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

TriggerMatch match_push(const PushTrigger& push, const TriggerInfo& info) {
  if (info.deleted) return {false, fmt::format("{} was deleted", info.ref)};
  const std::string_view ref = info.ref;
  if (ref.starts_with(kTags)) {
    const auto name = ref.substr(kTags.size());
    // Filters for branches alone leave tags out. Paths are not looked at for tags.
    if (push.tags.empty() && !push.branches.empty())
      return {false, fmt::format("only branches start it, not the tag {}", name)};
    return answer(refusal(push.tags, "tags", name), fmt::format("push of the tag {}", name));
  }
  if (!ref.starts_with(kBranches)) return {false, fmt::format("{} is neither a branch nor a tag", ref)};
  const auto name = ref.substr(kBranches.size());
  if (push.branches.empty() && !push.tags.empty())
    return {false, fmt::format("only tags start it, not the branch {}", name)};
  std::string why = refusal(push.branches, "branches", name);
  if (why.empty()) why = paths_refusal(push.paths, info.changed_paths);
  return answer(std::move(why), fmt::format("push to {}", name));
}

TriggerMatch match_pull_request(const PullRequestTrigger& trigger, const TriggerInfo& info) {
  if (!info.action.empty() && std::ranges::find(trigger.types, info.action) == trigger.types.end()) {
    return {false,
            fmt::format("the activity \"{}\" is not in types ({})", info.action, fmt::join(trigger.types, ", "))};
  }
  std::string_view base = info.base_ref;
  if (base.starts_with(kBranches)) base.remove_prefix(kBranches.size());
  std::string why = refusal(trigger.branches, "branches", base);
  if (why.empty()) why = paths_refusal(trigger.paths, info.changed_paths);
  return answer(std::move(why), fmt::format("pull request to {}", base));
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
  if (info.event == "push") return on.push ? match_push(*on.push, info) : TriggerMatch{false, "push does not start it"};
  if (info.event == "pull_request") {
    return on.pull_request ? match_pull_request(*on.pull_request, info)
                           : TriggerMatch{false, "pull_request does not start it"};
  }
  if (info.event == "workflow_dispatch") {
    return on.dispatch ? TriggerMatch{true, "started by hand"} : TriggerMatch{false, "it has no workflow_dispatch"};
  }
  if (info.event == "schedule") {
    const bool known = info.cron.empty()
                           ? !on.schedule.empty()
                           : std::ranges::any_of(on.schedule, [&](const Cron& c) { return c.text() == info.cron; });
    return known ? TriggerMatch{true, info.cron.empty() ? "schedule" : fmt::format("schedule \"{}\"", info.cron)}
                 : TriggerMatch{false, "it has no such schedule"};
  }
  return {false, fmt::format("{} does not start it", info.event)};
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
