#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "workflow/expression.h"
#include "workflow/workflow.h"

namespace weir::workflow {

// What becomes of a workflow once contexts are known. Pure. Contexts are those that GitHub documents for each key; the
// caller fills them in. Errors are kInvalidArgument and name job and key.

// One combination of a matrix.
struct Combination {
  json::object matrix;
  std::string suffix;  // " (3.11, large)": values of the matrix's own keys, as GitHub shows them; "" without any
};

struct Expansion {
  std::vector<Combination> combinations;  // in GitHub's order: the last key changes fastest; then what `include` added
  bool fail_fast = true;
  std::optional<int> max_parallel;
};

// The combinations of `strategy`; one empty combination for a job without a matrix. Contexts: github, inputs, vars,
// needs. More than 256, none at all, or an exclude key that is no key of the matrix are errors.
Result<Expansion> expand_matrix(const Job& job, const Contexts& contexts);

// The name shown for one combination: an evaluated `name`, or `name` or key with the suffix. `matrix` must be in
// `contexts`. At most 100 characters.
Result<std::string> job_title(const Job& job, const Combination& combination, const Contexts& contexts);

// Whether the job's `if` lets it run. `contexts.status` speaks of the jobs that it needs.
Result<bool> job_condition(const Job& job, const Contexts& contexts);

struct Placement {
  std::string group;  // "" if not given
  std::vector<std::string> labels;
};
Result<Placement> runs_on(const Job& job, const Contexts& contexts);

struct Concurrency {
  std::string group;
  bool cancel_in_progress = false;
  bool queue_max = false;  // `queue: max`: every member waits for its turn, not the newest alone
};
// Nothing without a rule or when the group evaluates to "".
Result<std::optional<Concurrency>> concurrency(const std::optional<ConcurrencyRule>& rule, const Contexts& contexts);

struct Environment {
  std::string name;  // "" if there is none
  std::string url;   // not evaluated: it may use steps' outputs
  bool deployment = true;
};
Result<Environment> environment(const Job& job, const Contexts& contexts);

// 6 hours unless given; fractions of minutes are allowed.
Result<Duration> job_timeout(const Job& job, const Contexts& contexts);
// How long a cancelled job may take to end; 5 minutes unless given.
Result<Duration> job_cancel_timeout(const Job& job, const Contexts& contexts);
Result<bool> job_continue_on_error(const Job& job, const Contexts& contexts);

// An `env` (workflow, job or step): names to strings.
Result<json::object> evaluate_env(const json::value& env, const Contexts& contexts, std::string_view what);

// A job's outputs: names to strings. Contexts: steps, env and so on, as the runner knows them at the job's end.
Result<json::object> evaluate_outputs(const json::object& outputs, const Contexts& contexts);

// The job's run defaults over the workflow's, evaluated: {"run": {"shell": …, "working-directory": …}}.
Result<json::object> run_defaults(const Workflow& workflow, const Job& job, const Contexts& contexts);

// `run-name`, or "" if there is none or it is empty. Contexts: github, inputs, vars.
Result<std::string> run_title(const Workflow& workflow, const Contexts& contexts);

// Jobs in an order in which each comes after those that it needs (stable), as indices into workflow.jobs.
std::vector<std::size_t> topological_order(const Workflow& workflow);

// Indices of every job that `job` needs, directly or not.
std::vector<std::size_t> all_needs(const Workflow& workflow, std::size_t job);

}  // namespace weir::workflow
