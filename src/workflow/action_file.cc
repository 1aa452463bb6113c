#include "workflow/action_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "text/suggest.h"
#include "workflow/expression_tree.h"
#include "workflow/expression_value.h"
#include "workflow/file_reader.h"

namespace weir::workflow {
namespace {

using text::MapReader;
using text::YamlEntry;
using text::YamlNode;

constexpr std::size_t kStepsMax = 1'000;
constexpr text::YamlLimits kLimits{.nodes_max = 50'000};

// Which contexts may be used where, as the schema of GitHub's own parser lists them.
constexpr std::array<std::string_view, 5> kDefaultContexts{"github", "strategy", "matrix", "job", "runner"};
constexpr std::array<std::string_view, 8> kStepContexts{"github", "inputs", "strategy", "matrix",
                                                        "steps",  "job",    "runner",   "env"};
constexpr std::array<std::string_view, 7> kRunsIfContexts{"runner", "github", "job",   "strategy",
                                                          "matrix", "env",    "inputs"};
constexpr std::array<std::string_view, 1> kContainerContexts{"inputs"};

constexpr Scope kDefault{.place = "an input's default", .contexts = kDefaultContexts, .hash_files = true};
constexpr Scope kOutput{.place = "an action's output", .contexts = kStepContexts};
constexpr Scope kStep{.place = "a step of an action", .contexts = kStepContexts, .hash_files = true};
constexpr Scope kStepIf{
    .place = "an if in an action", .contexts = kStepContexts, .status_functions = true, .hash_files = true};
constexpr Scope kRunsIf{
    .place = "pre-if and post-if", .contexts = kRunsIfContexts, .status_functions = true, .hash_files = true};
constexpr Scope kContainer{.place = "a container's arguments", .contexts = kContainerContexts};

class ActionReader {
 public:
  ActionReader(FileReader& reader, std::string_view file) : reader_(reader), schema_(reader.schema()) {
    action_.file = file;
  }

  ActionFile read(const YamlNode& root) {
    if (!root.is_map()) {
      schema_.error(root, fmt::format("an action's metadata must be a map, not {}", root.kind_name()));
      return std::move(action_);
    }
    // Other keys (author, branding) are for people and marketplaces.
    if (const YamlEntry* name = root.find("name")) action_.name = plain(*name->value, "\"name\"");
    if (const YamlEntry* text = root.find("description")) action_.description = plain(*text->value, "\"description\"");
    if (const YamlEntry* inputs = root.find("inputs")) read_inputs(*inputs->value);
    const YamlEntry* runs = root.find("runs");
    if (runs == nullptr) {
      schema_.error(root, "an action needs \"runs\"");
    } else {
      read_runs(*runs->value);
    }
    if (const YamlEntry* outputs = root.find("outputs")) read_outputs(*outputs->value);
    return std::move(action_);
  }

 private:
  // Text for people: expressions in it are only mentioned.
  std::string plain(const YamlNode& node, std::string_view what) {
    if (!node.is_scalar()) schema_.error(node, fmt::format("{} must be a string, not {}", what, node.kind_name()));
    return node.text();
  }

  bool is_map(const YamlNode& node, std::string_view what) {
    if (node.is_map()) return true;
    if (!node.is_null()) schema_.error(node, fmt::format("{} must be a map, not {}", what, node.kind_name()));
    return false;
  }

  void read_inputs(const YamlNode& node) {
    if (!is_map(node, "\"inputs\"")) return;
    for (const auto& entry : node.entries()) {
      ActionInput input{.name = entry.key, .description = {}, .fallback = {}, .deprecation = {}};
      const std::string what = fmt::format("the input \"{}\"", entry.key);
      if (action_.find_input(entry.key) != nullptr) {
        schema_.error(entry, fmt::format("{} is there twice; case does not count", what));
      }
      if (is_map(*entry.value, what)) read_input(*entry.value, what, input);
      action_.inputs.push_back(std::move(input));
    }
  }

  void read_input(const YamlNode& node, const std::string& what, ActionInput& input) {
    if (const YamlEntry* text = node.find("description")) input.description = plain(*text->value, what);
    if (const YamlEntry* value = node.find("default")) {
      input.fallback = reader_.text(*value->value, fmt::format("\"default\" of {}", what), &kDefault);
    }
    if (const YamlEntry* text = node.find("deprecationMessage")) {
      input.deprecation = plain(*text->value, fmt::format("\"deprecationMessage\" of {}", what));
    }
    if (const YamlEntry* required = node.find("required")) input.required = required->value->text() == "true";
  }

  void read_outputs(const YamlNode& node) {
    if (!is_map(node, "\"outputs\"")) return;
    for (const auto& entry : node.entries()) {
      ActionOutput output{.name = entry.key, .description = {}, .value = {}};
      const std::string what = fmt::format("the output \"{}\"", entry.key);
      if (is_map(*entry.value, what)) {
        MapReader map(schema_, *entry.value, what);
        if (const YamlNode* text = map.find("description")) output.description = plain(*text, what);
        if (const YamlNode* value = map.find("value")) {
          output.value = action_.kind == ActionKind::kComposite
                             ? reader_.text(*value, fmt::format("\"value\" of {}", what), &kOutput)
                             : plain(*value, what);
        }
      }
      action_.outputs.push_back(std::move(output));
    }
  }

  void read_runs(const YamlNode& node) {
    MapReader map(schema_, node, "\"runs\"");
    if (!map.is_map()) return;
    const YamlNode* usage = map.require("using");
    if (usage == nullptr) return;
    const std::string kind = lower_case(plain(*usage, "\"using\""));
    if (kind == "composite") {
      action_.kind = ActionKind::kComposite;
      if (const YamlNode* steps = map.require("steps")) read_steps(*steps);
    } else if (kind == "docker") {
      read_docker(map);
    } else if (kind == "node12" || kind == "node16" || kind == "node20" || kind == "node24") {
      action_.node_version = (kind[4] - '0') * 10 + (kind[5] - '0');
      read_node(map);
    } else {
      static constexpr std::string_view kKinds[] = {"composite", "docker", "node20", "node24", "node12", "node16"};
      schema_.error(*usage, fmt::format("\"using\" is \"{}\"; it must be composite, docker, node20 or node24", kind),
                    text::did_you_mean(kind, kKinds));
      return;
    }
    map.finish();
  }

  // A file of the action.
  std::string file_name(const YamlNode& node, std::string_view key) {
    std::string name = plain(node, fmt::format("\"{}\"", key));
    if (name.empty()) schema_.error(node, fmt::format("\"{}\" must not be empty", key));
    return name;
  }

  void read_conditions(MapReader& map) {
    const auto read = [&](const char* key, std::string& target) {
      const YamlNode* node = map.find(key);
      if (node == nullptr) return;
      if (auto text = reader_.condition(*node, fmt::format("\"{}\"", key), kRunsIf); !text.empty()) {
        target = std::move(text);
      }
    };
    read("pre-if", action_.pre_if);
    read("post-if", action_.post_if);
  }

  void read_node(MapReader& map) {
    action_.kind = ActionKind::kNode;
    if (const YamlNode* file = map.require("main")) action_.main = file_name(*file, "main");
    if (const YamlNode* file = map.find("pre")) action_.pre = file_name(*file, "pre");
    if (const YamlNode* file = map.find("post")) action_.post = file_name(*file, "post");
    read_conditions(map);
  }

  void read_docker(MapReader& map) {
    action_.kind = ActionKind::kDocker;
    if (const YamlNode* image = map.require("image")) action_.image = file_name(*image, "image");
    if (const YamlNode* text = map.find("entrypoint")) action_.entrypoint = file_name(*text, "entrypoint");
    if (const YamlNode* text = map.find("pre-entrypoint")) action_.pre_entrypoint = file_name(*text, "pre-entrypoint");
    if (const YamlNode* text = map.find("post-entrypoint")) {
      action_.post_entrypoint = file_name(*text, "post-entrypoint");
    }
    if (const YamlNode* args = map.find("args")) {
      if (args->is_sequence()) {
        for (const YamlNode* item : args->items()) {
          action_.args.push_back(reader_.text(*item, "an item of \"args\"", &kContainer));
        }
      } else if (!args->is_null()) {
        schema_.error(*args, fmt::format("\"args\" must be a list, not {}", args->kind_name()));
      }
    }
    if (const YamlNode* env = map.find("env")) action_.env = reader_.text_map(*env, "\"env\"", kContainer);
    read_conditions(map);
  }

  void read_steps(const YamlNode& node) {
    if (!node.is_sequence()) {
      schema_.error(node, fmt::format("\"steps\" must be a list, not {}", node.kind_name()));
      return;
    }
    if (node.items().size() > kStepsMax) {
      schema_.error(node, fmt::format("the action has {} steps; at most {} are run", node.items().size(), kStepsMax));
      return;
    }
    for (std::size_t i = 0; i < node.items().size(); ++i) {
      read_step(*node.items()[i], fmt::format("step {}", i + 1));
    }
  }

  void read_step(const YamlNode& node, const std::string& what) {
    const auto of = [&](std::string_view key) { return fmt::format("\"{}\" of {}", key, what); };
    MapReader map(schema_, node, what);
    Step step;
    step.position = node.position();
    if (!map.is_map()) return;
    if (const YamlNode* id = map.find("id")) read_id(*id, of("id"), step);
    if (const YamlNode* name = map.find("name")) step.name = reader_.text(*name, of("name"), &kStep);
    if (const YamlNode* text = map.find("if")) step.condition = reader_.condition(*text, of("if"), kStepIf);
    if (const YamlNode* env = map.find("env")) step.env = reader_.env(*env, of("env"), kStep);
    if (const YamlNode* value = map.find("continue-on-error")) {
      step.continue_on_error = reader_.boolean(*value, of("continue-on-error"), kStep);
    }
    const YamlNode* run = map.find("run");
    const YamlNode* uses = map.find("uses");
    if ((run == nullptr) == (uses == nullptr)) {
      schema_.error(node, fmt::format("{} must have either \"run\" or \"uses\"", what));
    }
    if (run != nullptr) {
      step.run = reader_.required_text(*run, of("run"), &kStep);
      if (const YamlNode* shell = map.require("shell")) step.shell = reader_.required_text(*shell, of("shell"), &kStep);
      if (const YamlNode* folder = map.find("working-directory")) {
        step.working_directory = reader_.text(*folder, of("working-directory"), &kStep);
      }
    } else if (uses != nullptr) {
      step.uses = reader_.required_text(*uses, of("uses"), nullptr);
      if (const YamlNode* with = map.find("with")) step.with = reader_.text_map(*with, of("with"), kStep);
    }
    for (const auto* key : {"background", "wait", "wait-all", "cancel", "parallel"}) {
      map.refuse(key, fmt::format("\"{}\" cannot be used inside a composite action", key));
    }
    map.finish();
    action_.steps.push_back(std::move(step));
  }

  void read_id(const YamlNode& node, const std::string& what, Step& step) {
    step.id = reader_.required_text(node, what, nullptr);
    if (step.id.empty()) return;
    if (!is_identifier(step.id) || step.id.starts_with("__")) {
      schema_.error(node, fmt::format("the id \"{}\" may hold letters, digits, - and _ only, starts with a letter or "
                                      "_, and not with __",
                                      step.id));
    } else if (!ids_.insert(lower_case(step.id)).second) {
      schema_.error(node, fmt::format("two steps of this action have the id \"{}\"", step.id));
    }
  }

  FileReader& reader_;
  text::SchemaReader& schema_;
  ActionFile action_;
  std::set<std::string> ids_;
};

}  // namespace

const ActionInput* ActionFile::find_input(std::string_view input) const {
  const auto found =
      std::ranges::find_if(inputs, [&](const ActionInput& item) { return equal_ignoring_case(item.name, input); });
  return found == inputs.end() ? nullptr : &*found;
}

ActionParse parse_action(std::string_view text, std::string_view file) {
  ActionParse result;
  auto yaml = text::parse_yaml(text, file, kLimits);
  result.diagnostics = std::move(yaml.diagnostics);
  if (!yaml.document) return result;
  const ParseOptions options;
  FileReader reader(*yaml.document, options);
  ActionFile action = ActionReader(reader, file).read(yaml.document->root());
  for (auto& diagnostic : reader.schema().take()) result.diagnostics.push_back(std::move(diagnostic));
  text::sort_and_deduplicate(result.diagnostics);
  if (!text::has_errors(result.diagnostics)) result.action = std::move(action);
  return result;
}

}  // namespace weir::workflow
