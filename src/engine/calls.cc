#include "engine/calls.h"

#include <algorithm>
#include <cmath>

#include "text/suggest.h"
#include "workflow/letters.h"

namespace weir::engine {
namespace {

constexpr std::size_t kLevelsMax = 10;     // the run's own workflow is the first
constexpr std::size_t kWorkflowsMax = 50;  // called by one run

constexpr std::string_view kHowWritten =
    "write ./.github/workflows/FILE.yml, or OWNER/REPOSITORY/.github/workflows/FILE.yml@REF";

bool is_workflow_path(std::string_view path) {
  constexpr std::string_view kFolder = ".github/workflows/";
  if (!path.starts_with(kFolder)) return false;
  path.remove_prefix(kFolder.size());
  return !path.empty() && path.find('/') == std::string_view::npos && path != "." && path != "..";
}

template <class Declared>
std::vector<std::string> names_of(const std::vector<Declared>& declared) {
  std::vector<std::string> names;
  names.reserve(declared.size());
  for (const auto& one : declared) names.push_back(one.name);
  return names;
}

bool same_name(std::string_view a, std::string_view b) {
  return workflow::equal_ignoring_case(a, b);
}

const json::value* find_named(const json::object& given, std::string_view name) {
  const auto found = std::ranges::find_if(given, [&](const auto& member) { return same_name(member.key(), name); });
  return found == given.end() ? nullptr : &found->value();
}

// Names given that are not declared, and required ones that are not given: a default does not stand in for these, nor
// does it at GitHub.
template <class Declared>
Result<void> check_names(std::string_view kind, const json::object& given, const std::vector<Declared>& declared) {
  for (const auto& member : given) {
    if (std::ranges::any_of(declared, [&](const auto& one) { return same_name(one.name, member.key()); })) continue;
    const auto known = names_of(declared);
    const auto hint = text::did_you_mean(member.key(), known);
    return fail(Code::kInvalidArgument, "it declares no {} \"{}\"{}{}", kind, std::string_view(member.key()),
                hint.empty() ? "" : "; ", hint);
  }
  for (const auto& one : declared) {
    if (!one.required || find_named(given, one.name) != nullptr) continue;
    return fail(Code::kInvalidArgument, "it requires the {} \"{}\", which the call does not give", kind, one.name);
  }
  return {};
}

using Scopes = std::optional<types::TokenScopes>;

// The jobs of a called workflow have at most what the calling job has.
Result<void> check_scopes(const workflow::Workflow& callee, const Scopes& allowed) {
  if (!allowed) return {};
  for (const auto& job : callee.jobs) {
    const auto wanted = scopes_of(callee, job);
    const auto scope = wanted ? wanted->beyond(*allowed) : std::string();
    if (scope.empty()) continue;
    const auto shown = scope == "*" ? std::string("all scopes") : scope;
    return fail(Code::kInvalidArgument,
                "its job \"{}\" asks for the permission {}: {}, and the call allows {}; raise `permissions` of the "
                "calling job",
                job.key, shown, types::level_name(wanted->of(scope)), types::level_name(allowed->of(scope)));
  }
  return {};
}

using Caches = std::optional<types::CacheMode>;

// A mode that a call sets, or gets from its workflow, is the most that the called workflow's jobs may ask for. What the
// event alone gives is not.
Result<void> check_caches(const workflow::Workflow& callee, const Caches& allowed) {
  if (!allowed) return {};
  for (const auto& job : callee.jobs) {
    const auto wanted = callee.cache_mode_of(job);
    if (!wanted || types::common(*wanted, *allowed) == *wanted) continue;
    return fail(Code::kInvalidArgument,
                "its job \"{}\" asks for the cache mode {}, and the call allows {}; change `cache-mode` of one of the "
                "two",
                job.key, types::cache_mode_name(*wanted), types::cache_mode_name(*allowed));
  }
  return {};
}

// What a call lets the called workflow have.
struct Allowed {
  Scopes scopes;
  Caches caches;
};

class Loader {
 public:
  Loader(WorkflowCache& cache, const CallLoader& load) : cache_(cache), load_(load) {}

  Result<void> visit(const workflow::Workflow& workflow, const std::string& location, const Allowed& allowed) {
    for (const auto& job : workflow.jobs) {
      if (!job.calls_workflow()) continue;
      const auto scopes = scopes_of(workflow, job);
      const auto caches = workflow.cache_mode_of(job);
      auto called = visit_call(
          job, location, {.scopes = scopes ? scopes : allowed.scopes, .caches = caches ? caches : allowed.caches});
      if (called) continue;
      called.error().message = fmt::format("{}:{}:{}: job \"{}\" calls {}: {}", workflow.file, job.position.line + 1,
                                           job.position.column + 1, job.key, job.uses, called.error().message);
      return called;
    }
    return {};
  }

  std::map<std::string, event::CalledWorkflow> take() { return std::move(called_); }

 private:
  Result<void> visit_call(const workflow::Job& job, const std::string& caller, const Allowed& allowed) {
    const auto location = WEIR_TRY(call_location(job.uses, caller));
    if (std::ranges::find(path_, location) != path_.end()) {
      return fail(Code::kInvalidArgument, "workflows call each other in a circle");
    }
    if (path_.size() + 2 > kLevelsMax) {
      return fail(Code::kInvalidArgument, "workflows may be nested to {} levels", kLevelsMax);
    }
    const auto workflow = WEIR_TRY(read(location));
    if (!workflow->on.call) {
      return fail(Code::kInvalidArgument, "it cannot be called: it has no `workflow_call` under `on:`");
    }
    WEIR_TRY(check_names("input", job.with, workflow->on.call->inputs));
    if (!job.inherit_secrets) WEIR_TRY(check_names("secret", job.secrets, workflow->on.call->secrets));
    WEIR_TRY(check_scopes(*workflow, allowed.scopes));
    WEIR_TRY(check_caches(*workflow, allowed.caches));
    path_.push_back(location);
    auto visited = visit(*workflow, location, allowed);
    path_.pop_back();
    return visited;
  }

  Result<std::shared_ptr<const workflow::Workflow>> read(const std::string& location) {
    const auto target = WEIR_TRY(parse_location(location));
    auto known = called_.find(location);
    if (known == called_.end()) {
      if (called_.size() == kWorkflowsMax) {
        return fail(Code::kInvalidArgument, "a run may call {} workflows", kWorkflowsMax);
      }
      known = called_.emplace(location, WEIR_TRY(load_(target))).first;
    }
    return cache_.parse(known->second.text, path_of(target));
  }

  WorkflowCache& cache_;
  const CallLoader& load_;
  std::map<std::string, event::CalledWorkflow> called_;
  std::vector<std::string> path_;
};

Result<json::value> convert(const workflow::Input& input, const json::value& value) {
  using workflow::InputType;
  switch (input.type) {
    case InputType::kBoolean: {
      if (value.is_bool()) return value;
      const auto text = workflow::to_text(value);
      if (text == "true" || text == "false") return json::value(text == "true");
      if (text.empty()) return json::value(false);
      return fail(Code::kInvalidArgument, "input \"{}\" must be true or false, not {}", input.name,
                  json::serialize(value));
    }
    case InputType::kNumber: {
      if (value.is_number()) return value;
      const double number = workflow::to_number(value);
      if (std::isnan(number)) {
        return fail(Code::kInvalidArgument, "input \"{}\" must be a number, not {}", input.name,
                    json::serialize(value));
      }
      return json::value(number);
    }
    default: return json::value(json::string(workflow::to_text(value)));
  }
}

json::value nothing_of(workflow::InputType type) {
  if (type == workflow::InputType::kBoolean) return false;
  if (type == workflow::InputType::kNumber) return 0;
  return "";
}

}  // namespace

std::optional<types::TokenScopes> scopes_of(const workflow::Workflow& workflow, const workflow::Job& job) {
  const auto& permissions = job.permissions ? job.permissions : workflow.permissions;
  if (!permissions) return std::nullopt;
  return types::TokenScopes::from_workflow(*permissions);
}

Result<CallTarget> parse_location(std::string_view location) {
  if (location.starts_with("./")) {
    CallTarget target{.path = std::string(location.substr(2))};
    if (!is_workflow_path(target.path)) {
      return fail(Code::kInvalidArgument, "\"{}\" is no workflow file: {}", location, kHowWritten);
    }
    return target;
  }
  const auto at = location.rfind('@');
  const auto owner_end = location.find('/');
  const auto name_end = owner_end == std::string_view::npos ? owner_end : location.find('/', owner_end + 1);
  if (at == std::string_view::npos || at + 1 == location.size() || name_end == std::string_view::npos ||
      name_end > at || owner_end == 0 || name_end == owner_end + 1) {
    return fail(Code::kInvalidArgument, "\"{}\" is no place of a workflow: {}", location, kHowWritten);
  }
  CallTarget target{.repository = std::string(location.substr(0, name_end)),
                    .path = std::string(location.substr(name_end + 1, at - name_end - 1)),
                    .ref = std::string(location.substr(at + 1))};
  if (!is_workflow_path(target.path)) {
    return fail(Code::kInvalidArgument, "\"{}\" is no workflow file: {}", location, kHowWritten);
  }
  return target;
}

Result<std::string> call_location(std::string_view uses, std::string_view caller) {
  // "$/path" is the repository of the file that says so, which "./path" is too.
  if (uses.starts_with("$/")) return call_location(fmt::format(".{}", uses.substr(1)), caller);
  if (!uses.starts_with("./") || caller.empty() || caller.starts_with("./")) {
    WEIR_TRY(parse_location(uses));
    return std::string(uses);
  }
  const auto target = WEIR_TRY(parse_location(caller));
  auto location = fmt::format("{}/{}@{}", target.repository, uses.substr(2), target.ref);
  WEIR_TRY(parse_location(location));
  return location;
}

std::string path_of(const CallTarget& target) {
  return target.repository.empty() ? target.path : fmt::format("{}/{}@{}", target.repository, target.path, target.ref);
}

Result<std::map<std::string, event::CalledWorkflow>> load_called(const workflow::Workflow& workflow,
                                                                 WorkflowCache& cache, const CallLoader& load) {
  Loader loader(cache, load);
  WEIR_TRY(loader.visit(workflow, "", {}));
  return loader.take();
}

Result<json::object> complete_call_inputs(const workflow::CallTrigger& trigger, const json::object& given,
                                          const workflow::Contexts& contexts) {
  json::object inputs;
  for (const auto& input : trigger.inputs) {
    if (const auto* value = find_named(given, input.name); value != nullptr && !value->is_null()) {
      inputs[input.name] = WEIR_TRY(convert(input, *value));
    } else if (input.default_value) {
      inputs[input.name] = WEIR_TRY(convert(input, WEIR_TRY(workflow::evaluate_text(*input.default_value, contexts))));
    } else {
      inputs[input.name] = nothing_of(input.type);
    }
  }
  return inputs;
}

}  // namespace weir::engine
