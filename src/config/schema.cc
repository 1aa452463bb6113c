#include "config/schema.h"

#include "config/reader.h"
#include "types/event.h"

namespace weir::config {
namespace {

// What several keys share.
constexpr std::string_view kShared = R"({
  "duration": {"type": "string", "pattern": "^[0-9]+(\\.[0-9]+)?(ms|s|m|h|d|w)$|\\$\\{\\{"},
  "kept": {"type": "string", "pattern": "^[0-9]+(\\.[0-9]+)?(h|d|w)$|^forever$|\\$\\{\\{"},
  "size": {"anyOf": [{"type": "integer", "minimum": 0},
                     {"type": "string", "pattern": "^[0-9]+([KMGTkmgt](i?[Bb])?|[Bb])?$|\\$\\{\\{"}]},
  "ratio": {"anyOf": [{"type": "number", "minimum": 0, "maximum": 1},
                      {"type": "string", "pattern": "^[0-9]+(\\.[0-9]+)?%$|\\$\\{\\{"}]},
  "flag": {"anyOf": [{"type": "boolean"}, {"type": "string", "pattern": "\\$\\{\\{"}]},
  "texts": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": ["string", "number"]}}]},
  "severity": {"enum": ["info", "warning", "page"]},
  "severities": {"anyOf": [{"$ref": "#/$defs/severity"}, {"type": "array", "items": {"$ref": "#/$defs/severity"}}]},
  "actions": {"anyOf": [{"enum": ["rollback"]}, {"type": "array", "items": {"enum": ["rollback"]}}]}
})";

json::value fragment(std::string_view text) {
  // The texts are constants of this folder, and a test reads them all.
  return parse_json(text, "schema of a key").value_or(json::object{});
}

// null stands for the default everywhere.
template <class T>
json::object schema_of(std::span<const Key<T>> keys) {
  json::object properties;
  for (const auto& key : keys) {
    if (key.read == nullptr) continue;
    json::value schema = fragment(key.schema);
    json::object property{{"description", key.about}};
    for (const auto& [name, value] : schema.get_object()) property[name] = value;
    properties[key.name] = std::move(property);
  }
  return {
      {"type", json::array{"object", "null"}}, {"additionalProperties", false}, {"properties", std::move(properties)}};
}

json::object event_names() {
  json::array names;
  for (const auto name : types::kEventTypes) names.emplace_back(name);
  json::object one{{"enum", std::move(names)}};
  return {{"anyOf", json::array{one, json::object{{"type", "array"}, {"items", one}}}}};
}

}  // namespace

std::string json_schema() {
  json::object definitions = fragment(kShared).get_object();
  definitions["events"] = event_names();
  definitions["endpoint"] = schema_of(endpoint_keys());
  definitions["endpoint_environment"] = schema_of(endpoint_environment_keys());
  definitions["capture"] = schema_of(capture_keys());
  definitions["rollout"] = schema_of(rollout_keys());
  definitions["environment"] = schema_of(environment_keys());
  definitions["monitor"] = schema_of(monitor_keys());
  definitions["drift"] = schema_of(drift_keys());
  definitions["accuracy"] = schema_of(accuracy_keys());
  definitions["alert"] = schema_of(alert_keys());
  definitions["retrain"] = schema_of(retrain_keys());
  definitions["notify"] = schema_of(notify_keys());
  definitions["quiet"] = schema_of(quiet_keys());
  definitions["mail"] = schema_of(mail_keys());
  definitions["runner"] = schema_of(runner_keys());
  definitions["schedules"] = schema_of(schedules_keys());
  definitions["branch"] = schema_of(branch_keys());
  definitions["data"] = schema_of(data_keys());
  definitions["keep"] = schema_of(keep_keys());
  definitions["alert"].get_object()["required"] = json::array{"when"};
  definitions["notify"].get_object()["required"] = json::array{"to"};
  definitions["quiet"].get_object()["required"] = json::array{"from", "to"};
  definitions["mail"].get_object()["required"] = json::array{"server", "from"};
  definitions["data"].get_object()["required"] = json::array{"watch"};

  json::object schema{{"$schema", "https://json-schema.org/draft/2020-12/schema"}, {"title", "weir.yaml"}};
  for (auto& [name, value] : schema_of(root_keys())) schema[name] = value;
  schema["$defs"] = std::move(definitions);
  return pretty_json(schema) + "\n";
}

}  // namespace weir::config
