#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "text/diagnostic.h"
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

struct PushTrigger {
  Filter branches;
  Filter tags;
  Filter paths;
};

struct PullRequestTrigger {
  Filter branches;  // of the target branch
  Filter paths;
  std::vector<std::string> types{"opened", "synchronize", "reopened"};
};

enum class InputType : std::uint8_t { kString, kBoolean, kNumber, kChoice, kEnvironment };
std::string_view input_type_name(InputType type);

struct Input {
  std::string name;
  std::string description;
  InputType type = InputType::kString;
  bool required = false;
  std::optional<std::string> default_value;  // as text
  std::vector<std::string> options;          // of kChoice
  std::string deprecation;                   // deprecationMessage
};

struct DispatchTrigger {
  std::vector<Input> inputs;  // in the order of the file
  [[nodiscard]] const Input* find(std::string_view name) const;
};

struct On {
  std::optional<PushTrigger> push;
  std::optional<PullRequestTrigger> pull_request;
  std::optional<DispatchTrigger> dispatch;
  std::vector<Cron> schedule;
};

// ---- jobs and steps

struct RunDefaults {
  std::string shell;  // "" if not given; may hold expressions
  std::string working_directory;
};

struct ConcurrencyRule {
  std::string group;               // may hold expressions
  json::value cancel_in_progress;  // bool or expression; null: false
};

struct EnvironmentRule {
  std::string name;  // may hold expressions
  std::string url;
};

struct Step {
  std::string id;         // "" if not given
  std::string name;       // "" if not given
  std::string condition;  // `if`; "" if not given
  std::string run;        // either `run` or `uses` is not empty
  std::string uses;
  json::object with;  // values are strings
  json::value env;    // object of strings, or an expression that gives one; null if not given
  std::string shell;
  std::string working_directory;
  json::value timeout_minutes;    // number or expression; null if not given
  json::value continue_on_error;  // bool or expression; null if not given
  text::Position position;

  // As GitHub shows it without a name: "Run actions/checkout@v4", "Run pip install ruff". May hold expressions.
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
  RunDefaults defaults;
  json::value timeout_minutes;    // number or expression; null: 360
  json::value continue_on_error;  // bool or expression; null: false
  std::vector<Step> steps;
  text::Position position;  // of its key

  [[nodiscard]] bool has_matrix() const;
  // Whether a step uses `action` ("actions/checkout"), at whatever version.
  [[nodiscard]] bool uses_action(std::string_view action) const;
};

struct Workflow {
  std::string file;      // ".github/workflows/ml-pipeline.yml"
  std::string name;      // `file` if not given
  std::string run_name;  // may hold expressions; "" if not given
  On on;
  json::value env;  // as Step::env
  RunDefaults defaults;
  std::optional<ConcurrencyRule> concurrency;
  std::optional<std::map<std::string, std::string>> permissions;  // {"*": "read-all"} for the short forms
  std::vector<Job> jobs;                                          // in the order of the file

  [[nodiscard]] const Job* find(std::string_view key) const;
};

struct ParseResult {
  std::optional<Workflow> workflow;           // without errors only
  std::vector<text::Diagnostic> diagnostics;  // all of the file, in its order; warnings too
};

// Reads a workflow file: every problem of it, not the first alone. `file` is the path within the repository.
ParseResult parse_workflow(std::string_view text, std::string_view file);

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
