#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "types/cache_mode.h"
#include "types/token_scopes.h"
#include "workflow/workflow.h"

namespace weir::engine {

// What expressions may see when a job is planned. `secrets` only while its environment variables are evaluated.
struct Facts {
  json::object github;
  json::object inputs;
  json::object vars;
  json::object needs;     // {"train": {"result": "success", "outputs": {…}}}
  json::value matrix;     // object, or null
  json::object strategy;  // fail-fast, job-index, job-total, max-parallel
  json::object secrets;
  bool cancelled = false;  // the run was cancelled
  bool failed = false;     // a job that this one needs, directly or not, failed
  bool succeeded = true;   // all of them succeeded
};

struct GroupRule {
  std::string name;
  bool cancel_in_progress = false;
  bool queue = false;  // `queue: max`
};

// One combination of a job's matrix.
struct Leg {
  json::value matrix;  // null without a matrix
  std::string suffix;  // of the job's name
};

struct Legs {
  std::vector<Leg> legs;  // at least one
  bool fail_fast = true;
  int max_parallel = 0;  // 0: no limit
};

// What is known of one combination before it runs.
struct LegDetails {
  std::string name;
  std::vector<std::string> labels;
  std::string environment;
  bool deployment = true;  // entering the environment counts as a deployment to it
  std::optional<GroupRule> group;
  bool allowed_to_fail = false;
  Duration timeout{std::chrono::hours{6}};
  Duration cancel_limit{std::chrono::minutes{5}};  // for always() steps after a cancellation
};

// What is known of one combination of a job that calls a workflow.
struct CallDetails {
  std::string name;
  std::optional<GroupRule> group;
  json::object inputs;
};

// What the runner gets of the workflow.
struct LegBody {
  json::object env;                                // evaluated; without those that name a secret
  std::map<std::string, std::string> private_env;  // evaluated with secrets: never written to disk
  json::object outputs;                            // not evaluated
  std::string environment_url;                     // not evaluated
  json::object defaults;
  json::value container;    // not evaluated; null: none
  json::value services;     // not evaluated; null: none
  json::array steps;        // not evaluated
  bool checks_out = false;  // has a step with actions/checkout
};

// The workflow of one run, as the engine asks it. Pure and immutable; any thread. Errors are for the user and name the
// job and the key.
class Plan {
 public:
  explicit Plan(std::shared_ptr<const workflow::Workflow> workflow);

  [[nodiscard]] const std::string& name() const;  // of the workflow; "" if it has none
  [[nodiscard]] std::size_t size() const;         // jobs, in the order of the file
  [[nodiscard]] const std::string& key(std::size_t job) const;
  [[nodiscard]] const std::vector<std::string>& needs(std::size_t job) const;
  [[nodiscard]] std::string title(std::size_t job) const;  // name before the matrix is known
  [[nodiscard]] std::optional<std::size_t> find(std::string_view key) const;
  [[nodiscard]] const std::string& uses(std::size_t job) const;  // the workflow that it calls, as written; "": none
  [[nodiscard]] bool inherits_secrets(std::size_t job) const;
  // The job's own `permissions`, else the workflow's; nothing if neither says any.
  [[nodiscard]] std::optional<types::TokenScopes> scopes(std::size_t job) const;

  // The job's own `cache-mode`, else the workflow's; nothing if neither says any.
  [[nodiscard]] std::optional<types::CacheMode> cache_mode(std::size_t job) const;

  // `run-name`, or "" if there is none.
  [[nodiscard]] Result<std::string> run_title(const Facts& facts) const;
  [[nodiscard]] Result<std::optional<GroupRule>> group(const Facts& facts) const;
  [[nodiscard]] Result<bool> should_run(std::size_t job, const Facts& facts) const;
  // `only`: values that combinations must have; those of others are left out.
  [[nodiscard]] Result<Legs> expand(std::size_t job, const Facts& facts,
                                    const std::map<std::string, std::string>& only) const;
  // `facts.matrix` is that of the leg.
  [[nodiscard]] Result<LegDetails> details(std::size_t job, const Facts& facts, const std::string& suffix) const;
  // For a job that calls the workflow of `callee`. One of the two may have a concurrency group.
  [[nodiscard]] Result<CallDetails> call_details(std::size_t job, const Facts& facts, const std::string& suffix,
                                                 const Plan& callee) const;
  // What the call hands over of `facts.secrets`, unless it inherits all.
  [[nodiscard]] Result<json::object> call_secrets(std::size_t job, const Facts& facts) const;
  // Outputs of this workflow when it was called; `jobs`: results by key.
  [[nodiscard]] Result<json::object> call_outputs(const Facts& facts, const json::object& jobs) const;
  // With `facts.secrets` the private variables too.
  [[nodiscard]] Result<LegBody> body(std::size_t job, const Facts& facts) const;

 private:
  std::shared_ptr<const workflow::Workflow> workflow_;
};

}  // namespace weir::engine
