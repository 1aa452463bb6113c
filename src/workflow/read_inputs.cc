#include <fmt/format.h>

#include <algorithm>

#include "text/suggest.h"
#include "workflow/expression.h"
#include "workflow/expression_value.h"
#include "workflow/file_reader.h"
#include "workflow/scopes.h"

// Inputs of workflow_dispatch and workflow_call, and what else a reusable workflow declares.
namespace weir::workflow {
namespace {

using text::MapReader;
using text::YamlEntry;
using text::YamlNode;

constexpr std::size_t kInputsMax = 25;

InputType type_of(std::string_view name) {
  for (const InputType type : {InputType::kBoolean, InputType::kNumber, InputType::kChoice, InputType::kEnvironment}) {
    if (input_type_name(type) == name) return type;
  }
  return InputType::kString;
}

class InputReader {
 public:
  // `call`: of workflow_call, where the type is required and the default may hold expressions.
  InputReader(FileReader& reader, bool call) : reader_(reader), schema_(reader.schema()), call_(call) {}

  std::vector<Input> read(const YamlNode& node) {
    if (!node.is_map()) {
      schema_.error(node, fmt::format("\"inputs\" must be a map, not {}", node.kind_name()));
      return {};
    }
    if (!call_ && node.entries().size() > kInputsMax) {
      schema_.error(node, fmt::format("workflow_dispatch has {} inputs; at most {} are allowed", node.entries().size(),
                                      kInputsMax));
    }
    for (const auto& entry : node.entries()) read_input(entry);
    return std::move(inputs_);
  }

 private:
  void read_input(const YamlEntry& entry) {
    Input input{.name = entry.key};
    const std::string what = fmt::format("input \"{}\"", entry.key);
    check_name(reader_, entry, what);
    if (std::ranges::any_of(inputs_, [&](const Input& i) { return equal_ignoring_case(i.name, entry.key); })) {
      schema_.error(entry, fmt::format("{} is declared twice; case does not matter", what));
    }
    MapReader map(schema_, *entry.value, what);
    if (const YamlNode* text = map.find("description"))
      input.description = reader_.text(*text, "\"description\"", nullptr);
    input.required = map.boolean("required").value_or(false);
    read_type(entry, map, what, input);
    if (const YamlNode* value = map.find("default")) read_default(*value, what, input);
    if (!call_) {
      if (const YamlNode* text = map.find("deprecationMessage")) {
        input.deprecation = reader_.text(*text, "\"deprecationMessage\"", nullptr);
      }
    }
    map.finish();
    inputs_.push_back(std::move(input));
  }

  void read_type(const YamlEntry& entry, MapReader& map, const std::string& what, Input& input) {
    if (call_) {
      if (map.require("type") != nullptr) {
        input.type = type_of(map.choice("type", {"string", "boolean", "number"}).value_or("string"));
      }
      return;
    }
    input.type =
        type_of(map.choice("type", {"string", "boolean", "number", "choice", "environment"}).value_or("string"));
    const YamlEntry* options = map.find_entry("options");
    if (options != nullptr) input.options = reader_.texts(*options->value, "\"options\"", nullptr);
    if (input.type == InputType::kChoice && input.options.empty()) {
      schema_.error(entry, fmt::format("{} is a choice and needs \"options\"", what));
    } else if (input.type != InputType::kChoice && options != nullptr) {
      schema_.error(*options, fmt::format("{} has options but is no choice", what), "add type: choice");
    }
  }

  void read_default(const YamlNode& node, const std::string& what, Input& input) {
    if (node.is_null()) return;
    const std::string text =
        reader_.text(node, fmt::format("\"default\" of {}", what), call_ ? &scopes::kCallInput : nullptr);
    if (!node.is_scalar()) return;
    if (call_ && has_expression(text)) {
      input.default_value = text;
      return;
    }
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

  static void check_name(FileReader& reader, const YamlEntry& entry, const std::string& what) {
    if (is_identifier(entry.key)) return;
    reader.schema().error(
        entry, fmt::format("{} may hold letters, digits, - and _ only, and starts with a letter or _", what));
  }

  FileReader& reader_;
  text::SchemaReader& schema_;
  bool call_;
  std::vector<Input> inputs_;
};

class CallReader {
 public:
  explicit CallReader(FileReader& reader) : reader_(reader), schema_(reader.schema()) {}

  CallTrigger read(const YamlNode& node) {
    MapReader map(schema_, node, "workflow_call", true);
    if (const YamlNode* inputs = map.find("inputs")) call_.inputs = InputReader(reader_, true).read(*inputs);
    if (const YamlNode* secrets = map.find("secrets")) read_each(*secrets, "secrets", &CallReader::read_secret);
    if (const YamlNode* outputs = map.find("outputs")) read_each(*outputs, "outputs", &CallReader::read_output);
    map.finish();
    return std::move(call_);
  }

 private:
  void read_each(const YamlNode& node, std::string_view key, void (CallReader::*read)(const YamlEntry&)) {
    if (!node.is_map()) {
      schema_.error(node, fmt::format("\"{}\" of workflow_call must be a map, not {}", key, node.kind_name()));
      return;
    }
    reader_.check_keys(node);
    for (const auto& entry : node.entries()) (this->*read)(entry);
  }

  void read_secret(const YamlEntry& entry) {
    CallSecret secret{.name = entry.key};
    if (call_.find_secret(entry.key) != nullptr) {
      schema_.error(entry, fmt::format("secret \"{}\" is declared twice; case does not matter", entry.key));
    }
    MapReader map(schema_, *entry.value, fmt::format("secret \"{}\"", entry.key), true);
    if (const YamlNode* text = map.find("description"))
      secret.description = reader_.text(*text, "\"description\"", nullptr);
    secret.required = map.boolean("required").value_or(false);
    map.finish();
    call_.secrets.push_back(std::move(secret));
  }

  void read_output(const YamlEntry& entry) {
    CallOutput output{.name = entry.key};
    const std::string what = fmt::format("output \"{}\"", entry.key);
    MapReader map(schema_, *entry.value, what);
    if (const YamlNode* text = map.find("description"))
      output.description = reader_.text(*text, "\"description\"", nullptr);
    if (const YamlNode* value = map.require("value")) {
      output.value = reader_.text(*value, fmt::format("\"value\" of {}", what), &scopes::kCallOutput);
    }
    map.finish();
    call_.outputs.push_back(std::move(output));
  }

  FileReader& reader_;
  text::SchemaReader& schema_;
  CallTrigger call_;
};

}  // namespace

DispatchTrigger read_dispatch(FileReader& reader, const YamlNode& node) {
  DispatchTrigger out;
  MapReader map(reader.schema(), node, "workflow_dispatch", true);
  if (const YamlNode* inputs = map.find("inputs")) {
    out.inputs = InputReader(reader, false).read(*inputs);
  }
  map.finish();
  return out;
}

CallTrigger read_call(FileReader& reader, const YamlNode& node) {
  return CallReader(reader).read(node);
}

}  // namespace weir::workflow
