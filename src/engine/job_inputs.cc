#include "engine/job_inputs.h"

namespace weir::engine {
namespace {

using Kind = Difference::Kind;
using Change = Difference::Change;

constexpr std::size_t kShownMax = 4;

json::array to_array(const std::vector<std::string>& texts) {
  json::array array;
  for (const auto& text : texts) array.emplace_back(text);
  return array;
}

std::vector<std::string> texts_of(const json::value& value, std::string_view key) {
  std::vector<std::string> texts;
  const auto* array = json_find(value, key);
  if (array == nullptr || !array->is_array()) return texts;
  for (const auto& one : array->get_array()) {
    if (one.is_string()) texts.emplace_back(one.get_string());
  }
  return texts;
}

std::string_view kind_name(Kind kind) {
  switch (kind) {
    case Kind::kDefinition: return "definition";
    case Kind::kValue: return "value";
    case Kind::kNeed: return "need";
    case Kind::kFile: return "file";
  }
  return "file";
}

std::string_view change_name(Change change) {
  switch (change) {
    case Change::kChanged: return "changed";
    case Change::kNew: return "new";
    case Change::kGone: return "gone";
  }
  return "changed";
}

std::string sentence(const Difference& one) {
  const std::string_view end = one.change == Change::kNew    ? "is new"
                               : one.change == Change::kGone ? "is gone"
                                                             : "changed";
  if (one.kind == Kind::kNeed) return fmt::format("what {} made changed", one.name);
  if (one.name == kCommitPart) return "the commit changed, which it asks for";
  if (one.kind == Kind::kValue && one.name.empty()) return "inputs or variables changed";
  if (one.kind == Kind::kDefinition && one.name.empty()) return "the job itself changed in the workflow file";
  if (one.kind == Kind::kDefinition && one.name.find('.') == std::string::npos) {
    return fmt::format("the job's {} changed in the workflow file", one.name);
  }
  return fmt::format("{} {}", one.name, end);
}

}  // namespace

json::object to_json(const JobInputs& inputs) {
  json::object needs;
  for (const auto& [key, value] : inputs.needs) needs[key] = value;
  json::object parts;
  for (const auto& [name, value] : inputs.parts) parts[name] = value;
  json::value reads;
  if (inputs.reads) {
    reads = json::object{{"files", to_array(inputs.reads->files)}, {"folders", to_array(inputs.reads->folders)}};
  }
  return {{"commit", inputs.commit},   {"definition", inputs.definition}, {"values", inputs.values},
          {"needs", std::move(needs)}, {"parts", std::move(parts)},       {"reads", std::move(reads)}};
}

std::optional<JobInputs> job_inputs_from_json(const json::value& value) {
  JobInputs inputs{.commit = json_string_or(value, "commit", ""),
                   .definition = json_string_or(value, "definition", ""),
                   .values = json_string_or(value, "values", "")};
  if (inputs.commit.empty() || inputs.definition.empty()) return std::nullopt;
  const auto take = [&value](std::string_view member, std::map<std::string, std::string>& into) {
    const auto* object = json_find(value, member);
    if (object == nullptr || !object->is_object()) return;
    for (const auto& one : object->get_object()) {
      if (one.value().is_string()) into[one.key()] = std::string(one.value().get_string());
    }
  };
  take("needs", inputs.needs);
  take("parts", inputs.parts);
  if (const auto* reads = json_find(value, "reads"); reads != nullptr) inputs.reads = reads_from_json(*reads);
  return inputs;
}

std::optional<JobInputs::Reads> reads_from_json(const json::value& value) {
  if (!value.is_object()) return std::nullopt;
  return JobInputs::Reads{.files = texts_of(value, "files"), .folders = texts_of(value, "folders")};
}

json::object to_json(const Difference& difference) {
  return {{"kind", kind_name(difference.kind)}, {"name", difference.name}, {"change", change_name(difference.change)}};
}

std::string in_words(const std::vector<Difference>& differences) {
  std::vector<std::string> told;
  for (const auto& one : differences) {
    if (told.size() == kShownMax) {
      told.push_back(fmt::format("and {} more", differences.size() - kShownMax));
      break;
    }
    told.push_back(sentence(one));
  }
  return fmt::format("{}", fmt::join(told, ", "));
}

}  // namespace weir::engine
