#include "engine/plan.h"

#include "engine/calls.h"
#include "workflow/plan.h"

namespace weir::engine {
namespace {

workflow::Contexts contexts_of(const Facts& facts) {
  workflow::Contexts contexts;
  contexts.values = {{"github", facts.github},  {"inputs", facts.inputs}, {"vars", facts.vars},
                     {"needs", facts.needs},    {"matrix", facts.matrix}, {"strategy", facts.strategy},
                     {"secrets", facts.secrets}};
  contexts.status = {.success = facts.succeeded && !facts.cancelled,
                     .failure = facts.failed && !facts.cancelled,
                     .cancelled = facts.cancelled};
  return contexts;
}

// Whether the value of `text` may hold a secret: it looks at one, at the token, or at all of `github`.
bool may_hold_secret(std::string_view text) {
  const auto parts = workflow::split_text(text);
  if (!parts) return true;
  for (const auto& part : *parts) {
    if (!part.expression) continue;
    for (const auto& reference : part.expression->references()) {
      const auto& path = reference.path;
      if (path.empty() || path[0] == "secrets") return true;
      if (path[0] == "github" && (path.size() == 1 || path[1] == "token")) return true;
    }
  }
  return false;
}

// The members of an `env` that may hold a secret, and the others.
struct SplitEnv {
  json::value open;  // object or expression; null: none
  json::value private_;
};

SplitEnv split_env(const json::value& env) {
  SplitEnv split;
  if (env.is_string()) {
    (may_hold_secret(env.get_string()) ? split.private_ : split.open) = env;
  } else if (env.is_object()) {
    auto& open = split.open.emplace_object();
    auto& hidden = split.private_.emplace_object();
    for (const auto& member : env.get_object()) {
      const bool secret = member.value().is_string() && may_hold_secret(member.value().get_string());
      (secret ? hidden : open)[member.key()] = member.value();
    }
  }
  return split;
}

// Adds one `env` over what outer ones gave.
Result<void> add_env(const json::value& env, const workflow::Contexts& contexts, bool with_secrets,
                     std::string_view what, LegBody& body) {
  const auto split = split_env(env);
  for (const auto& member : WEIR_TRY(workflow::evaluate_env(split.open, contexts, what))) {
    body.env[member.key()] = member.value();
    body.private_env.erase(member.key());
  }
  if (with_secrets) {
    for (const auto& member : WEIR_TRY(workflow::evaluate_env(split.private_, contexts, what))) {
      body.env.erase(member.key());
      body.private_env[member.key()] = workflow::to_text(member.value());
    }
  } else if (split.private_.is_object()) {
    for (const auto& member : split.private_.get_object()) body.env.erase(member.key());
  }
  return {};
}

std::optional<GroupRule> rule_of(std::optional<workflow::Concurrency> concurrency) {
  if (!concurrency) return std::nullopt;
  return GroupRule{.name = std::move(concurrency->group),
                   .cancel_in_progress = concurrency->cancel_in_progress,
                   .queue = concurrency->queue_max};
}

bool has_values(const json::object& matrix, const std::map<std::string, std::string>& only) {
  return std::ranges::all_of(only, [&](const auto& wanted) {
    const auto* value = matrix.if_contains(wanted.first);
    return value == nullptr || workflow::to_text(*value) == wanted.second;
  });
}

}  // namespace

Plan::Plan(std::shared_ptr<const workflow::Workflow> workflow) : workflow_(std::move(workflow)) {}

const std::string& Plan::name() const {
  return workflow_->name;
}
std::size_t Plan::size() const {
  return workflow_->jobs.size();
}
const std::string& Plan::key(std::size_t job) const {
  return workflow_->jobs[job].key;
}
const std::vector<std::string>& Plan::needs(std::size_t job) const {
  return workflow_->jobs[job].needs;
}

std::string Plan::title(std::size_t job) const {
  const auto& spec = workflow_->jobs[job];
  return spec.name.empty() || workflow::has_expression(spec.name) ? spec.key : spec.name;
}

std::optional<std::size_t> Plan::find(std::string_view key) const {
  for (std::size_t i = 0; i < size(); ++i) {
    if (workflow_->jobs[i].key == key) return i;
  }
  return std::nullopt;
}

const std::string& Plan::uses(std::size_t job) const {
  return workflow_->jobs[job].uses;
}
bool Plan::inherits_secrets(std::size_t job) const {
  return workflow_->jobs[job].inherit_secrets;
}

std::optional<types::TokenScopes> Plan::scopes(std::size_t job) const {
  return scopes_of(*workflow_, workflow_->jobs[job]);
}

std::optional<types::CacheMode> Plan::cache_mode(std::size_t job) const {
  return workflow_->cache_mode_of(workflow_->jobs[job]);
}

Result<std::string> Plan::run_title(const Facts& facts) const {
  return workflow::run_title(*workflow_, contexts_of(facts));
}

Result<std::optional<GroupRule>> Plan::group(const Facts& facts) const {
  return rule_of(WEIR_TRY(workflow::concurrency(workflow_->concurrency, contexts_of(facts))));
}

Result<bool> Plan::should_run(std::size_t job, const Facts& facts) const {
  return workflow::job_condition(workflow_->jobs[job], contexts_of(facts));
}

Result<Legs> Plan::expand(std::size_t job, const Facts& facts, const std::map<std::string, std::string>& only) const {
  const auto& spec = workflow_->jobs[job];
  auto expansion = WEIR_TRY(workflow::expand_matrix(spec, contexts_of(facts)));
  Legs legs{.fail_fast = expansion.fail_fast, .max_parallel = expansion.max_parallel.value_or(0)};
  const bool has_matrix = spec.has_matrix();
  for (auto& combination : expansion.combinations) {
    if (has_matrix && !has_values(combination.matrix, only)) continue;
    legs.legs.push_back({.matrix = has_matrix ? json::value(std::move(combination.matrix)) : json::value(),
                         .suffix = std::move(combination.suffix)});
  }
  if (legs.legs.empty()) {
    return fail(Code::kInvalidArgument, "no combination of the matrix of job \"{}\" has the values asked for",
                spec.key);
  }
  return legs;
}

Result<LegDetails> Plan::details(std::size_t job, const Facts& facts, const std::string& suffix) const {
  const auto& spec = workflow_->jobs[job];
  const auto contexts = contexts_of(facts);
  workflow::Combination combination{.suffix = suffix};
  if (facts.matrix.is_object()) combination.matrix = facts.matrix.get_object();
  LegDetails details;
  details.name = WEIR_TRY(workflow::job_title(spec, combination, contexts));
  auto placement = WEIR_TRY(workflow::runs_on(spec, contexts));
  details.labels = std::move(placement.labels);
  if (!placement.group.empty()) details.labels.push_back(placement.group);
  auto environment = WEIR_TRY(workflow::environment(spec, contexts));
  details.environment = std::move(environment.name);
  details.deployment = environment.deployment;
  details.group = rule_of(WEIR_TRY(workflow::concurrency(spec.concurrency, contexts)));
  details.allowed_to_fail = WEIR_TRY(workflow::job_continue_on_error(spec, contexts));
  details.timeout = WEIR_TRY(workflow::job_timeout(spec, contexts));
  details.cancel_limit = WEIR_TRY(workflow::job_cancel_timeout(spec, contexts));
  return details;
}

Result<CallDetails> Plan::call_details(std::size_t job, const Facts& facts, const std::string& suffix,
                                       const Plan& callee) const {
  const auto& spec = workflow_->jobs[job];
  const auto contexts = contexts_of(facts);
  workflow::Combination combination{.suffix = suffix};
  if (facts.matrix.is_object()) combination.matrix = facts.matrix.get_object();
  CallDetails details;
  details.name = WEIR_TRY(workflow::job_title(spec, combination, contexts));
  details.group = rule_of(WEIR_TRY(workflow::concurrency(spec.concurrency, contexts)));
  const auto in_job = [&](Error error) {
    error.message = fmt::format("job \"{}\": {}", spec.key, error.message);
    return std::unexpected(std::move(error));
  };
  const auto given = workflow::evaluate_tree(spec.with, contexts);
  if (!given) return in_job(given.error());
  Facts inside;
  inside.github = facts.github;
  inside.vars = facts.vars;
  auto inputs = complete_call_inputs(*callee.workflow_->on.call, given->get_object(), contexts_of(inside));
  if (!inputs) return in_job(inputs.error());
  details.inputs = *std::move(inputs);

  inside.inputs = details.inputs;
  auto own = WEIR_TRY(callee.group(inside));
  if (own && details.group && own->name != details.group->name) {
    return fail(Code::kInvalidArgument,
                "job \"{}\" has the concurrency group \"{}\" and the workflow that it calls \"{}\"; one of them can "
                "have one: remove the other",
                spec.key, details.group->name, own->name);
  }
  if (own) details.group = std::move(own);
  return details;
}

Result<json::object> Plan::call_secrets(std::size_t job, const Facts& facts) const {
  auto secrets = WEIR_TRY(workflow::evaluate_tree(workflow_->jobs[job].secrets, contexts_of(facts)));
  return std::move(secrets.get_object());
}

Result<json::object> Plan::call_outputs(const Facts& facts, const json::object& jobs) const {
  auto contexts = contexts_of(facts);
  contexts.values["jobs"] = jobs;
  json::object outputs;
  for (const auto& output : workflow_->on.call->outputs) {
    auto value = workflow::interpolate(output.value, contexts);
    if (!value) {
      return fail(Code::kInvalidArgument, "{}: output \"{}\": {}", workflow_->file, output.name, value.error().message);
    }
    outputs[output.name] = *std::move(value);
  }
  return outputs;
}

Result<LegBody> Plan::body(std::size_t job, const Facts& facts) const {
  const auto& spec = workflow_->jobs[job];
  auto contexts = contexts_of(facts);
  const bool with_secrets = !facts.secrets.empty();
  LegBody body;
  WEIR_TRY(add_env(workflow_->env, contexts, with_secrets, "env", body));
  WEIR_TRY(add_env(spec.env, contexts, with_secrets, fmt::format("job \"{}\": env", spec.key), body));
  contexts.values["env"] = body.env;
  body.outputs = spec.outputs;
  if (spec.environment) body.environment_url = spec.environment->url;
  body.defaults = WEIR_TRY(workflow::run_defaults(*workflow_, spec, contexts));
  body.steps = workflow::steps_to_json(spec.steps);
  body.container = spec.container;
  body.services = spec.services;
  body.checks_out = spec.uses_action("actions/checkout");
  return body;
}

}  // namespace weir::engine
