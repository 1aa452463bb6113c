#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "text/suggest.h"
#include "workflow/expression.h"
#include "workflow/expression_value.h"
#include "workflow/file_reader.h"

namespace weir::workflow {
namespace {

using text::MapReader;
using text::YamlEntry;
using text::YamlNode;

constexpr std::size_t kInputsMax = 25;
constexpr auto kScheduleGapMin = std::chrono::minutes{5};

constexpr std::array<std::string_view, 4> kBuiltEvents{"push", "pull_request", "workflow_dispatch", "schedule"};
constexpr std::array<std::string_view, 36> kOtherEvents{"branch_protection_rule",
                                                        "check_run",
                                                        "check_suite",
                                                        "create",
                                                        "delete",
                                                        "deployment",
                                                        "deployment_status",
                                                        "discussion",
                                                        "discussion_comment",
                                                        "fork",
                                                        "gollum",
                                                        "image_version",
                                                        "issue_comment",
                                                        "issues",
                                                        "label",
                                                        "member",
                                                        "merge_group",
                                                        "milestone",
                                                        "page_build",
                                                        "project",
                                                        "project_card",
                                                        "project_column",
                                                        "public",
                                                        "pull_request_comment",
                                                        "pull_request_review",
                                                        "pull_request_review_comment",
                                                        "pull_request_target",
                                                        "registry_package",
                                                        "release",
                                                        "repository_dispatch",
                                                        "status",
                                                        "watch",
                                                        "workflow_call",
                                                        "workflow_run",
                                                        "deployment_protection_rule",
                                                        "repository_vulnerability_alert"};
constexpr std::array<std::string_view, 22> kPullRequestTypes{"assigned",
                                                             "unassigned",
                                                             "labeled",
                                                             "unlabeled",
                                                             "opened",
                                                             "edited",
                                                             "closed",
                                                             "reopened",
                                                             "synchronize",
                                                             "converted_to_draft",
                                                             "locked",
                                                             "unlocked",
                                                             "enqueued",
                                                             "dequeued",
                                                             "milestoned",
                                                             "demilestoned",
                                                             "ready_for_review",
                                                             "review_requested",
                                                             "review_request_removed",
                                                             "auto_merge_enabled",
                                                             "auto_merge_disabled",
                                                             "stacked"};

class OnReader {
 public:
  explicit OnReader(FileReader& reader) : reader_(reader), schema_(reader.schema()) {}

  On read(const YamlNode& node) {
    if (node.is_map()) {
      if (node.entries().empty()) schema_.error(node, "\"on\" names no event");
      for (const auto& entry : node.entries()) read_event(entry);
    } else if (node.is_sequence()) {
      if (node.items().empty()) schema_.error(node, "\"on\" names no event");
      for (const YamlNode* item : node.items()) read_name(*item);
    } else {
      read_name(node);
    }
    return std::move(on_);
  }

 private:
  // "did you mean", "not supported yet": whether `event` may be read on.
  bool check_event(std::string_view event, const auto& place) {
    if (std::ranges::find(kBuiltEvents, event) != kBuiltEvents.end()) return true;
    if (std::ranges::find(kOtherEvents, event) != kOtherEvents.end()) {
      schema_.error(place, fmt::format("the event \"{}\" is not supported yet", event),
                    fmt::format("there are {}", text::quoted_list(kBuiltEvents, "and")));
      return false;
    }
    std::vector<std::string_view> all(kBuiltEvents.begin(), kBuiltEvents.end());
    all.insert(all.end(), kOtherEvents.begin(), kOtherEvents.end());
    std::string hint = text::did_you_mean(event, all);
    if (hint.empty()) hint = fmt::format("there are {}", text::quoted_list(kBuiltEvents, "and"));
    schema_.error(place, fmt::format("unknown event \"{}\"", event), std::move(hint));
    return false;
  }

  void read_name(const YamlNode& node) {
    const std::string event = reader_.required_text(node, "an event of \"on\"", nullptr);
    if (event.empty() || !check_event(event, node)) return;
    if (event == "push") on_.push.emplace();
    if (event == "pull_request") on_.pull_request.emplace();
    if (event == "workflow_dispatch") on_.dispatch.emplace();
    if (event == "schedule")
      schema_.error(node, "\"schedule\" needs a list of cron lines", "on: {schedule: [{cron: '0 2 * * *'}]}");
  }

  void read_event(const YamlEntry& entry) {
    if (!check_event(entry.key, entry)) return;
    if (entry.key == "push") on_.push = read_push(*entry.value);
    if (entry.key == "pull_request") on_.pull_request = read_pull_request(*entry.value);
    if (entry.key == "workflow_dispatch") on_.dispatch = read_dispatch(*entry.value);
    if (entry.key == "schedule") read_schedule(*entry.value);
  }

  std::vector<Pattern> read_patterns(const YamlNode& node, std::string_view what) {
    std::vector<Pattern> out;
    const auto add = [&](const YamlNode& item) {
      const std::string text = reader_.required_text(item, fmt::format("an item of {}", what), nullptr);
      if (text.empty()) return;
      auto pattern = Pattern::parse(text);
      if (!pattern) {
        schema_.error(item, fmt::format("the pattern \"{}\" is not valid: {}", text, pattern.error()));
        return;
      }
      out.push_back(std::move(*pattern));
    };
    if (node.is_sequence()) {
      for (const YamlNode* item : node.items()) add(*item);
    } else {
      add(node);
    }
    return out;
  }

  // "branches" and "branches-ignore", which exclude each other.
  Filter read_filter(MapReader& map, const std::string& key) {
    Filter out;
    const YamlNode* include = map.find(key);
    const std::string ignore = key + "-ignore";
    const YamlEntry* exclude = map.find_entry(ignore);
    if (include != nullptr) {
      out.include = read_patterns(*include, fmt::format("\"{}\"", key));
      if (!out.include.empty() && out.include.front().negative() &&
          std::ranges::all_of(out.include, &Pattern::negative)) {
        schema_.error(*include, fmt::format("\"{}\" holds patterns with ! alone, which take nothing", key),
                      fmt::format("use \"{}\", or begin with '**'", ignore));
      }
    }
    if (exclude != nullptr) {
      out.exclude = read_patterns(*exclude->value, fmt::format("\"{}\"", ignore));
      if (include != nullptr) {
        schema_.error(*exclude, fmt::format("\"{}\" and \"{}\" cannot be used together", key, ignore),
                      fmt::format("write the exceptions into \"{}\" with a ! before each", key));
      }
    }
    return out;
  }

  PushTrigger read_push(const YamlNode& node) {
    PushTrigger out;
    MapReader map(schema_, node, "push", true);
    out.branches = read_filter(map, "branches");
    out.tags = read_filter(map, "tags");
    out.paths = read_filter(map, "paths");
    map.finish();
    return out;
  }

  PullRequestTrigger read_pull_request(const YamlNode& node) {
    PullRequestTrigger out;
    MapReader map(schema_, node, "pull_request", true);
    out.branches = read_filter(map, "branches");
    out.paths = read_filter(map, "paths");
    if (const YamlNode* types = map.find("types")) {
      out.types = reader_.texts(*types, "\"types\"", nullptr);
      for (std::size_t i = 0; i < out.types.size(); ++i) {
        if (std::ranges::find(kPullRequestTypes, out.types[i]) != kPullRequestTypes.end()) continue;
        const YamlNode& place = types->is_sequence() ? *types->items()[i] : *types;
        schema_.error(place, fmt::format("unknown activity \"{}\" of pull_request", out.types[i]),
                      text::did_you_mean(out.types[i], kPullRequestTypes));
      }
    }
    map.finish();
    return out;
  }

  void read_schedule(const YamlNode& node) {
    if (!node.is_sequence() || node.items().empty()) {
      schema_.error(node, "\"schedule\" must be a list of cron lines", "- cron: '0 2 * * *'");
      return;
    }
    for (const YamlNode* item : node.items()) {
      MapReader map(schema_, *item, "an item of schedule");
      if (const YamlNode* line = map.require("cron")) {
        const std::string text = reader_.required_text(*line, "\"cron\"", nullptr);
        if (!text.empty()) add_cron(*line, text);
      }
      map.refuse("timezone", "\"timezone\" of schedule is not supported yet; schedules are in UTC");
      map.finish();
    }
  }

  void add_cron(const YamlNode& node, const std::string& text) {
    auto cron = Cron::parse(text);
    if (!cron) {
      schema_.error(node, cron.error().message);
      return;
    }
    TimePoint from{std::chrono::sys_days{std::chrono::January / 1 / 2024}};
    auto earlier = cron->next(from);
    for (int i = 0; i < 60 && earlier; ++i) {
      const auto later = cron->next(*earlier);
      if (later && *later - *earlier < kScheduleGapMin) {
        schema_.warning(node, "GitHub starts a schedule every 5 minutes at most");
        break;
      }
      earlier = later;
    }
    on_.schedule.push_back(std::move(*cron));
  }

  DispatchTrigger read_dispatch(const YamlNode& node) {
    DispatchTrigger out;
    MapReader map(schema_, node, "workflow_dispatch", true);
    if (const YamlNode* inputs = map.find("inputs"); inputs != nullptr && !inputs->is_null()) {
      if (!inputs->is_map()) {
        schema_.error(*inputs, fmt::format("\"inputs\" must be a map, not {}", inputs->kind_name()));
      }
      if (inputs->entries().size() > kInputsMax) {
        schema_.error(*inputs, fmt::format("workflow_dispatch has {} inputs; at most {} are allowed",
                                           inputs->entries().size(), kInputsMax));
      }
      for (const auto& entry : inputs->entries()) read_input(entry, out);
    }
    map.finish();
    return out;
  }

  static InputType type_of(std::string_view name) {
    for (const InputType type :
         {InputType::kBoolean, InputType::kNumber, InputType::kChoice, InputType::kEnvironment}) {
      if (input_type_name(type) == name) return type;
    }
    return InputType::kString;
  }

  void read_input(const YamlEntry& entry, DispatchTrigger& out) {
    Input input{.name = entry.key};
    const std::string what = fmt::format("input \"{}\"", entry.key);
    if (!is_identifier(entry.key)) {
      schema_.error(entry,
                    fmt::format("{} may hold letters, digits, - and _ only, and starts with a letter or _", what));
    }
    if (out.find(entry.key) != nullptr)
      schema_.error(entry, fmt::format("{} is declared twice; case does not matter", what));
    MapReader map(schema_, *entry.value, what, true);
    if (const YamlNode* text = map.find("description"))
      input.description = reader_.text(*text, "\"description\"", nullptr);
    if (const YamlNode* text = map.find("deprecationMessage")) {
      input.deprecation = reader_.text(*text, "\"deprecationMessage\"", nullptr);
    }
    input.required = map.boolean("required").value_or(false);
    input.type =
        type_of(map.choice("type", {"string", "boolean", "number", "choice", "environment"}).value_or("string"));
    const YamlEntry* options = map.find_entry("options");
    if (options != nullptr) input.options = reader_.texts(*options->value, "\"options\"", nullptr);
    if (input.type == InputType::kChoice && input.options.empty()) {
      schema_.error(entry, fmt::format("{} is a choice and needs \"options\"", what));
    } else if (input.type != InputType::kChoice && options != nullptr) {
      schema_.error(*options, fmt::format("{} has options but is no choice", what), "add type: choice");
    }
    if (const YamlNode* value = map.find("default")) read_default(*value, what, input);
    map.finish();
    out.inputs.push_back(std::move(input));
  }

  void read_default(const YamlNode& node, const std::string& what, Input& input) {
    if (node.is_null()) return;
    const std::string text = reader_.text(node, fmt::format("\"default\" of {}", what), nullptr);
    if (!node.is_scalar()) return;
    if (input.type == InputType::kBoolean && text != "true" && text != "false") {
      schema_.error(node, fmt::format("the default of {} must be true or false", what));
    } else if (input.type == InputType::kNumber && !(text.empty() || parse_number(text) == parse_number(text))) {
      schema_.error(node, fmt::format("the default of {} must be a number", what));
    } else if (input.type == InputType::kChoice && !input.options.empty() &&
               std::ranges::find(input.options, text) == input.options.end()) {
      schema_.error(node, fmt::format("the default \"{}\" of {} is not among its options", text, what),
                    text::did_you_mean(text, input.options));
    }
    input.default_value = text;
  }

  FileReader& reader_;
  text::SchemaReader& schema_;
  On on_;
};

}  // namespace

On read_on(FileReader& reader, const text::YamlNode& node) {
  return OnReader(reader).read(node);
}

}  // namespace weir::workflow
