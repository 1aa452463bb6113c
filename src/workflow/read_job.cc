#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "text/suggest.h"
#include "workflow/file_reader.h"
#include "workflow/plan.h"
#include "workflow/scopes.h"
#include "workflow/support.h"

namespace weir::workflow {
namespace {

using text::MapReader;
using text::YamlEntry;
using text::YamlNode;

constexpr std::size_t kGithubCombinationsMax = 256;

constexpr std::size_t kJobKeyMax = 99;

// ---- strategy

// Whether expressions stand anywhere in a tree, so that its value is not known yet.
bool is_fixed(const json::value& value) {
  if (const auto* text = value.if_string()) return !has_expression({text->data(), text->size()});
  if (const auto* array = value.if_array()) return std::ranges::all_of(*array, is_fixed);
  if (const auto* object = value.if_object()) {
    return std::ranges::all_of(*object, [](const auto& member) { return is_fixed(member.value()); });
  }
  return true;
}

class StrategyReader {
 public:
  StrategyReader(FileReader& reader, std::string what)
      : reader_(reader), schema_(reader.schema()), what_(std::move(what)) {}

  json::value read(const YamlNode& node) {
    if (FileReader::is_one_expression(node)) return reader_.tree(node, scopes::kStrategy);
    json::object out;
    MapReader map(schema_, node, fmt::format("strategy of {}", what_));
    if (const YamlNode* fail_fast = map.find("fail-fast")) {
      out["fail-fast"] = reader_.boolean(*fail_fast, "\"fail-fast\"", scopes::kStrategy);
    }
    if (const YamlNode* most = map.find("max-parallel")) {
      out["max-parallel"] = reader_.number(*most, "\"max-parallel\"", scopes::kStrategy);
    }
    if (const YamlNode* matrix = map.find("matrix")) out["matrix"] = read_matrix(*matrix);
    map.finish();
    return out;
  }

 private:
  json::value read_matrix(const YamlNode& node) {
    if (FileReader::is_one_expression(node)) return reader_.tree(node, scopes::kStrategy);
    if (!node.is_map()) {
      schema_.error(node, fmt::format("matrix of {} must be a map or an expression, not {}", what_, node.kind_name()));
      return nullptr;
    }
    if (node.entries().empty()) schema_.error(node, fmt::format("matrix of {} is empty", what_));
    reader_.check_keys(node);
    json::object out;
    for (const auto& entry : node.entries()) {
      const bool filter = entry.key == "include" || entry.key == "exclude";
      filter ? check_filter(entry, node) : check_vector(entry);
      out.emplace(entry.key, reader_.tree(*entry.value, scopes::kStrategy));
    }
    return out;
  }

  void check_vector(const YamlEntry& entry) {
    if (FileReader::is_one_expression(*entry.value)) return;
    if (!entry.value->is_sequence()) {
      schema_.error(
          *entry.value,
          fmt::format("matrix key \"{}\" must be a list or an expression, not {}", entry.key, entry.value->kind_name()),
          entry.value->is_scalar() ? fmt::format("write [{}]", entry.value->text()) : "");
    } else if (entry.value->items().empty()) {
      schema_.error(*entry.value, fmt::format("matrix key \"{}\" is an empty list", entry.key));
    }
  }

  void check_filter(const YamlEntry& entry, const YamlNode& matrix) {
    if (FileReader::is_one_expression(*entry.value) || entry.value->is_null()) return;
    if (!entry.value->is_sequence()) {
      schema_.error(*entry.value, fmt::format("\"{}\" of a matrix must be a list of maps, not {}", entry.key,
                                              entry.value->kind_name()));
      return;
    }
    std::vector<std::string> known;
    for (const auto& other : matrix.entries()) known.push_back(other.key);
    for (const YamlNode* item : entry.value->items()) {
      if (FileReader::is_one_expression(*item)) continue;
      if (!item->is_map() || item->entries().empty()) {
        schema_.error(*item, fmt::format("an item of \"{}\" must be a map with keys", entry.key));
        continue;
      }
      if (entry.key == "include") continue;
      for (const auto& key : item->entries()) {
        if (matrix.find(key.key) != nullptr) continue;
        schema_.error(key, fmt::format("\"exclude\" names \"{}\", which is no key of the matrix", key.key),
                      text::did_you_mean(key.key, known));
      }
    }
  }

  FileReader& reader_;
  text::SchemaReader& schema_;
  std::string what_;
};

// ---- the job

class JobReader {
 public:
  JobReader(FileReader& reader, const YamlEntry& entry, int index)
      : reader_(reader),
        schema_(reader.schema()),
        entry_(entry),
        index_(index),
        what_(fmt::format("job \"{}\"", entry.key)),
        map_(reader.schema(), *entry.value, what_) {}

  Job read() {
    job_.key = entry_.key;
    job_.position = entry_.position;
    check_key();
    if (!map_.is_map()) return std::move(job_);
    reader_.enter(index_, -1);
    calls_ = map_.node().find("uses") != nullptr;
    if (calls_) read_call_of();
    read_placing();
    read_strategy();
    if (!calls_) {
      read_values();
      read_containers();
      read_steps_of();
    }
    map_.finish();
    reader_.enter(-1, -1);
    return std::move(job_);
  }

 private:
  [[nodiscard]] std::string of(std::string_view key) const { return fmt::format("\"{}\" of {}", key, what_); }

  void check_key() {
    if (!is_identifier(entry_.key)) {
      schema_.error(
          entry_,
          fmt::format("the name of {} may hold letters, digits, - and _ only, and starts with a letter or _", what_));
    } else if (entry_.key.size() > kJobKeyMax) {
      schema_.error(entry_, fmt::format("the name of a job has at most {} characters", kJobKeyMax));
    } else if (entry_.key.starts_with("__")) {
      schema_.error(entry_, "names of jobs that begin with __ are reserved");
    }
  }

  void read_placing() {
    if (const YamlNode* name = map_.find("name")) job_.name = reader_.text(*name, of("name"), &scopes::kJobName);
    if (const YamlNode* needs = map_.find("needs")) job_.needs = reader_.texts(*needs, of("needs"), nullptr);
    if (const YamlNode* condition = map_.find("if"))
      job_.condition = reader_.condition(*condition, of("if"), scopes::kJobIf);
    if (const YamlNode* rule = map_.find("concurrency")) {
      job_.concurrency = read_concurrency(reader_, *rule, of("concurrency"), scopes::kJobConcurrency);
    }
    if (const YamlNode* permissions = map_.find("permissions")) {
      job_.permissions = read_permissions(reader_, *permissions, of("permissions"));
    }
    if (const YamlNode* mode = map_.find("cache-mode")) {
      job_.cache_mode = read_cache_mode(reader_, *mode, of("cache-mode"));
    }
  }

  json::value read_runs_on(const YamlNode& node) {
    if (node.is_map()) {
      json::object out;
      MapReader map(schema_, node, of("runs-on"));
      if (const YamlNode* group = map.find("group"))
        out["group"] = reader_.required_text(*group, "\"group\"", &scopes::kRunsOn);
      if (const YamlNode* labels = map.find("labels")) out["labels"] = labels_of(*labels, "\"labels\"");
      if (node.entries().empty()) schema_.error(node, fmt::format("{} needs \"labels\" or \"group\"", of("runs-on")));
      map.finish();
      return out;
    }
    return labels_of(node, of("runs-on"));
  }

  json::value labels_of(const YamlNode& node, std::string_view what) {
    if (node.is_sequence() && node.items().empty()) schema_.error(node, fmt::format("{} is an empty list", what));
    const auto labels = reader_.texts(node, what, &scopes::kRunsOn);
    if (!node.is_sequence()) return labels.empty() ? json::value() : json::value(json::string(labels[0]));
    json::array out;
    for (const auto& label : labels) out.push_back(json::string(label));
    return out;
  }

  void read_values() {
    if (const YamlNode* runs_on = map_.require("runs-on")) job_.runs_on = read_runs_on(*runs_on);
    if (const YamlNode* env = map_.find("env")) job_.env = reader_.env(*env, of("env"), scopes::kJobEnv);
    if (const YamlNode* outputs = map_.find("outputs"))
      job_.outputs = reader_.text_map(*outputs, of("outputs"), scopes::kOutputs);
    if (const YamlNode* environment = map_.find("environment")) job_.environment = read_environment(*environment);
    if (const YamlNode* defaults = map_.find("defaults")) {
      job_.defaults = read_defaults(reader_, *defaults, of("defaults"), &scopes::kJobDefaults);
    }
    if (const YamlNode* minutes = map_.find("timeout-minutes")) {
      job_.timeout_minutes = reader_.number(*minutes, of("timeout-minutes"), scopes::kJobTimeout);
    }
    if (const YamlEntry* minutes = map_.find_entry("cancel-timeout-minutes")) {
      job_.cancel_timeout_minutes = reader_.number(*minutes->value, of("cancel-timeout-minutes"), scopes::kJobTimeout);
      reader_.needs(support::kCancelTimeout, *minutes, "time limits of cancellation");
    }
    if (const YamlNode* value = map_.find("continue-on-error")) {
      job_.continue_on_error = reader_.boolean(*value, of("continue-on-error"), scopes::kJobContinue);
    }
  }

  std::optional<EnvironmentRule> read_environment(const YamlNode& node) {
    EnvironmentRule out;
    if (!node.is_map()) {
      out.name = reader_.text(node, of("environment"), &scopes::kEnvironment);
      return out;
    }
    MapReader map(schema_, node, of("environment"));
    if (const YamlNode* name = map.require("name")) {
      out.name = reader_.text(*name, "\"name\" of environment", &scopes::kEnvironment);
    }
    if (const YamlNode* url = map.find("url"))
      out.url = reader_.text(*url, "\"url\" of environment", &scopes::kEnvironmentUrl);
    if (const YamlEntry* deployment = map.find_entry("deployment")) {
      out.deployment = reader_.boolean(*deployment->value, "\"deployment\" of environment", scopes::kEnvironment);
      reader_.needs(support::kDeployment, *deployment, "environments without a deployment");
    }
    map.finish();
    return out;
  }

  void read_strategy() {
    const YamlNode* strategy = map_.find("strategy");
    if (strategy == nullptr) return;
    job_.strategy = StrategyReader(reader_, what_).read(*strategy);
    // What is known already is expanded now, so that a matrix that cannot run is found here.
    if (!is_fixed(job_.strategy) || !strategy->is_map() || text::has_errors(schema_.diagnostics())) return;
    const auto expansion = expand_matrix(job_, {});
    const YamlNode* matrix = strategy->find("matrix") != nullptr ? strategy->find("matrix")->value : strategy;
    if (!expansion) {
      schema_.error(*matrix, expansion.error().message);
    } else if (const auto count = expansion->combinations.size(); count > kGithubCombinationsMax) {
      schema_.report(
          text::Severity::kWarning, matrix->position(), 1,
          fmt::format("the matrix has {} combinations; GitHub runs {} at most", count, kGithubCombinationsMax), "");
    }
  }

  void read_containers() {
    if (const YamlEntry* container = map_.find_entry("container")) {
      job_.container = read_container(reader_, *container->value, of("container"), false);
      reader_.needs(support::kContainers, *container, "jobs in a container");
    }
    if (const YamlEntry* services = map_.find_entry("services")) {
      job_.services = read_services(reader_, *services->value, of("services"));
      reader_.needs(support::kServices, *services, "service containers");
    }
    if (const YamlEntry* snapshot = map_.find_entry("snapshot")) {
      job_.snapshot = read_snapshot(*snapshot->value);
      reader_.refuse(*snapshot, "\"snapshot\" makes an image of a virtual machine, which no machine of weir's is");
    }
  }

  json::value read_snapshot(const YamlNode& node) {
    if (!node.is_map()) return json::string(reader_.required_text(node, of("snapshot"), nullptr));
    json::object out;
    MapReader map(schema_, node, of("snapshot"));
    if (const YamlNode* name = map.require("image-name"))
      out["image-name"] = reader_.required_text(*name, "\"image-name\"", nullptr);
    if (const YamlNode* version = map.find("version"))
      out["version"] = reader_.required_text(*version, "\"version\"", nullptr);
    if (const YamlNode* condition = map.find("if"))
      out["if"] = reader_.condition(*condition, "\"if\" of snapshot", scopes::kSnapshotIf);
    map.finish();
    return out;
  }

  // What a job that calls a reusable workflow has besides.
  void read_call_of() {
    const YamlEntry* uses = map_.find_entry("uses");
    job_.uses = reader_.required_text(*uses->value, of("uses"), nullptr);
    check_workflow_path(*uses->value);
    reader_.needs(support::kCalls, *uses, "calls of reusable workflows");
    if (const YamlNode* with = map_.find("with")) job_.with = read_call_with(*with);
    const YamlNode* secrets = map_.find("secrets");
    if (secrets == nullptr) return;
    if (secrets->is_map()) {
      job_.secrets = reader_.text_map(*secrets, of("secrets"), scopes::kCallSecrets);
    } else if (secrets->is_string() && secrets->text() == "inherit") {
      job_.inherit_secrets = true;
    } else {
      schema_.error(*secrets, fmt::format("{} must be a map or \"inherit\"", of("secrets")));
    }
  }

  json::object read_call_with(const YamlNode& node) {
    json::object out;
    if (!node.is_map()) {
      schema_.error(node, fmt::format("{} must be a map, not {}", of("with"), node.kind_name()));
      return out;
    }
    reader_.check_keys(node);
    for (const auto& entry : node.entries()) {
      if (!entry.value->is_scalar()) {
        schema_.error(*entry.value, fmt::format("input \"{}\" of {} must be a single value, not {}", entry.key, what_,
                                                entry.value->kind_name()));
        continue;
      }
      json::value value = reader_.tree(*entry.value, scopes::kCallWith);
      out.emplace(entry.key, value.is_null() ? json::value(json::string()) : std::move(value));
    }
    return out;
  }

  void check_workflow_path(const YamlNode& node) {
    const std::string_view uses = job_.uses;
    if (uses.empty()) return;
    const bool local = uses.starts_with("./") || uses.starts_with("$/");
    const auto at = uses.find('@');
    const std::string_view path = uses.substr(0, at);
    const bool placed =
        local ? path.substr(1).starts_with("/.github/workflows/") : path.find("/.github/workflows/") != path.npos;
    const bool file = path.ends_with(".yml") || path.ends_with(".yaml");
    const bool versioned = local ? at == uses.npos : at != uses.npos && at + 1 < uses.size();
    if (placed && file && versioned) return;
    schema_.error(
        node,
        fmt::format("{} must be ./.github/workflows/FILE.yml or OWNER/REPOSITORY/.github/workflows/FILE.yml@REF, "
                    "not \"{}\"",
                    of("uses"), uses),
        local && at != uses.npos ? "a workflow of the same repository is taken at the same commit" : "");
  }

  void read_steps_of() {
    const YamlNode* steps = map_.require("steps");
    if (steps != nullptr) job_.steps = read_steps(reader_, *steps, what_, index_);
  }

  FileReader& reader_;
  text::SchemaReader& schema_;
  const YamlEntry& entry_;
  int index_;
  bool calls_ = false;
  std::string what_;
  MapReader map_;
  Job job_;
};

}  // namespace

Job read_job(FileReader& reader, const YamlEntry& entry, int index) {
  return JobReader(reader, entry, index).read();
}

}  // namespace weir::workflow
