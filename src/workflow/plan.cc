#include "workflow/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace weir::workflow {
namespace {

constexpr std::size_t kTitleMax = 100;  // characters, as on GitHub
constexpr double kTimeoutMaxMinutes = 60.0 * 24 * 30;

// Puts "job "train": timeout-minutes: " before an error's message.
template <class T>
Result<T> in(const Job& job, std::string_view key, Result<T> result) {
  if (!result) result.error().message = fmt::format("job \"{}\": {}: {}", job.key, key, result.error().message);
  return result;
}

// The first `count` characters of UTF-8 text.
std::string_view first_characters(std::string_view text, std::size_t count) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xC0U) == 0x80U) continue;
    if (count-- == 0) return text.substr(0, i);
  }
  return text;
}

std::string shorten(std::string name) {
  if (first_characters(name, kTitleMax).size() == name.size()) return name;
  return std::string{first_characters(name, kTitleMax - 3)} + "...";
}

// A bool, number or expression of a file; null gives `fallback`.
Result<json::value> evaluate_value(const json::value& value, const Contexts& contexts) {
  if (const auto* text = value.if_string()) return evaluate_text({text->data(), text->size()}, contexts);
  return value;
}

Result<bool> evaluate_bool(const json::value& value, bool fallback, const Contexts& contexts) {
  const auto result = WEIR_TRY(evaluate_value(value, contexts));
  if (result.is_null()) return fallback;
  if (result.is_bool()) return result.get_bool();
  const std::string text = to_text(result);
  if (text == "true" || text == "false") return text == "true";
  return fail(Code::kInvalidArgument, "must be true or false, not {}", json::serialize(result));
}

}  // namespace

Result<std::string> job_title(const Job& job, const Combination& combination, const Contexts& contexts) {
  if (has_expression(job.name)) {
    auto name = WEIR_TRY(in(job, "name", interpolate(job.name, contexts)));
    if (!name.empty()) return shorten(std::move(name));
  }
  const bool literal = !job.name.empty() && !has_expression(job.name);
  return shorten((literal ? job.name : job.key) + combination.suffix);
}

Result<bool> job_condition(const Job& job, const Contexts& contexts) {
  return in(job, "if", evaluate_condition(job.condition, contexts));
}

Result<Placement> runs_on(const Job& job, const Contexts& contexts) {
  const auto value = WEIR_TRY(in(job, "runs-on", evaluate_tree(job.runs_on, contexts)));
  Placement out;
  const json::value* labels = &value;
  if (const auto* object = value.if_object()) {
    out.group = json_string_or(value, "group", "");
    labels = object->if_contains("labels");
    if (labels == nullptr && !out.group.empty()) return out;
  }
  if (labels != nullptr && labels->is_string()) out.labels.emplace_back(labels->get_string());
  if (labels != nullptr && labels->is_array()) {
    for (const auto& label : labels->get_array()) {
      if (!label.is_string()) {
        return fail(Code::kInvalidArgument, "job \"{}\": runs-on: {} is no label", job.key, json::serialize(label));
      }
      out.labels.emplace_back(label.get_string());
    }
  }
  const bool empty = out.labels.empty() || std::ranges::any_of(out.labels, &std::string::empty);
  if (empty) {
    return fail(Code::kInvalidArgument,
                "job \"{}\": runs-on must be a label, a list of labels or a map with labels, not {}", job.key,
                json::serialize(value));
  }
  return out;
}

Result<std::optional<Concurrency>> concurrency(const std::optional<ConcurrencyRule>& rule, const Contexts& contexts) {
  if (!rule) return std::nullopt;
  auto group = interpolate(rule->group, contexts);
  if (!group) return fail(Code::kInvalidArgument, "concurrency: group: {}", group.error().message);
  if (group->empty()) return std::nullopt;
  const auto cancel = evaluate_bool(rule->cancel_in_progress, false, contexts);
  if (!cancel) return fail(Code::kInvalidArgument, "concurrency: cancel-in-progress: {}", cancel.error().message);
  auto queue = interpolate(rule->queue, contexts);
  if (!queue) return fail(Code::kInvalidArgument, "concurrency: queue: {}", queue.error().message);
  if (!queue->empty() && *queue != "single" && *queue != "max") {
    return fail(Code::kInvalidArgument, "concurrency: queue must be single or max, not {}", *queue);
  }
  return Concurrency{.group = std::move(*group), .cancel_in_progress = *cancel, .queue_max = *queue == "max"};
}

Result<Environment> environment(const Job& job, const Contexts& contexts) {
  if (!job.environment) return Environment{};
  return Environment{.name = WEIR_TRY(in(job, "environment", interpolate(job.environment->name, contexts))),
                     .url = job.environment->url,
                     .deployment = WEIR_TRY(in(job, "environment: deployment",
                                               evaluate_bool(job.environment->deployment, true, contexts)))};
}

namespace {

Result<Duration> minutes_of(const Job& job, std::string_view key, const json::value& given, Duration fallback,
                            const Contexts& contexts) {
  const auto value = WEIR_TRY(in(job, key, evaluate_value(given, contexts)));
  if (value.is_null()) return fallback;
  const double minutes = to_number(value);
  if (!(minutes > 0)) {
    return fail(Code::kInvalidArgument, "job \"{}\": {} must be a number above 0, not {}", job.key, key,
                json::serialize(value));
  }
  return Duration{static_cast<std::int64_t>(std::llround(std::min(minutes, kTimeoutMaxMinutes) * 60e6))};
}

}  // namespace

Result<Duration> job_timeout(const Job& job, const Contexts& contexts) {
  return minutes_of(job, "timeout-minutes", job.timeout_minutes, std::chrono::hours{6}, contexts);
}

Result<Duration> job_cancel_timeout(const Job& job, const Contexts& contexts) {
  return minutes_of(job, "cancel-timeout-minutes", job.cancel_timeout_minutes, std::chrono::minutes{5}, contexts);
}

Result<bool> job_continue_on_error(const Job& job, const Contexts& contexts) {
  return in(job, "continue-on-error", evaluate_bool(job.continue_on_error, false, contexts));
}

Result<json::object> evaluate_env(const json::value& env, const Contexts& contexts, std::string_view what) {
  json::object out;
  if (env.is_null()) return out;
  auto value = evaluate_tree(env, contexts);
  if (!value) return fail(Code::kInvalidArgument, "{}: {}", what, value.error().message);
  if (value->is_null() || (value->is_string() && value->get_string().empty())) return out;
  if (!value->is_object())
    return fail(Code::kInvalidArgument, "{} must be a map, not {}", what, json::serialize(*value));
  for (const auto& [name, member] : value->get_object()) {
    if (member.is_object() || member.is_array()) {
      return fail(Code::kInvalidArgument, "{}: \"{}\" must be text, not {}", what, name, to_text(member));
    }
    out[name] = to_text(member);
  }
  return out;
}

Result<json::object> evaluate_outputs(const json::object& outputs, const Contexts& contexts) {
  json::object out;
  for (const auto& [name, text] : outputs) {
    auto value =
        text.is_string() ? interpolate({text.get_string().data(), text.get_string().size()}, contexts) : to_text(text);
    if (!value) return fail(Code::kInvalidArgument, "output \"{}\": {}", name, value.error().message);
    out.emplace(name, std::move(*value));
  }
  return out;
}

Result<json::object> run_defaults(const Workflow& workflow, const Job& job, const Contexts& contexts) {
  json::object run;
  const auto add = [&](std::string_view key, const std::string& own, const std::string& outer) -> Result<void> {
    const std::string& text = own.empty() ? outer : own;
    if (text.empty()) return {};
    run.emplace(json::string_view{key.data(), key.size()},
                WEIR_TRY(in(job, fmt::format("defaults.run.{}", key), interpolate(text, contexts))));
    return {};
  };
  WEIR_TRY(add("shell", job.defaults.shell, workflow.defaults.shell));
  WEIR_TRY(add("working-directory", job.defaults.working_directory, workflow.defaults.working_directory));
  json::object out;
  if (!run.empty()) out.emplace("run", std::move(run));
  return out;
}

Result<std::string> run_title(const Workflow& workflow, const Contexts& contexts) {
  auto title = interpolate(workflow.run_name, contexts);
  if (!title) return fail(Code::kInvalidArgument, "run-name: {}", title.error().message);
  return title;
}

namespace {

std::vector<std::vector<std::size_t>> needs_by_index(const Workflow& workflow) {
  std::map<std::string_view, std::size_t> index;
  for (std::size_t i = 0; i < workflow.jobs.size(); ++i) index.emplace(workflow.jobs[i].key, i);
  std::vector<std::vector<std::size_t>> out(workflow.jobs.size());
  for (std::size_t i = 0; i < workflow.jobs.size(); ++i) {
    for (const auto& need : workflow.jobs[i].needs) {
      if (const auto found = index.find(need); found != index.end()) out[i].push_back(found->second);
    }
  }
  return out;
}

}  // namespace

std::vector<std::size_t> topological_order(const Workflow& workflow) {
  const auto needs = needs_by_index(workflow);
  std::vector<std::size_t> order;
  std::vector<bool> placed(needs.size(), false);
  // As often as something moves: the first job in file order whose needs have all been placed comes next.
  for (bool moved = true; moved;) {
    moved = false;
    for (std::size_t i = 0; i < needs.size(); ++i) {
      if (placed[i] || !std::ranges::all_of(needs[i], [&](std::size_t need) { return placed[need]; })) continue;
      placed[i] = true;
      order.push_back(i);
      moved = true;
    }
  }
  return order;
}

std::vector<std::size_t> all_needs(const Workflow& workflow, std::size_t job) {
  const auto needs = needs_by_index(workflow);
  std::vector<bool> seen(needs.size(), false);
  std::vector<std::size_t> open{job};
  std::vector<std::size_t> out;
  while (!open.empty()) {
    const std::size_t at = open.back();
    open.pop_back();
    for (const std::size_t need : needs[at]) {
      if (seen[need]) continue;
      seen[need] = true;
      out.push_back(need);
      open.push_back(need);
    }
  }
  std::ranges::sort(out);
  return out;
}

}  // namespace weir::workflow
