#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "config/parse.h"
#include "text/schema_reader.h"
#include "text/suggest.h"
#include "text/yaml.h"

namespace weir::config {

// Reads single values of weir.yaml; what is wrong with one is reported and the value left as it was.
class Reader {
 public:
  Reader(const text::YamlDocument& document, const ParseOptions& options) : schema_(document), options_(options) {}

  [[nodiscard]] std::vector<text::Diagnostic> take() { return schema_.take(); }

  void error(const text::YamlNode& node, std::string message, std::string hint = {}) {
    schema_.error(node, std::move(message), std::move(hint));
  }
  void error(const text::YamlEntry& entry, std::string message, std::string hint = {}) {
    schema_.error(entry, std::move(message), std::move(hint));
  }
  void warning(const text::YamlNode& node, std::string message, std::string hint = {}) {
    schema_.warning(node, std::move(message), std::move(hint));
  }
  // At byte `offset` of a scalar's text, to its end.
  void error_at(const text::YamlNode& node, std::size_t offset, std::string message);

  // A scalar's text with its variables put in. Nothing if it is no scalar, holds a reference that cannot be resolved,
  // or is null. `expected` completes "… must be".
  std::optional<std::string> scalar(const text::YamlNode& node, std::string_view expected);
  void read(const text::YamlNode& node, std::string& value);
  void read(const text::YamlNode& node, bool& value);
  void read(const text::YamlNode& node, std::vector<std::string>& values);  // a list, or one value
  void read_duration(const text::YamlNode& node, Duration& value);
  void read_size(const text::YamlNode& node, std::int64_t& bytes);
  void read_ratio(const text::YamlNode& node, double& value);  // "85%" or 0.85, from 0 to 1
  void read_number(const text::YamlNode& node, double& value, double min, double max);
  void read_count(const text::YamlNode& node, int& value, int min, int max);
  void read_template(const text::YamlNode& node, Template& value);

  // The index of one of `allowed`. A value of `later` is known and not built: refused by that name.
  std::optional<std::size_t> choice(const text::YamlNode& node, std::span<const std::string_view> allowed,
                                    std::span<const std::string_view> later = {});

  // Items of a list; one value counts as a list of it. Nothing (after an error) for a map.
  std::vector<const text::YamlNode*> items(const text::YamlNode& node, std::string_view expected);

  // A rule by one of the parsers of rules.h.
  template <class Rule>
  std::optional<Rule> rule(const text::YamlNode& node, Result<Rule> (*parse)(std::string_view, std::size_t*)) {
    const auto text = scalar(node, "a rule such as `auc >= 0.65`");
    if (!text) return std::nullopt;
    std::size_t offset = 0;
    auto parsed = parse(*text, &offset);
    if (parsed) return *std::move(parsed);
    // With variables put in, offsets no longer are those of the file.
    error_at(node, *text == node.text() ? offset : 0, parsed.error().message);
    return std::nullopt;
  }

  [[nodiscard]] bool knows_time_zone(std::string_view name) const {
    return !options_.knows_time_zone || options_.knows_time_zone(name);
  }

  // Letters, digits, "-", "_", "." and at most 63 of them, as in addresses.
  bool check_name(const text::YamlEntry& entry, std::string_view what);

 private:
  std::optional<double> number(const text::YamlNode& node, std::string_view expected);

  text::SchemaReader schema_;
  const ParseOptions& options_;
};

// One key of a map that becomes a T: the parser reads by it, and the JSON Schema is made of it.
template <class T>
struct Key {
  std::string_view name;
  std::string_view about;   // for editors
  std::string_view schema;  // JSON Schema of the value, with an example; "" for a key that is refused
  void (*read)(Reader&, const text::YamlEntry&, T&) = nullptr;
  // What to say of a key that is known and not built. Written out, so that tables may leave it away.
  std::string_view refusal = {};  // NOLINT(readability-redundant-member-init)
};

// Reads `node`, which must be a map, by `keys`. `what` names the map: "endpoint \"flights\"".
template <class T>
void read_map(Reader& reader, const text::YamlNode& node, std::span<const Key<T>> keys, T& into,
              std::string_view what) {
  if (node.is_null()) return;
  if (!node.is_map()) {
    reader.error(node, fmt::format("{} must be a map, not {}", what, node.kind_name()));
    return;
  }
  for (const auto& entry : node.entries()) {
    const Key<T>* known = nullptr;
    for (const auto& key : keys) {
      if (key.name == entry.key) known = &key;
    }
    if (known == nullptr) {
      std::vector<std::string_view> names;
      for (const auto& key : keys) {
        if (key.read != nullptr) names.push_back(key.name);
      }
      std::string hint = text::did_you_mean(entry.key, names);
      if (hint.empty()) hint = "there are " + text::quoted_list(names, "and");
      reader.error(entry, fmt::format("unknown key \"{}\" in {}", entry.key, what), std::move(hint));
    } else if (known->read == nullptr) {
      reader.error(entry, std::string(known->refusal));
    } else if (!entry.value->is_null()) {
      known->read(reader, entry, into);
    }
  }
}

// An endpoint while its environments wait for the values that they inherit.
struct EndpointDraft {
  Endpoint endpoint;
  Capture capture;
  Rollout rollout;
  int workers = 2;
  const text::YamlNode* environments = nullptr;
};

// The keys of each map of the file, in the order of the documentation.
std::span<const Key<Config>> root_keys();
std::span<const Key<EndpointDraft>> endpoint_keys();
std::span<const Key<EndpointEnvironment>> endpoint_environment_keys();
std::span<const Key<Capture>> capture_keys();
std::span<const Key<Rollout>> rollout_keys();
std::span<const Key<Environment>> environment_keys();
std::span<const Key<Monitor>> monitor_keys();
std::span<const Key<Monitor::Drift>> drift_keys();
std::span<const Key<Monitor::Accuracy>> accuracy_keys();
std::span<const Key<Alert>> alert_keys();
std::span<const Key<Retrain>> retrain_keys();
std::span<const Key<Notify>> notify_keys();
std::span<const Key<Quiet>> quiet_keys();
std::span<const Key<Mail>> mail_keys();
std::span<const Key<Runner>> runner_keys();
std::span<const Key<Schedules>> schedules_keys();
std::span<const Key<Branch>> branch_keys();
std::span<const Key<DataWatch>> data_keys();
std::span<const Key<Keep>> keep_keys();

void read_endpoints(Reader& reader, const text::YamlEntry& entry, Config& config);
void read_environments(Reader& reader, const text::YamlEntry& entry, Config& config);
void read_gates(Reader& reader, const text::YamlEntry& entry, Config& config);
void read_monitors(Reader& reader, const text::YamlEntry& entry, Config& config);
void read_retrain(Reader& reader, const text::YamlEntry& entry, Config& config);
void read_notify(Reader& reader, const text::YamlEntry& entry, Config& config);
void read_mail(Reader& reader, const text::YamlEntry& entry, Config& config);
void read_runners(Reader& reader, const text::YamlEntry& entry, Config& config);
void read_branches(Reader& reader, const text::YamlEntry& entry, Config& config);
void read_data(Reader& reader, const text::YamlEntry& entry, Config& config);
void read_keep(Reader& reader, const text::YamlEntry& entry, Config& config);

}  // namespace weir::config
