#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "config/rules.h"

// weir.yaml as plain structs. Values, immutable once parsed: any thread may share a `std::shared_ptr<const Config>`.
// `config/parse.h` reads the file, `config/schema.h` holds its JSON Schema.
namespace weir::config {

enum class Severity : std::uint8_t { kInfo = 1, kWarning = 2, kPage = 3 };
std::string_view severity_name(Severity severity);  // "info", "warning", "page"
std::optional<Severity> find_severity(std::string_view name);

// A text that may refer to `${{ vars.X }}` and `${{ secrets.X }}`; the references stay until the text is used, so that
// no secret ever lies in a configuration.
struct Template {
  std::string text;
  std::vector<std::string> variables;  // names that it refers to
  std::vector<std::string> secrets;

  // The text with its references replaced. kNotFound names a variable or secret that is not set.
  [[nodiscard]] Result<std::string> resolve(const std::map<std::string, std::string>& vars,
                                            const std::map<std::string, std::string>& secret_values) const;
  bool operator==(const Template&) const = default;
};

// Finds the references of `text`. kInvalidArgument for an unclosed `${{` or for anything but vars.NAME and
// secrets.NAME.
Result<Template> parse_template(std::string_view text);

// "models:/flight-delay@champion", "models:/flight-delay/3", "models:/flight-delay/Production".
struct ModelReference {
  std::string model;
  std::string alias;                    // "champion"; exactly one of alias, version and stage is set
  std::optional<std::int64_t> version;  // 3
  std::string stage;                    // "Staging", "Production", "Archived"

  [[nodiscard]] std::string text() const;
  bool operator==(const ModelReference&) const = default;
};
Result<ModelReference> parse_model_reference(std::string_view text);

// What the gateway keeps of the traffic for the monitor.
struct Capture {
  double sample = 1.0;              // share of requests, 0 to 1
  std::vector<std::string> redact;  // columns that are never kept
  Duration keep{std::chrono::days{30}};
  bool operator==(const Capture&) const = default;
};

enum class Strategy : std::uint8_t { kBlueGreen = 1 };
enum class Rollback : std::uint8_t { kAutomatic = 1, kManual = 2 };

struct Rollout {
  Strategy strategy = Strategy::kBlueGreen;
  Rollback rollback = Rollback::kAutomatic;  // automatic: alerts with `do: [rollback]` act by themselves
  bool operator==(const Rollout&) const = default;
};

// One environment of an endpoint, with what it overrides already applied.
struct EndpointEnvironment {
  std::string name;      // "production"
  ModelReference model;  // the wish: default <endpoint>@champion in production, <endpoint>@candidate elsewhere
  Capture capture;
  Rollout rollout;
  int workers = 2;  // model processes
  bool operator==(const EndpointEnvironment&) const = default;
};

struct Endpoint {
  std::string name;                               // POST /<name>/invocations
  std::vector<EndpointEnvironment> environments;  // in the order of the file; default: production alone
  std::string key;                                // column that joins labels; "" = by request id only
  std::string time;                               // column with a row's event time; "" = arrival

  [[nodiscard]] const EndpointEnvironment* environment(std::string_view name) const;
  bool operator==(const Endpoint&) const = default;
};

// Protection of an environment, as GitHub's: a job or rollout that enters it waits until a reviewer agrees.
struct Environment {
  std::string name;
  std::vector<std::string> reviewers;       // any one of them is enough; none = no review
  bool self_review = false;                 // may who asked also agree?
  Duration wait{0};                         // least time between asking and entering
  std::vector<std::string> branches;        // patterns of branches that may enter; none = any
  Duration expires{std::chrono::days{30}};  // a request that nobody decided ends then, as on GitHub
  bool operator==(const Environment&) const = default;
};

// What a branch asks of a pull request before it takes it.
struct Branch {
  std::string name;                 // "main"
  std::vector<std::string> checks;  // names of jobs, check runs or statuses that must have succeeded
  int reviews = 0;                  // approvals by others than its author
  bool operator==(const Branch&) const = default;
};

struct Gate {
  std::string model;
  std::vector<GateRule> rules;
  bool operator==(const Gate&) const = default;
};

enum class AlertAction : std::uint8_t { kRollback = 1 };

struct Alert {
  AlertRule when;
  Severity severity = Severity::kWarning;
  std::vector<AlertAction> actions;
  bool operator==(const Alert&) const = default;
};

// From where on a window counts as drifted.
struct DriftLimits {
  double features = 0.3;    // population stability index of a feature
  double prediction = 0.2;  // population stability index of the predictions
  Duration window{std::chrono::days{1}};
  std::vector<std::string> ignore;  // columns that are left out, e.g. calendar columns
  bool operator==(const DriftLimits&) const = default;
};

struct AccuracyLimit {
  double min = 0.0;         // below it an alert fires; 0 = never
  Duration label_delay{0};  // labels of a row are complete this long after its time
  bool operator==(const AccuracyLimit&) const = default;
};

// What is watched of an endpoint's production traffic.
struct Monitor {
  using Drift = DriftLimits;
  using Accuracy = AccuracyLimit;

  std::string endpoint;
  std::string reference = "reference.csv";  // artifact of the training run
  Drift drift;
  std::optional<Accuracy> accuracy_7d;  // none: not measured against a limit
  std::vector<Alert> alerts;
  bool operator==(const Monitor&) const = default;
};

// When a model is trained again by itself.
struct Retrain {
  std::string model;
  std::vector<RetrainRule> when;  // any one of them
  Duration cooldown{std::chrono::hours{12}};
  std::string run = ".github/workflows/ml-pipeline.yml";
  bool operator==(const Retrain&) const = default;
};

// When the messages of a target wait, to be sent as one at the end.
struct Quiet {
  int from = 0;  // minutes of the day
  int to = 0;    // at or before `from`: on the next day
  std::string time_zone = "UTC";
  std::vector<Severity> except = {Severity::kPage};  // these do not wait
  bool operator==(const Quiet&) const = default;
};

// What a webhook gets.
enum class NotifyFormat : std::uint8_t { kSlack = 1, kJson = 2 };

// Where alerts and events are sent. With `events`, those; else alerts and notifications of these severities.
struct Notify {
  Template to;  // "https://…" or "mailto:…"
  std::vector<Severity> severities = {Severity::kPage, Severity::kWarning};
  std::vector<std::string> events;        // names as in types::event_type
  std::vector<std::string> environments;  // patterns; none = whatever it is about
  std::vector<std::string> models;        // patterns; none = whatever it is about
  std::string reviewer;                   // who alone reads there: requests for them bring a link by which they decide
  std::optional<Quiet> quiet;
  std::string text;                    // with expressions over kMessageContexts; "" = weir's own words
  std::optional<NotifyFormat> format;  // default: kJson with a secret, else kSlack
  Template secret;                     // of the signature (Standard Webhooks); "" = none
  std::string repository;              // whose weir.yaml it is; "" = of all. Not of the file

  [[nodiscard]] NotifyFormat webhook_format() const {
    return format.value_or(secret.text.empty() ? NotifyFormat::kSlack : NotifyFormat::kJson);
  }
  bool operator==(const Notify&) const = default;
};

// What the expressions of `template` may look at, with the members of each; none: it is a text itself.
struct MessageContext {
  std::string_view name;
  std::vector<std::string_view> members;
};
const std::vector<MessageContext>& message_contexts();

// The server that takes mail; without one, this machine's sendmail does.
struct Mail {
  std::string host;
  std::uint16_t port = 0;
  bool implicit_tls = false;  // smtps: from the first byte
  bool tls = true;            // false: a way that is safe without
  std::string from;
  Template user;
  Template password;
  bool operator==(const Mail&) const = default;
};

// A label of `runs-on`.
struct Runner {
  std::string label;
  int slots = 1;  // CPUs: jobs of this label at a time, unless they ask for more
  int gpus = 0;
  std::int64_t memory_bytes = 0;            // 0: not counted
  Duration grace{std::chrono::minutes{1}};  // for a preempted job to write a checkpoint
  bool operator==(const Runner&) const = default;
};

// How `on: schedule` fires.
struct Schedules {
  std::string missed = "once";  // while the server was down: once, skip or all
  Duration jitter{0};
  bool operator==(const Schedules&) const = default;
};

// Data whose updates start workflows: the event data.changed.
struct DataWatch {
  enum class Kind : std::uint8_t {
    kFiles,    // "/srv/arrivals", "/srv/arrivals/**/*.csv": a file, folder or pattern on the server's machine
    kAddress,  // "https://example.com/airports.csv"
    kDvc,      // "data/raw.dvc", "dvc.lock": of the repository's default branch
  };
  std::string name;
  std::string watch;
  Duration settle{std::chrono::seconds{10}};  // nothing has changed for this long: a change is complete
  Duration every{std::chrono::minutes{1}};    // between two looks, where the machine does not tell of changes

  [[nodiscard]] Kind kind() const;
  bool operator==(const DataWatch&) const = default;
};

// What the server keeps of this repository's runs, and how long. What a registered model version, an environment's
// deployment or an open pull request needs stays beyond it.
struct Keep {
  static constexpr std::int64_t kCacheBytes = std::int64_t{10} << 30;  // as GitHub

  int runs = 50;                                              // newest runs of each workflow that stay whole at any age
  std::optional<Duration> workspaces{std::chrono::days{90}};  // after a run's end; none: for ever, like the next two
  std::optional<Duration> logs{std::chrono::days{400}};
  std::optional<Duration> artifacts;  // those that do not say it themselves
  std::int64_t cache_bytes = kCacheBytes;
  bool operator==(const Keep&) const = default;
};

struct Config {
  std::vector<Endpoint> endpoints;
  std::vector<Environment> environments;
  std::vector<Gate> gates;
  std::vector<Monitor> monitors;
  std::vector<Retrain> retrain;
  std::vector<Notify> notify;
  std::optional<Mail> mail;
  std::vector<Runner> runners;
  std::vector<Branch> branches;
  std::vector<DataWatch> data;
  Schedules schedules;
  Keep keep;
  bool strict = false;  // GitHub's empty machine: no implicit checkout, no shared Python layers
  // Of a server's configuration: whose weir.yaml names "endpoint/flights" or "model/flight-delay". Not of the file.
  std::map<std::string, std::string, std::less<>> repositories;
  std::map<std::string, std::vector<Environment>, std::less<>> environments_of;  // each repository's own; likewise

  // By name; null when the file does not mention it.
  [[nodiscard]] const Endpoint* endpoint(std::string_view name) const;
  [[nodiscard]] const Environment* environment(std::string_view name) const;
  // Of a server's configuration, the repository's own; of a file's, or if `repository` is "", environment().
  [[nodiscard]] const Environment* environment_of(std::string_view repository, std::string_view name) const;
  [[nodiscard]] const Gate* gate(std::string_view model) const;
  [[nodiscard]] const Monitor* monitor(std::string_view endpoint) const;
  [[nodiscard]] const Retrain* retrain_of(std::string_view model) const;
  [[nodiscard]] const Runner* runner(std::string_view label) const;
  [[nodiscard]] const Branch* branch(std::string_view name) const;
  bool operator==(const Config&) const = default;
};

// Every value, defaults too, under the file's own keys: for GET /api/v1/config and the event log.
json::object to_json(const Config& config);

// One value that differs, e.g. {"gates.flight-delay[0]", "auc >= 0.65", "auc >= 0.7"}; "" for a side that lacks it.
struct Change {
  std::string path;
  std::string before;
  std::string after;
};
// What replacing `before` by `after` would change, in the order of the file.
std::vector<Change> diff(const Config& before, const Config& after);

// First path segments that the server uses itself ("api", "v2", "health", …): no endpoint may have them.
bool is_reserved_endpoint_name(std::string_view name);

}  // namespace weir::config
