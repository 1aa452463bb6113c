#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "text/suggest.h"
#include "types/token_scopes.h"
#include "workflow/expression.h"
#include "workflow/expression_value.h"
#include "workflow/file_reader.h"
#include "workflow/letters.h"
#include "workflow/local_files.h"

// What a file says of others of its repository: workflows that its jobs call, actions that its steps use. The engine
// refuses the same calls when a run is made; here each has its place.
namespace weir::workflow {
namespace {

using text::YamlEntry;
using text::YamlNode;
using Scopes = std::optional<types::TokenScopes>;
using Caches = std::optional<types::CacheMode>;

constexpr std::size_t kLevelsMax = 10;     // the run's own workflow is the first
constexpr std::size_t kWorkflowsMax = 50;  // called by one run
constexpr int kVisitsMax = 1'000;          // of calls below one job; more is not looked at

const YamlNode* child(const YamlNode& node, std::string_view key) {
  const YamlEntry* entry = node.find(key);
  return entry == nullptr ? nullptr : entry->value;
}

// The entry of an input or secret, whose names are alike without regard to case.
const YamlEntry* find_named(const YamlNode* given, std::string_view name) {
  if (given == nullptr) return nullptr;
  const auto found =
      std::ranges::find_if(given->entries(), [&](const auto& entry) { return equal_ignoring_case(entry.key, name); });
  return found == given->entries().end() ? nullptr : &*found;
}

Scopes scopes_of(const Workflow& workflow, const Job& job) {
  const auto& permissions = job.permissions ? job.permissions : workflow.permissions;
  if (!permissions) return std::nullopt;
  return types::TokenScopes::from_workflow(*permissions);
}

template <class Declared>
std::string known_names(std::string_view given, const std::vector<Declared>& declared, std::string_view kind) {
  std::vector<std::string> names;
  names.reserve(declared.size());
  for (const auto& one : declared) names.push_back(one.name);
  auto hint = text::did_you_mean(given, names);
  if (!hint.empty()) return hint;
  return names.empty() ? fmt::format("it declares no {}s", kind) : fmt::format("there are {}", fmt::join(names, ", "));
}

const text::Diagnostic* first_error(const std::vector<text::Diagnostic>& problems) {
  const auto found = std::ranges::find(problems, text::Severity::kError, &text::Diagnostic::severity);
  return found == problems.end() ? nullptr : &*found;
}

std::string where_and_what(const std::vector<text::Diagnostic>& problems) {
  const auto* problem = first_error(problems);
  if (problem == nullptr) return {};
  return fmt::format("{}:{}:{}: {}", problem->file, problem->line + 1, problem->column + 1, problem->message);
}

// Calls of the jobs of one file.
class CallChecker {
 public:
  CallChecker(FileReader& reader, const Workflow& workflow)
      : reader_(reader), schema_(reader.schema()), workflow_(workflow) {
    const auto folder = workflow.file.rfind(".github/workflows/");
    own_ = folder == std::string::npos ? workflow.file : workflow.file.substr(folder);
  }

  void check(const Job& job, const YamlNode& node) {
    const auto path = LocalFiles::path_of(job.uses);
    place_ = child(node, "uses");
    if (!path || place_ == nullptr) return;
    chain_ = {own_};
    called_.clear();
    visits_ = 0;
    const Workflow* callee = open(*path);
    if (callee == nullptr) return;
    const auto& call = *callee->on.call;
    check_names("input", *path, child(node, "with"), call.inputs,
                fmt::format("add it under \"with\" of job \"{}\"", job.key));
    if (!job.inherit_secrets) {
      check_names("secret", *path, child(node, "secrets"), call.secrets,
                  fmt::format("add it under \"secrets\" of job \"{}\", or write secrets: inherit", job.key));
    }
    check_values(job, node, call, *path);
    check_below(*callee, *path, scopes_of(workflow_, job), workflow_.cache_mode_of(job));
  }

 private:
  void error(std::string message, std::string hint = {}) {
    schema_.error(*place_, std::move(message), std::move(hint));
  }

  // The workflow at `path` if a job can call it; what hinders it is reported.
  const Workflow* open(const std::string& path) {
    if (std::ranges::find(chain_, path) != chain_.end()) {
      // A circle that this file is not part of is reported in those that are.
      if (path == own_) {
        error(fmt::format("workflows call each other in a circle: {} calls {}", fmt::join(chain_, " calls "), path));
      }
      return nullptr;
    }
    if (chain_.size() + 1 > kLevelsMax) {
      error(fmt::format("workflows may be nested to {} levels", kLevelsMax),
            fmt::format("{} calls {}", fmt::join(chain_, " calls "), path));
      return nullptr;
    }
    called_.insert(path);
    if (called_.size() > kWorkflowsMax) {
      error(fmt::format("a run may call {} workflows", kWorkflowsMax));
      return nullptr;
    }
    const ParseResult* parsed = reader_.local().workflow(path);
    const bool direct = chain_.size() == 1;
    if (parsed == nullptr) {
      if (direct) error(fmt::format("there is no file {}", path));
      return nullptr;
    }
    if (!parsed->workflow) {
      if (direct)
        error(fmt::format("{} has errors, so it cannot be called", path), where_and_what(parsed->diagnostics));
      return nullptr;
    }
    if (!parsed->workflow->on.call) {
      if (direct) error(fmt::format("{} cannot be called: it has no workflow_call under \"on\"", path));
      return nullptr;
    }
    return &*parsed->workflow;
  }

  template <class Declared>
  void check_names(std::string_view kind, const std::string& path, const YamlNode* given,
                   const std::vector<Declared>& declared, const std::string& how) {
    if (given != nullptr) {
      for (const auto& entry : given->entries()) {
        if (std::ranges::any_of(declared, [&](const auto& one) { return equal_ignoring_case(one.name, entry.key); })) {
          continue;
        }
        schema_.error(entry, fmt::format("{} declares no {} \"{}\"", path, kind, entry.key),
                      known_names(entry.key, declared, kind));
      }
    }
    for (const auto& one : declared) {
      if (!one.required || find_named(given, one.name) != nullptr) continue;
      error(fmt::format("{} requires the {} \"{}\", which the call does not give", path, kind, one.name), how);
    }
  }

  // Values without expressions, which a run would find to be of the wrong type.
  void check_values(const Job& job, const YamlNode& node, const CallTrigger& call, const std::string& path) {
    const YamlNode* with = child(node, "with");
    if (with == nullptr) return;
    for (const auto& input : call.inputs) {
      const auto* entry = find_named(with, input.name);
      const auto* given = entry == nullptr ? nullptr : job.with.if_contains(entry->key);
      if (given == nullptr) continue;
      const YamlNode* place = entry->value;
      const std::string text = to_text(*given);
      if (has_expression(text)) continue;
      if (input.type == InputType::kBoolean && !text.empty() && text != "true" && text != "false") {
        schema_.error(*place, fmt::format("the input \"{}\" of {} must be true or false, not {}", input.name, path,
                                          json::serialize(*given)));
      } else if (input.type == InputType::kNumber && !given->is_number() && std::isnan(to_number(*given))) {
        schema_.error(*place, fmt::format("the input \"{}\" of {} must be a number, not {}", input.name, path,
                                          json::serialize(*given)));
      }
    }
  }

  // What lies below a call: rights that were not given on, and calls that lead back or too deep.
  void check_below(const Workflow& callee, const std::string& path, const Scopes& allowed, const Caches& caches) {
    if (++visits_ > kVisitsMax) return;
    if (allowed && !check_scopes(callee, path, *allowed)) return;
    if (caches && !check_caches(callee, path, *caches)) return;
    chain_.push_back(path);
    for (const auto& job : callee.jobs) {
      const auto next = LocalFiles::path_of(job.uses);
      if (!next || !job.calls_workflow()) continue;
      const auto own = scopes_of(callee, job);
      const auto mode = callee.cache_mode_of(job);
      if (const Workflow* below = open(*next)) {
        check_below(*below, *next, own ? own : allowed, mode ? mode : caches);
      }
    }
    chain_.pop_back();
  }

  bool check_scopes(const Workflow& callee, const std::string& path, const types::TokenScopes& allowed) {
    for (const auto& job : callee.jobs) {
      const auto wanted = scopes_of(callee, job);
      const auto scope = wanted ? wanted->beyond(allowed) : std::string();
      if (scope.empty()) continue;
      error(fmt::format("job \"{}\" of {} asks for the permission {}: {}, and the call allows {}", job.key, path,
                        scope == "*" ? "all scopes" : scope, types::level_name(wanted->of(scope)),
                        types::level_name(allowed.of(scope))),
            "raise \"permissions\" of the calling job");
      return false;
    }
    return true;
  }

  bool check_caches(const Workflow& callee, const std::string& path, types::CacheMode allowed) {
    for (const auto& job : callee.jobs) {
      const auto wanted = callee.cache_mode_of(job);
      if (!wanted || types::common(*wanted, allowed) == *wanted) continue;
      error(fmt::format("job \"{}\" of {} asks for the cache mode {}, and the call allows {}", job.key, path,
                        types::cache_mode_name(*wanted), types::cache_mode_name(allowed)),
            "change \"cache-mode\" of one of the two");
      return false;
    }
    return true;
  }

  FileReader& reader_;
  text::SchemaReader& schema_;
  const Workflow& workflow_;
  std::string own_;
  const YamlNode* place_ = nullptr;
  std::vector<std::string> chain_;
  std::set<std::string> called_;
  int visits_ = 0;
};

// Actions of the repository that the steps of one job use. A step before may bring or make them, so that all but what
// is wrong with a file that is there is a warning.
class ActionUseChecker {
 public:
  explicit ActionUseChecker(FileReader& reader) : reader_(reader), schema_(reader.schema()) {}

  void check(const YamlNode& steps) {
    for (const YamlNode* step : steps.items()) {
      if (const YamlNode* group = child(*step, "parallel")) check(*group);
      const YamlNode* uses = child(*step, "uses");
      if (uses == nullptr || !uses->is_string()) continue;
      const YamlNode* with = child(*step, "with");
      if (const auto folder = LocalFiles::path_of(uses->text()); folder && !is_brought(*folder)) {
        check_use(*uses, with, *folder);
      }
      if (uses->text().starts_with("actions/checkout@") && with != nullptr) note_checkout(*with);
    }
  }

 private:
  // What another checkout brings is not known here.
  void note_checkout(const YamlNode& with) {
    if (const YamlNode* path = child(with, "path"); path != nullptr && !path->text().empty()) {
      const bool fixed = !has_expression(path->text());
      brought_.push_back(fixed ? LocalFiles::path_of("./" + path->text()).value_or("") : "");
    } else if (child(with, "repository") != nullptr || child(with, "ref") != nullptr) {
      brought_.emplace_back();
    }
  }

  [[nodiscard]] bool is_brought(const std::string& folder) const {
    return std::ranges::any_of(
        brought_, [&](const auto& path) { return path.empty() || folder == path || folder.starts_with(path + "/"); });
  }

  void check_use(const YamlNode& uses, const YamlNode* with, const std::string& folder) {
    const auto* action = reader_.local().action(folder);
    if (action == nullptr) {
      schema_.warning(uses,
                      fmt::format("there is no action in {}: no action.yml, action.yaml or Dockerfile",
                                  folder.empty() ? "the repository's root" : folder),
                      "unless a step before makes it, the step fails");
      return;
    }
    if (!action->parsed) return;
    if (!action->parsed->action) {
      schema_.error(uses, fmt::format("{} has errors, so the step cannot run", action->path),
                    where_and_what(action->parsed->diagnostics));
      return;
    }
    check_inputs(uses, with, *action->parsed->action, action->path);
  }

  void check_inputs(const YamlNode& uses, const YamlNode* with, const ActionFile& action, const std::string& path) {
    for (const auto& entry : with == nullptr ? std::vector<YamlEntry>() : with->entries()) {
      if (action.find_input(entry.key) != nullptr) continue;
      // Containers take these whatever their metadata says.
      if (action.kind == ActionKind::kDocker && (entry.key == "args" || entry.key == "entrypoint")) continue;
      schema_.report(text::Severity::kWarning, entry.position, static_cast<int>(entry.key.size()),
                     fmt::format("{} declares no input \"{}\"", path, entry.key),
                     known_names(entry.key, action.inputs, "input"));
    }
    for (const auto& input : action.inputs) {
      if (!input.required || !input.fallback.empty()) continue;
      const bool given = with != nullptr && std::ranges::any_of(with->entries(), [&](const auto& entry) {
                           return equal_ignoring_case(entry.key, input.name);
                         });
      if (given) continue;
      schema_.warning(uses, fmt::format("{} requires the input \"{}\", which the step does not give", path, input.name),
                      "add it under \"with\"");
    }
  }

  FileReader& reader_;
  text::SchemaReader& schema_;
  std::vector<std::string> brought_;  // folders; "" is everything
};

}  // namespace

void check_calls(FileReader& reader, const Workflow& workflow, const YamlNode& jobs) {
  if (!reader.local().known()) return;
  CallChecker calls(reader, workflow);
  for (const auto& job : workflow.jobs) {
    const YamlNode* node = child(jobs, job.key);
    if (node == nullptr || !node->is_map()) continue;
    if (job.calls_workflow()) {
      calls.check(job, *node);
    } else if (const YamlNode* steps = child(*node, "steps")) {
      ActionUseChecker(reader).check(*steps);
    }
  }
}

}  // namespace weir::workflow
