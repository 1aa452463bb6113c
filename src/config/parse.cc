#include "config/parse.h"

#include <algorithm>
#include <set>

#include "config/reader.h"

namespace weir::config {
namespace {

// The value of `section`, if it is a map, for what must be said about one of its keys.
const text::YamlNode* section_of(const text::YamlNode& root, std::string_view section) {
  const auto* entry = root.find(section);
  return entry != nullptr && entry->value->is_map() ? entry->value : nullptr;
}

// A monitor watches an endpoint that is configured.
void check_monitors(Reader& reader, const text::YamlNode& root, const Config& config) {
  const auto* section = section_of(root, "monitors");
  if (section == nullptr) return;
  std::vector<std::string_view> names;
  names.reserve(config.endpoints.size());
  for (const auto& endpoint : config.endpoints) names.push_back(endpoint.name);
  for (const auto& entry : section->entries()) {
    if (std::find(names.begin(), names.end(), entry.key) != names.end()) continue;
    std::string hint = text::did_you_mean(entry.key, names);
    if (hint.empty()) hint = names.empty() ? "add it under endpoints:" : "there are " + text::quoted_list(names, "and");
    reader.error(entry, fmt::format("there is no endpoint \"{}\" to monitor", entry.key), std::move(hint));
  }
}

// Drift and accuracy are measured by the monitor of an endpoint that serves the model: without one a rule would sleep.
void check_retraining(Reader& reader, const text::YamlNode& root, const Config& config) {
  const auto* section = section_of(root, "retrain");
  if (section == nullptr) return;
  std::set<std::string> monitored;
  std::set<std::string> served;
  for (const auto& endpoint : config.endpoints) {
    const auto* production = endpoint.environment("production");
    if (production == nullptr) continue;
    served.insert(production->model.model);
    if (config.monitor(endpoint.name) != nullptr) monitored.insert(production->model.model);
  }
  for (const auto& entry : section->entries()) {
    const auto* retrain = config.retrain_of(entry.key);
    if (retrain == nullptr) continue;
    if (!served.contains(entry.key)) {
      const std::vector<std::string> names(served.begin(), served.end());
      reader.warning(*entry.value,
                     fmt::format("no endpoint serves {} in production, so it is never retrained", entry.key),
                     text::did_you_mean(entry.key, names));
    } else if (!monitored.contains(entry.key)) {
      reader.warning(*entry.value,
                     fmt::format("no monitor watches an endpoint that serves {}, so these rules never hold", entry.key),
                     "add its endpoint under monitors:");
    }
  }
}

}  // namespace

ParseResult parse_config(std::string_view text, std::string_view file_name, const ParseOptions& options) {
  ParseResult result;
  auto yaml = text::parse_yaml(text, file_name);
  result.diagnostics = std::move(yaml.diagnostics);
  if (!yaml.document) return result;

  Config config;
  Reader reader(*yaml.document, options);
  const auto& root = yaml.document->root();
  read_map(reader, root, root_keys(), config, "weir.yaml");
  check_monitors(reader, root, config);
  check_retraining(reader, root, config);

  auto problems = reader.take();
  result.diagnostics.insert(result.diagnostics.end(), std::make_move_iterator(problems.begin()),
                            std::make_move_iterator(problems.end()));
  text::sort_and_deduplicate(result.diagnostics);
  if (!text::has_errors(result.diagnostics)) result.config = std::move(config);
  return result;
}

}  // namespace weir::config
