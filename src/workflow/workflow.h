#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "text/diagnostic.h"
#include "types/cache_mode.h"
#include "workflow/cron.h"
#include "workflow/pattern.h"

namespace weir::workflow {

// A workflow file as plain structs. What may hold expressions is kept as written: strings as std::string, values that
// an expression may replace (numbers, booleans, maps, lists) as JSON. Immutable once parsed; any thread may share one.

// ---- what starts a workflow

struct Filter {
  std::vector<Pattern> include;  // branches, tags, paths
  std::vector<Pattern> exclude;  // branches-ignore, tags-ignore, paths-ignore
  [[nodiscard]] bool empty() const { return include.empty() && exclude.empty(); }
};

// One event of `on:`. Which keys an event takes is in event_table.h; the others are empty.
struct EventTrigger {
  std::string name;                // "push", "pull_request", "release", …
  std::vector<std::string> types;  // activities; empty: those that GitHub takes without the key
  Filter branches;                 // of the target branch for pull requests and merge groups
  Filter tags;
  Filter paths;
  std::vector<std::string> workflows;  // of workflow_run: names of workflows
  std::vector<std::string> names;      // of image_version
  std::vector<std::string> versions;   // of image_version
};

enum class InputType : std::uint8_t { kString, kBoolean, kNumber, kChoice, kEnvironment };
std::string_view input_type_name(InputType type);

struct Input {
  std::string name;
  std::string description;
  InputType type = InputType::kString;
  bool required = false;
  std::optional<std::string> default_value;  // as text; of workflow_call it may hold expressions
  std::vector<std::string> options;          // of kChoice
  std::string deprecation;                   // deprecationMessage
};

struct DispatchTrigger {
  std::vector<Input> inputs;  // in the order of the file
  [[nodiscard]] const Input* find(std::string_view name) const;
};

// A secret that a reusable workflow takes.
struct CallSecret {
  std::string name;
  std::string description;
  bool required = false;
};

// What a reusable workflow hands back: `value` may hold expressions over its jobs.
struct CallOutput {
  std::string name;
  std::string description;
  std::string value;
};

// `workflow_call`: the workflow can be called by a job of another one.
struct CallTrigger {
  std::vector<Input> inputs;  // string, boolean or number
  std::vector<CallSecret> secrets;
  std::vector<CallOutput> outputs;
  [[nodiscard]] const Input* find(std::string_view name) const;
  [[nodiscard]] const CallSecret* find_secret(std::string_view name) const;
};

struct Schedule {
  Cron cron;
  std::string timezone;  // an IANA name, "Europe/Berlin"; "" is UTC
};

struct On {
  std::vector<EventTrigger> events;  // in the order of the file; without the three below
  std::optional<DispatchTrigger> dispatch;
  std::optional<CallTrigger> call;
  std::vector<Schedule> schedule;

  // The trigger of an event of `events`, or null.
  [[nodiscard]] const EventTrigger* find(std::string_view event) const;
  // Whether the event, one of all four members, is named.
  [[nodiscard]] bool listens(std::string_view event) const;
  // Every event that is named, `events` first.
  [[nodiscard]] std::vector<std::string> names() const;
};

// ---- jobs and steps

struct RunDefaults {
  std::string shell;  // "" if not given; may hold expressions
  std::string working_directory;
};

struct ConcurrencyRule {
  std::string group;               // may hold expressions
  json::value cancel_in_progress;  // bool or expression; null: false
  std::string queue;               // "single", "max" or an expression; "" if not given, which means single
};

struct EnvironmentRule {
  std::string name;  // may hold expressions
  std::string url;
  json::value deployment;  // bool or expression; null: true
};

// What a step does. `parallel` of a file is no kind of its own: its steps become background steps, followed by a step
// that waits for them, all with ids that start with "__" unless they have their own.
enum class StepKind : std::uint8_t { kRun, kUses, kWait, kWaitAll, kCancel };

struct Step {
  std::string id;         // "" if not given
  std::string name;       // "" if not given
  std::string condition;  // `if`; "" if not given
  std::string run;        // one of `run`, `uses`, `wait`, `wait_all` and `cancel` is there
  std::string uses;
  json::object with;  // values are strings
  json::value env;    // object of strings, or an expression that gives one; null if not given
  std::string shell;
  std::string working_directory;
  json::value timeout_minutes;    // number or expression; null if not given
  json::value continue_on_error;  // bool or expression; null if not given
  bool background = false;        // of `run` and `uses`: the next step does not wait for it
  std::vector<std::string> wait;  // ids of background steps
  bool wait_all = false;
  std::string cancel;  // id of a background step
  text::Position position;

  [[nodiscard]] StepKind kind() const;
  // As GitHub shows it without a name: "Run actions/checkout@v4", "Run pip install ruff", "Wait". May hold expressions.
  [[nodiscard]] std::string title() const;
};

struct Job {
  std::string key;
  std::string name;  // "" if not given
  std::vector<std::string> needs;
  std::string condition;  // `if`
  json::value runs_on;    // string, list, or {"group": …, "labels": …}
  json::value strategy;   // {"matrix": …, "fail-fast": …, "max-parallel": …}, an expression, or null
  json::value env;        // as Step::env
  json::object outputs;   // values are strings
  std::optional<EnvironmentRule> environment;
  std::optional<ConcurrencyRule> concurrency;
  std::optional<std::map<std::string, std::string>> permissions;
  std::optional<types::CacheMode> cache_mode;
  RunDefaults defaults;
  json::value timeout_minutes;    // number or expression; null: 360
  json::value continue_on_error;  // bool or expression; null: false
  std::vector<Step> steps;
  json::value cancel_timeout_minutes;  // number or expression; null if not given

  // A job that calls a reusable workflow has no steps: "./.github/workflows/train.yml" or
  // "owner/repository/.github/workflows/train.yml@ref".
  std::string uses;
  json::object with;     // strings, booleans, numbers; strings may hold expressions
  json::object secrets;  // values are strings
  bool inherit_secrets = false;

  json::value container;    // image, {"image": …, …} or an expression; null if not given
  json::value services;     // {"name": image or {"image": …, …}} or an expression; null if not given
  json::value snapshot;     // image name or {"image-name": …, …}; null if not given
  text::Position position;  // of its key

  [[nodiscard]] bool calls_workflow() const { return !uses.empty(); }
  [[nodiscard]] bool has_matrix() const;
  // Whether a step uses `action` ("actions/checkout"), at whatever version.
  [[nodiscard]] bool uses_action(std::string_view action) const;
};

struct Workflow {
  std::string file;         // ".github/workflows/ml-pipeline.yml"
  std::string name;         // `file` if not given
  std::string description;  // "" if not given
  std::string run_name;     // may hold expressions; "" if not given
  On on;
  json::value env;  // as Step::env
  RunDefaults defaults;
  std::optional<ConcurrencyRule> concurrency;
  std::optional<std::map<std::string, std::string>> permissions;  // {"*": "read-all"} for the short forms
  std::optional<types::CacheMode> cache_mode;                     // of jobs that have none of their own
  std::vector<Job> jobs;                                          // in the order of the file

  [[nodiscard]] const Job* find(std::string_view key) const;
  // What is said of the job's caches: by itself, else by the workflow; nothing if neither says it.
  [[nodiscard]] std::optional<types::CacheMode> cache_mode_of(const Job& job) const;
};

struct ParseResult {
  std::optional<Workflow> workflow;           // without errors only
  std::vector<text::Diagnostic> diagnostics;  // all of the file, in its order; warnings too
};

struct ParseOptions {
  // Refuse, by name, what support.h says that nothing runs yet. Without it the whole language is read.
  bool refuse_unbuilt = true;

  // The text of another file of the repository, by its path there (".github/workflows/train.yml"); nothing if there is
  // none. With it, calls of the repository's own workflows and actions are checked too.
  std::function<std::optional<std::string>(const std::string& path)> read_local;

  // Nothing for a time zone that there is, else what to write instead. Without it every name is taken.
  std::function<std::optional<std::string>(std::string_view name)> time_zone_hint;
};

// Reads a workflow file: every problem of it, not the first alone. `file` is the path within the repository.
ParseResult parse_workflow(std::string_view text, std::string_view file, const ParseOptions& options = {});

// Rendered problems of a file, as `weir lint` and failed runs show them; "" if there is none.
std::string lint_text(const ParseResult& result, std::string_view text, bool color = false);

// The whole workflow as JSON, for `--json` and for looking at.
json::value to_json(const Workflow& workflow);

// Steps travel to the runner as JSON, with the file's own key names; expressions are not evaluated.
json::value to_json(const Step& step);
json::array steps_to_json(const std::vector<Step>& steps);
// kInvalidArgument names the member that is missing or of the wrong kind.
Result<Step> step_from_json(const json::value& value);

}  // namespace weir::workflow
