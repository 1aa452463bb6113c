// The keys of `endpoints:` and of what stands below it.
#include <array>

#include "config/reader.h"

namespace weir::config {
namespace {

using text::YamlEntry;

void read_strategy(Reader& reader, const YamlEntry& entry, Rollout& rollout) {
  static constexpr std::array<std::string_view, 1> kBuilt = {"blue-green"};
  static constexpr std::array<std::string_view, 4> kLater = {"canary", "ab", "shadow", "a/b"};
  if (reader.choice(*entry.value, kBuilt, kLater)) rollout.strategy = Strategy::kBlueGreen;
}

void read_rollback(Reader& reader, const YamlEntry& entry, Rollout& rollout) {
  static constexpr std::array<std::string_view, 2> kNames = {"automatic", "manual"};
  const auto index = reader.choice(*entry.value, kNames);
  if (index) rollout.rollback = *index == 0 ? Rollback::kAutomatic : Rollback::kManual;
}

void read_model(Reader& reader, const YamlEntry& entry, EndpointEnvironment& environment) {
  const auto text = reader.scalar(*entry.value, "a model, such as models:/flight-delay@champion");
  if (!text) return;
  if (auto model = parse_model_reference(*text)) {
    environment.model = *std::move(model);
  } else {
    reader.error(*entry.value, model.error().message);
  }
}

// What an endpoint without any says: production, from the alias champion of the model of its own name.
EndpointEnvironment default_environment(std::string_view name, const EndpointDraft& draft) {
  return {.name = std::string(name),
          .model = {.model = draft.endpoint.name, .alias = name == "production" ? "champion" : "candidate"},
          .capture = draft.capture,
          .rollout = draft.rollout,
          .workers = draft.workers};
}

void finish_endpoint(Reader& reader, EndpointDraft& draft) {
  auto& environments = draft.endpoint.environments;
  if (draft.environments != nullptr && draft.environments->is_map()) {
    for (const auto& entry : draft.environments->entries()) {
      if (!reader.check_name(entry, "an environment")) continue;
      auto environment = default_environment(entry.key, draft);
      read_map(reader, *entry.value, endpoint_environment_keys(), environment,
               fmt::format("environment \"{}\" of endpoint \"{}\"", entry.key, draft.endpoint.name));
      environments.push_back(std::move(environment));
    }
  } else if (draft.environments != nullptr && !draft.environments->is_null()) {
    reader.error(*draft.environments,
                 fmt::format("environments must be a map, not {}", draft.environments->kind_name()),
                 "e.g. {production: {model: models:/flight-delay@champion}}");
  }
  if (environments.empty()) environments.push_back(default_environment("production", draft));
}

}  // namespace

std::span<const Key<Capture>> capture_keys() {
  static constexpr std::array kKeys = {
      Key<Capture>{"sample", "Share of requests that is kept.",
                   R"({"$ref": "#/$defs/ratio", "default": 1, "examples": ["100%"]})",
                   [](Reader& reader, const YamlEntry& entry, Capture& capture) {
                     reader.read_ratio(*entry.value, capture.sample);
                   }},
      Key<Capture>{
          "redact", "Columns that are never kept.",
          R"({"$ref": "#/$defs/texts", "default": [], "examples": [["tailnum"]]})",
          [](Reader& reader, const YamlEntry& entry, Capture& capture) { reader.read(*entry.value, capture.redact); }},
      Key<Capture>{"keep", "How long captured requests are kept.",
                   R"({"$ref": "#/$defs/duration", "default": "30d", "examples": ["30d"]})",
                   [](Reader& reader, const YamlEntry& entry, Capture& capture) {
                     reader.read_duration(*entry.value, capture.keep);
                   }},
  };
  return kKeys;
}

std::span<const Key<Rollout>> rollout_keys() {
  static constexpr std::array kKeys = {
      Key<Rollout>{"strategy", "How a new version takes over.",
                   R"({"enum": ["blue-green"], "default": "blue-green", "examples": ["blue-green"]})", read_strategy},
      Key<Rollout>{"rollback", "Whether alerts with `do: [rollback]` act by themselves.",
                   R"({"enum": ["automatic", "manual"], "default": "automatic", "examples": ["manual"]})",
                   read_rollback},
      Key<Rollout>{"steps", "", "", nullptr,
                   "rollout steps are not built yet: blue-green switches all traffic at once"},
      Key<Rollout>{"verdict", "", "", nullptr,
                   "a rollout's verdict is not built yet: the gate and the smoke test decide"},
  };
  return kKeys;
}

std::span<const Key<EndpointEnvironment>> endpoint_environment_keys() {
  static constexpr std::array kKeys = {
      Key<EndpointEnvironment>{
          "model", "The model that this environment wishes to serve: by alias, version or stage.",
          R"({"type": "string", "pattern": "^models:/[^/@:]+(@.+|/.+)$|\\$\\{\\{", "examples": ["models:/flight-delay@champion"]})",
          read_model},
      Key<EndpointEnvironment>{"capture",
                               "What is kept of this environment's traffic, instead of the endpoint's setting.",
                               R"({"$ref": "#/$defs/capture", "examples": [{"sample": 0.5}]})",
                               [](Reader& reader, const YamlEntry& entry, EndpointEnvironment& environment) {
                                 read_map(reader, *entry.value, capture_keys(), environment.capture, "capture");
                               }},
      Key<EndpointEnvironment>{"rollout",
                               "How new versions come to this environment, instead of the endpoint's setting.",
                               R"({"$ref": "#/$defs/rollout", "examples": [{"rollback": "manual"}]})",
                               [](Reader& reader, const YamlEntry& entry, EndpointEnvironment& environment) {
                                 read_map(reader, *entry.value, rollout_keys(), environment.rollout, "rollout");
                               }},
      Key<EndpointEnvironment>{"workers", "Processes that answer requests in this environment.",
                               R"({"type": ["integer", "string"], "minimum": 1, "maximum": 64, "examples": [1]})",
                               [](Reader& reader, const YamlEntry& entry, EndpointEnvironment& environment) {
                                 reader.read_count(*entry.value, environment.workers, 1, 64);
                               }},
  };
  return kKeys;
}

std::span<const Key<EndpointDraft>> endpoint_keys() {
  static constexpr std::array kKeys = {
      Key<EndpointDraft>{
          "environments", "Where the endpoint serves, each with its own model; production alone by default.",
          R"({"type": "object", "additionalProperties": {"$ref": "#/$defs/endpoint_environment"},
              "examples": [{"staging": {"model": "models:/flight-delay@candidate"}}]})",
          [](Reader&, const YamlEntry& entry, EndpointDraft& draft) { draft.environments = entry.value; }},
      Key<EndpointDraft>{"key", "Column that joins labels to requests, beside the request's id.",
                         R"({"type": "string", "examples": ["flight_id"]})",
                         [](Reader& reader, const YamlEntry& entry, EndpointDraft& draft) {
                           reader.read(*entry.value, draft.endpoint.key);
                         }},
      Key<EndpointDraft>{"time", "Column with the time of a row: windows, label delay, age and cool-down follow it.",
                         R"({"type": "string", "examples": ["time_hour"]})",
                         [](Reader& reader, const YamlEntry& entry, EndpointDraft& draft) {
                           reader.read(*entry.value, draft.endpoint.time);
                         }},
      Key<EndpointDraft>{"capture", "What is kept of the traffic for monitoring.",
                         R"({"$ref": "#/$defs/capture", "examples": [{"sample": "10%"}]})",
                         [](Reader& reader, const YamlEntry& entry, EndpointDraft& draft) {
                           read_map(reader, *entry.value, capture_keys(), draft.capture, "capture");
                         }},
      Key<EndpointDraft>{"rollout", "How a new version takes over.",
                         R"({"$ref": "#/$defs/rollout", "examples": [{"strategy": "blue-green"}]})",
                         [](Reader& reader, const YamlEntry& entry, EndpointDraft& draft) {
                           read_map(reader, *entry.value, rollout_keys(), draft.rollout, "rollout");
                         }},
      Key<EndpointDraft>{
          "workers", "Processes that answer requests, in each environment.",
          R"({"type": ["integer", "string"], "minimum": 1, "maximum": 64, "default": 2, "examples": [2]})",
          [](Reader& reader, const YamlEntry& entry, EndpointDraft& draft) {
            reader.read_count(*entry.value, draft.workers, 1, 64);
          }},
  };
  return kKeys;
}

void read_endpoints(Reader& reader, const YamlEntry& entry, Config& config) {
  if (!entry.value->is_map()) {
    reader.error(*entry.value, fmt::format("endpoints must be a map by name, not {}", entry.value->kind_name()));
    return;
  }
  for (const auto& one : entry.value->entries()) {
    if (!reader.check_name(one, "an endpoint")) continue;
    if (is_reserved_endpoint_name(one.key)) {
      reader.error(
          one, fmt::format("\"{}\" cannot name an endpoint: the server itself answers below /{}", one.key, one.key));
      continue;
    }
    EndpointDraft draft;
    draft.endpoint.name = one.key;
    read_map(reader, *one.value, endpoint_keys(), draft, fmt::format("endpoint \"{}\"", one.key));
    finish_endpoint(reader, draft);
    config.endpoints.push_back(std::move(draft.endpoint));
  }
}

}  // namespace weir::config
