// The keys of `environments:`, `gates:`, `monitors:`, `retrain:`, `runners:` and of the file itself.
#include <algorithm>
#include <array>

#include "config/reader.h"

namespace weir::config {
namespace {

using text::YamlEntry;

constexpr std::array<std::string_view, 3> kSeverities = {"info", "warning", "page"};

// Calls `each` for every entry of a map; anything else is reported.
template <class Each>
void for_each_entry(Reader& reader, const YamlEntry& entry, std::string_view by, Each each) {
  if (!entry.value->is_map()) {
    reader.error(*entry.value, fmt::format("{} must be a map by {}, not {}", entry.key, by, entry.value->kind_name()));
    return;
  }
  for (const auto& one : entry.value->entries()) each(one);
}

bool check_model_name(Reader& reader, const YamlEntry& entry) {
  if (!entry.key.empty() && entry.key.find_first_of("/:@") == std::string::npos) return true;
  reader.error(entry, fmt::format("\"{}\" cannot name a model: it holds \"/\", \":\" or \"@\", or nothing", entry.key));
  return false;
}

void read_wait(Reader& reader, const YamlEntry& entry, Environment& environment) {
  Duration wait{0};
  reader.read_duration(*entry.value, wait);
  if (wait <= std::chrono::days{30}) {
    environment.wait = wait;
  } else {
    reader.error(*entry.value, "an environment waits 30d at most");
  }
}

void read_expires(Reader& reader, const YamlEntry& entry, Environment& environment) {
  Duration expires = environment.expires;
  reader.read_duration(*entry.value, expires);
  if (expires.count() > 0 && expires <= std::chrono::days{365}) {
    environment.expires = expires;
  } else {
    reader.error(*entry.value, "a request waits longer than nothing, and 365d at most");
  }
}

void read_severity(Reader& reader, const YamlEntry& entry, Alert& alert) {
  const auto index = reader.choice(*entry.value, kSeverities);
  if (index) alert.severity = *find_severity(kSeverities[*index]);
}

void read_actions(Reader& reader, const YamlEntry& entry, Alert& alert) {
  static constexpr std::array<std::string_view, 1> kActions = {"rollback"};
  for (const auto* item : reader.items(*entry.value, "a list of actions")) {
    if (reader.choice(*item, kActions)) alert.actions.push_back(AlertAction::kRollback);
  }
}

void read_alerts(Reader& reader, const YamlEntry& entry, Monitor& monitor) {
  if (!entry.value->is_sequence()) {
    reader.error(*entry.value, fmt::format("alerts must be a list, not {}", entry.value->kind_name()),
                 "begin each alert with \"- when: …\"");
    return;
  }
  for (const auto* item : entry.value->items()) {
    Alert alert;
    read_map(reader, *item, alert_keys(), alert, "an alert");
    if (item->is_map() && item->find("when") == nullptr) reader.error(*item, "an alert needs `when`, its rule");
    monitor.alerts.push_back(std::move(alert));
  }
}

void read_reference(Reader& reader, const YamlEntry& entry, Monitor& monitor) {
  std::string path = monitor.reference;
  reader.read(*entry.value, path);
  if (path.find(':') != std::string::npos) {
    reader.error(
        *entry.value,
        fmt::format("\"{}\" is not an artifact of the training run; other references are not built yet", path));
  } else if (path.starts_with('/') || path.find("..") != std::string::npos) {
    reader.error(*entry.value, fmt::format("\"{}\" is not a path within the artifacts of the training run", path));
  } else if (!path.ends_with(".csv")) {
    reader.error(*entry.value, fmt::format("\"{}\" must be a .csv file; other formats are not built yet", path));
  } else {
    monitor.reference = path;
  }
}

void read_retrain_rules(Reader& reader, const YamlEntry& entry, Retrain& retrain) {
  for (const auto* item : reader.items(*entry.value, "a list of rules")) {
    if (auto rule = reader.rule<RetrainRule>(*item, parse_retrain_rule)) retrain.when.push_back(*std::move(rule));
  }
}

void read_workflow(Reader& reader, const YamlEntry& entry, Retrain& retrain) {
  std::string path = retrain.run;
  reader.read(*entry.value, path);
  if (path.starts_with(".github/workflows/") && (path.ends_with(".yml") || path.ends_with(".yaml"))) {
    retrain.run = path;
  } else {
    reader.error(*entry.value, fmt::format("\"{}\" is not a workflow's path", path),
                 "e.g. .github/workflows/ml-pipeline.yml");
  }
}

void read_executor(Reader& reader, const YamlEntry& entry, Runner&) {
  const auto text = reader.scalar(*entry.value, "an executor: local");
  if (!text || *text == "local") return;
  for (const std::string_view later : {"slurm", "ray", "kubernetes"}) {
    if (*text != later && !text->starts_with(fmt::format("{}:", later))) continue;
    reader.error(*entry.value, fmt::format("the executor {} is not built yet", later), "use local");
    return;
  }
  reader.error(*entry.value, fmt::format("\"{}\" is no executor", *text), "use local");
}

}  // namespace

std::span<const Key<Environment>> environment_keys() {
  static constexpr std::array kKeys = {
      Key<Environment>{"reviewers", "Names of those who may agree; any one is enough.",
                       R"({"$ref": "#/$defs/texts", "default": [], "examples": [["alice", "bob"]]})",
                       [](Reader& reader, const YamlEntry& entry, Environment& environment) {
                         reader.read(*entry.value, environment.reviewers);
                       }},
      Key<Environment>{"self_review", "Whether who asked may also agree.",
                       R"({"$ref": "#/$defs/flag", "default": false, "examples": [true]})",
                       [](Reader& reader, const YamlEntry& entry, Environment& environment) {
                         reader.read(*entry.value, environment.self_review);
                       }},
      Key<Environment>{"wait", "Least time between asking and entering, at most 30d.",
                       R"({"$ref": "#/$defs/duration", "default": "0m", "examples": ["10m"]})", read_wait},
      Key<Environment>{"branches", "Patterns of the branches that may enter; any by default.",
                       R"({"$ref": "#/$defs/texts", "default": [], "examples": [["main", "release/*"]]})",
                       [](Reader& reader, const YamlEntry& entry, Environment& environment) {
                         reader.read(*entry.value, environment.branches);
                       }},
      Key<Environment>{"expires", "A request that nobody decided ends after this long.",
                       R"({"$ref": "#/$defs/duration", "default": "30d", "examples": ["7d"]})", read_expires},
  };
  return kKeys;
}

std::span<const Key<Monitor::Drift>> drift_keys() {
  using Drift = Monitor::Drift;
  static constexpr std::array kKeys = {
      Key<Drift>{"features", "Population stability index of a feature from which a window counts as drifted.",
                 R"({"type": ["number", "string"], "minimum": 0, "default": 0.3, "examples": [0.3]})",
                 [](Reader& reader, const YamlEntry& entry, Drift& drift) {
                   reader.read_number(*entry.value, drift.features, 0.0, 100.0);
                 }},
      Key<Drift>{"prediction", "Population stability index of the predictions from which the same holds.",
                 R"({"type": ["number", "string"], "minimum": 0, "default": 0.2, "examples": [0.2]})",
                 [](Reader& reader, const YamlEntry& entry, Drift& drift) {
                   reader.read_number(*entry.value, drift.prediction, 0.0, 100.0);
                 }},
      Key<Drift>{"window", "Length of a window.",
                 R"({"$ref": "#/$defs/duration", "default": "1d", "examples": ["1d"]})",
                 [](Reader& reader, const YamlEntry& entry, Drift& drift) {
                   reader.read_duration(*entry.value, drift.window);
                   if (drift.window.count() <= 0) reader.error(*entry.value, "a window is longer than nothing");
                 }},
      Key<Drift>{"ignore", "Columns that are left out, such as those of the calendar.",
                 R"({"$ref": "#/$defs/texts", "default": [], "examples": [["month", "day"]]})",
                 [](Reader& reader, const YamlEntry& entry, Drift& drift) { reader.read(*entry.value, drift.ignore); }},
  };
  return kKeys;
}

std::span<const Key<Monitor::Accuracy>> accuracy_keys() {
  using Accuracy = Monitor::Accuracy;
  static constexpr std::array kKeys = {
      Key<Accuracy>{"min", "Below it an alert fires.", R"({"$ref": "#/$defs/ratio", "default": 0, "examples": [0.7]})",
                    [](Reader& reader, const YamlEntry& entry, Accuracy& accuracy) {
                      reader.read_ratio(*entry.value, accuracy.min);
                    }},
      Key<Accuracy>{"label_delay", "How long after a row's time its label is expected.",
                    R"({"$ref": "#/$defs/duration", "default": "0s", "examples": ["2d"]})",
                    [](Reader& reader, const YamlEntry& entry, Accuracy& accuracy) {
                      reader.read_duration(*entry.value, accuracy.label_delay);
                    }},
  };
  return kKeys;
}

std::span<const Key<Alert>> alert_keys() {
  static constexpr std::array kKeys = {
      Key<Alert>{"when", "The rule: a signal, a comparison, a limit and how long it must hold.",
                 R"({"type": "string", "examples": ["latency_p95 > 100ms for 5m"]})",
                 [](Reader& reader, const YamlEntry& entry, Alert& alert) {
                   if (auto rule = reader.rule<AlertRule>(*entry.value, parse_alert_rule))
                     alert.when = *std::move(rule);
                 }},
      Key<Alert>{"severity", "Who is to be disturbed.",
                 R"({"$ref": "#/$defs/severity", "default": "warning", "examples": ["page"]})", read_severity},
      Key<Alert>{"do", "What is done by itself.",
                 R"({"$ref": "#/$defs/actions", "default": [], "examples": [["rollback"]]})", read_actions},
  };
  return kKeys;
}

std::span<const Key<Monitor>> monitor_keys() {
  static constexpr std::array kKeys = {
      Key<Monitor>{"reference", "Artifact of the training run with rows to compare traffic with.",
                   R"({"type": "string", "default": "reference.csv", "examples": ["reference.csv"]})", read_reference},
      Key<Monitor>{"drift", "When features and predictions count as drifted.",
                   R"({"$ref": "#/$defs/drift", "examples": [{"features": 0.3}]})",
                   [](Reader& reader, const YamlEntry& entry, Monitor& monitor) {
                     read_map(reader, *entry.value, drift_keys(), monitor.drift, "drift");
                   }},
      Key<Monitor>{"accuracy_7d", "Accuracy over seven days of labelled rows.",
                   R"({"$ref": "#/$defs/accuracy", "examples": [{"min": 0.7, "label_delay": "2d"}]})",
                   [](Reader& reader, const YamlEntry& entry, Monitor& monitor) {
                     monitor.accuracy_7d.emplace();
                     read_map(reader, *entry.value, accuracy_keys(), *monitor.accuracy_7d, "accuracy_7d");
                   }},
      Key<Monitor>{"alerts", "Rules that call for help.",
                   R"({"type": "array", "items": {"$ref": "#/$defs/alert"},
                       "examples": [[{"when": "error_rate > 1% for 5m"}]]})",
                   read_alerts},
  };
  return kKeys;
}

std::span<const Key<Retrain>> retrain_keys() {
  static constexpr std::array kKeys = {
      Key<Retrain>{"when", "Reasons to train again; any one is enough.",
                   R"({"$ref": "#/$defs/texts", "default": [], "examples": [["drift > 0.3", "age > 30d"]]})",
                   read_retrain_rules},
      Key<Retrain>{"cooldown", "Least time between two retrainings.",
                   R"({"$ref": "#/$defs/duration", "default": "12h", "examples": ["12h"]})",
                   [](Reader& reader, const YamlEntry& entry, Retrain& retrain) {
                     reader.read_duration(*entry.value, retrain.cooldown);
                   }},
      Key<Retrain>{"run", "The workflow that trains; its workflow_dispatch gets the inputs reasons and data_until.",
                   R"({"type": "string", "default": ".github/workflows/ml-pipeline.yml",
                       "examples": [".github/workflows/ml-pipeline.yml"]})",
                   read_workflow},
  };
  return kKeys;
}

std::span<const Key<Runner>> runner_keys() {
  static constexpr std::array kKeys = {
      Key<Runner>{"executor", "Where jobs of this label run.",
                  R"({"enum": ["local"], "default": "local", "examples": ["local"]})", read_executor},
      Key<Runner>{"slots", "Jobs of this label at a time.",
                  R"({"type": ["integer", "string"], "minimum": 1, "maximum": 1024, "default": 1, "examples": [1]})",
                  [](Reader& reader, const YamlEntry& entry, Runner& runner) {
                    reader.read_count(*entry.value, runner.slots, 1, 1024);
                  }},
      Key<Runner>{"gpus", "GPUs that its jobs share: runs-on: [LABEL, gpu=1].",
                  R"({"type": ["integer", "string"], "minimum": 0, "maximum": 1024, "default": 0, "examples": [2]})",
                  [](Reader& reader, const YamlEntry& entry, Runner& runner) {
                    reader.read_count(*entry.value, runner.gpus, 0, 1024);
                  }},
      Key<Runner>{"memory", "What jobs that say memory=SIZE share; 0 counts nothing.",
                  R"({"$ref": "#/$defs/size", "default": "0", "examples": ["64G"]})",
                  [](Reader& reader, const YamlEntry& entry, Runner& runner) {
                    reader.read_size(*entry.value, runner.memory_bytes);
                  }},
      Key<Runner>{"grace", "How long a preempted job may write a checkpoint.",
                  R"({"$ref": "#/$defs/duration", "default": "1m", "examples": ["5m"]})",
                  [](Reader& reader, const YamlEntry& entry, Runner& runner) {
                    reader.read_duration(*entry.value, runner.grace);
                  }},
  };
  return kKeys;
}

std::span<const Key<Branch>> branch_keys() {
  static constexpr std::array kKeys = {
      Key<Branch>{
          "checks", "Jobs, check runs or statuses that must have succeeded, by name.",
          R"({"$ref": "#/$defs/texts", "default": [], "examples": [["test"]]})",
          [](Reader& reader, const YamlEntry& entry, Branch& branch) { reader.read(*entry.value, branch.checks); }},
      Key<Branch>{"reviews", "Approvals of its newest commit, by others than its author.",
                  R"({"type": ["integer", "string"], "minimum": 0, "maximum": 10, "default": 0, "examples": [1]})",
                  [](Reader& reader, const YamlEntry& entry, Branch& branch) {
                    reader.read_count(*entry.value, branch.reviews, 0, 10);
                  }},
  };
  return kKeys;
}

std::span<const Key<Schedules>> schedules_keys() {
  static constexpr std::array kKeys = {
      Key<Schedules>{"missed", "What was due while the server was down fires once, is skipped, or fires for each time.",
                     R"({"enum": ["once", "skip", "all"], "default": "once", "examples": ["skip"]})",
                     [](Reader& reader, const YamlEntry& entry, Schedules& schedules) {
                       static constexpr std::array<std::string_view, 3> kWords = {"once", "skip", "all"};
                       if (const auto index = reader.choice(*entry.value, kWords)) schedules.missed = kWords[*index];
                     }},
      Key<Schedules>{"jitter", "Each schedule fires by a fixed part of this later, so that not all fire at once.",
                     R"({"$ref": "#/$defs/duration", "default": "0s", "examples": ["5m"]})",
                     [](Reader& reader, const YamlEntry& entry, Schedules& schedules) {
                       reader.read_duration(*entry.value, schedules.jitter);
                     }},
  };
  return kKeys;
}

std::span<const Key<Config>> root_keys() {
  static constexpr std::array kKeys = {
      Key<Config>{"endpoints", "What is served, by name: POST /<name>/invocations.",
                  R"({"type": "object", "additionalProperties": {"$ref": "#/$defs/endpoint"},
                      "examples": [{"flights": {"key": "flight_id"}}]})",
                  read_endpoints},
      Key<Config>{"environments", "Who must agree before something enters an environment.",
                  R"({"type": "object", "additionalProperties": {"$ref": "#/$defs/environment"},
                      "examples": [{"production": {"reviewers": ["alice"]}}]})",
                  read_environments},
      Key<Config>{"gates", "What a candidate of a model must reach, rule by rule.",
                  R"({"type": "object", "additionalProperties": {"$ref": "#/$defs/texts"},
                      "examples": [{"flight-delay": ["auc >= 0.65", "auc >= champion.auc - 0.01"]}]})",
                  read_gates},
      Key<Config>{"monitors", "What is watched of an endpoint's production traffic.",
                  R"({"type": "object", "additionalProperties": {"$ref": "#/$defs/monitor"}, "examples": [{}]})",
                  read_monitors},
      Key<Config>{"retrain", "When a model is trained again by itself.",
                  R"({"type": "object", "additionalProperties": {"$ref": "#/$defs/retrain"},
                      "examples": [{"flight-delay": {"when": ["age > 30d"]}}]})",
                  read_retrain},
      Key<Config>{"notify", "Where alerts and events are sent.",
                  R"({"type": "array", "items": {"$ref": "#/$defs/notify"},
                      "examples": [[{"to": "mailto:ml@example.com", "events": ["gate.refused"]}]]})",
                  read_notify},
      Key<Config>{"mail", "The server that takes mail; without one this machine's sendmail does.",
                  R"({"$ref": "#/$defs/mail",
                      "examples": [{"server": "smtps://smtp.example.com", "from": "weir@example.com"}]})",
                  read_mail},
      Key<Config>{"runners", "Labels of runs-on.",
                  R"({"type": "object", "additionalProperties": {"$ref": "#/$defs/runner"},
                      "examples": [{"gpu": {"executor": "local", "slots": 1}}]})",
                  read_runners},
      Key<Config>{"branches", "What branches ask of a pull request before they take it.",
                  R"({"type": "object", "additionalProperties": {"$ref": "#/$defs/branch"},
                      "examples": [{"main": {"checks": ["test"], "reviews": 1}}]})",
                  read_branches},
      Key<Config>{"data", "What is watched for updates: the event data.changed.",
                  R"({"type": "object", "additionalProperties": {"$ref": "#/$defs/data"},
                      "examples": [{"arrivals": {"watch": "/srv/flights/arrivals", "settle": "1m"}}]})",
                  read_data},
      Key<Config>{"schedules", "How workflows with `on: schedule` start.",
                  R"({"$ref": "#/$defs/schedules", "examples": [{"jitter": "5m"}]})",
                  [](Reader& reader, const YamlEntry& entry, Config& config) {
                    read_map(reader, *entry.value, schedules_keys(), config.schedules, "schedules");
                  }},
      Key<Config>{"keep", "What stays of runs, artifacts and caches, and how long.",
                  R"({"$ref": "#/$defs/keep", "examples": [{"runs": 200, "logs": "90d"}]})", read_keep},
      Key<Config>{
          "strict", "GitHub's empty machine: no implicit checkout, no shared Python layers.",
          R"({"$ref": "#/$defs/flag", "default": false, "examples": [true]})",
          [](Reader& reader, const YamlEntry& entry, Config& config) { reader.read(*entry.value, config.strict); }},
  };
  return kKeys;
}

void read_environments(Reader& reader, const YamlEntry& entry, Config& config) {
  for_each_entry(reader, entry, "name", [&](const YamlEntry& one) {
    if (!reader.check_name(one, "an environment")) return;
    Environment environment{.name = one.key};
    read_map(reader, *one.value, environment_keys(), environment, fmt::format("environment \"{}\"", one.key));
    config.environments.push_back(std::move(environment));
  });
}

void read_gates(Reader& reader, const YamlEntry& entry, Config& config) {
  for_each_entry(reader, entry, "model", [&](const YamlEntry& one) {
    if (!check_model_name(reader, one)) return;
    Gate gate{.model = one.key};
    if (one.value->is_null())
      reader.error(one, fmt::format("the gate of {} has no rules", one.key), "e.g. [auc >= 0.65]");
    else {
      for (const auto* item : reader.items(*one.value, "a list of rules")) {
        if (auto rule = reader.rule<GateRule>(*item, parse_gate_rule)) gate.rules.push_back(*std::move(rule));
      }
    }
    config.gates.push_back(std::move(gate));
  });
}

void read_monitors(Reader& reader, const YamlEntry& entry, Config& config) {
  for_each_entry(reader, entry, "endpoint", [&](const YamlEntry& one) {
    Monitor monitor{.endpoint = one.key};
    read_map(reader, *one.value, monitor_keys(), monitor, fmt::format("monitor \"{}\"", one.key));
    config.monitors.push_back(std::move(monitor));
  });
}

void read_retrain(Reader& reader, const YamlEntry& entry, Config& config) {
  for_each_entry(reader, entry, "model", [&](const YamlEntry& one) {
    if (!check_model_name(reader, one)) return;
    Retrain retrain{.model = one.key};
    read_map(reader, *one.value, retrain_keys(), retrain, fmt::format("retrain \"{}\"", one.key));
    config.retrain.push_back(std::move(retrain));
  });
}

void read_branches(Reader& reader, const YamlEntry& entry, Config& config) {
  for_each_entry(reader, entry, "branch", [&](const YamlEntry& one) {
    Branch branch{.name = one.key};
    read_map(reader, *one.value, branch_keys(), branch, fmt::format("branch \"{}\"", one.key));
    config.branches.push_back(std::move(branch));
  });
}

void read_runners(Reader& reader, const YamlEntry& entry, Config& config) {
  for_each_entry(reader, entry, "label", [&](const YamlEntry& one) {
    if (!reader.check_name(one, "a runner")) return;
    Runner runner{.label = one.key};
    read_map(reader, *one.value, runner_keys(), runner, fmt::format("runner \"{}\"", one.key));
    config.runners.push_back(std::move(runner));
  });
}

}  // namespace weir::config
