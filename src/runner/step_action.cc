// `uses:` steps: where an action comes from, and which kind it is.
#include <algorithm>

#include "runner/loaded_action.h"
#include "runner/provided_action.h"
#include "runner/remote_action.h"
#include "runner/step_run.h"
#include "runner/step_work.h"

namespace weir::runner {
namespace {

constexpr int kDepthMax = 10;

// "$/path" inside an action means its own repository.
std::string inner_uses(const std::string& uses, const std::string& repository, const std::string& ref) {
  if (!uses.starts_with("$/") || repository.empty()) return uses;
  return fmt::format("{}/{}@{}", repository, uses.substr(2), ref);
}

Result<ActionPtr> local_action(const JobState& job, const UsesReference& uses) {
  const std::filesystem::path folder = (job.workspace / uses.path).lexically_normal();
  return load_action(uses, folder, uses.path);
}

Result<ActionPtr> known_action(const JobState& job, const UsesReference& uses) {
  const auto found = job.actions.find(uses.text);
  if (found == job.actions.end()) return fail(Code::kInternal, "`uses: {}` was not resolved", uses.text);
  return found->second;
}

Result<void> run_loaded(JobState& job, StepState& step, const ActionPtr& action, bool local) {
  switch (action->file.kind) {
    case workflow::ActionKind::kComposite:
      if (local) resolve_actions(job, step, action->file);
      return run_composite(job, step, *action);
    case workflow::ActionKind::kNode: {
      if (local && !action->file.pre.empty()) {
        job.warning(step, fmt::format("`pre` execution is not supported for local action from '{}'", step.step.uses));
      }
      const auto prepared = job.depth == 0 ? job.action_runs.find(step.index) : job.action_runs.end();
      if (prepared != job.action_runs.end()) return run_node(job, step, prepared->second);
      auto run = std::make_shared<ActionRun>();
      run->action = action;
      return run_node(job, step, run);
    }
    case workflow::ActionKind::kDocker: break;
  }
  return fail(Code::kUnimplemented,
              "`uses: {}` runs in a container, which jobs of this server cannot do: call the program in a `run` step",
              action->uses);
}

using Wanted = std::vector<UsesReference>;

// The actions of other repositories that steps name and that are not known yet.
void collect(const JobState& job, const std::vector<workflow::Step>& steps, const std::string& repository,
             const std::string& ref, Wanted& wanted) {
  for (const auto& step : steps) {
    if (step.uses.empty()) continue;
    const auto uses = parse_uses(inner_uses(step.uses, repository, ref));
    if (!uses || uses->kind != UsesKind::kRepository || job.actions.contains(uses->text)) continue;
    if (find_builtin(uses->name) != nullptr || find_provided(uses->name) != nullptr) continue;
    if (std::ranges::find(wanted, uses->text, &UsesReference::text) == wanted.end()) wanted.push_back(*uses);
  }
}

struct Fetched {
  UsesReference uses;
  Result<RemoteTree> tree;
};

Result<ActionPtr> load_fetched(const Fetched& fetched) {
  const RemoteTree tree = WEIR_TRY(Result<RemoteTree>(fetched.tree));
  const auto& uses = fetched.uses;
  return load_action(uses, uses.path.empty() ? tree.folder : tree.folder / uses.path, uses.text);
}

void resolve(JobState& job, StepState& step, Wanted wanted) {
  for (int depth = 0; depth <= kDepthMax && !wanted.empty(); ++depth) {
    const RemoteSource source{.base_url = job.spec->actions_url, .cache = job.spec->actions_dir, .env = job.inherited};
    auto all = work_aside<std::vector<Fetched>>(
        job, step, [wanted, source](const WorkTools& tools) -> Result<std::vector<Fetched>> {
          std::vector<Fetched> fetched;
          for (const auto& uses : wanted) {
            fetched.push_back({.uses = uses, .tree = fetch_action(source, uses, *tools.stop, *tools.reporter)});
          }
          return fetched;
        });
    if (!all || !*all) return;
    Wanted inner;
    for (const auto& fetched : **all) {
      auto action = load_fetched(fetched);
      if (action && (*action)->file.kind == workflow::ActionKind::kComposite) {
        collect(job, (*action)->file.steps, fetched.uses.repository, fetched.uses.ref, inner);
      }
      job.actions.insert_or_assign(fetched.uses.text, std::move(action));
    }
    std::erase_if(inner, [&](const auto& uses) { return job.actions.contains(uses.text); });
    wanted = std::move(inner);
  }
}

}  // namespace

void resolve_actions(JobState& job, StepState& set_up) {
  std::vector<workflow::Step> steps;
  for (const auto& raw : job.spec->steps) {
    const auto* uses = json_find(raw, "uses");
    if (uses == nullptr || !uses->is_string()) continue;
    workflow::Step step;
    step.uses = uses->get_string();
    steps.push_back(std::move(step));
  }
  Wanted wanted;
  collect(job, steps, "", "", wanted);
  if (!wanted.empty()) resolve(job, set_up, std::move(wanted));
}

void resolve_actions(JobState& job, StepState& step, const workflow::ActionFile& file) {
  Wanted wanted;
  collect(job, file.steps, "", "", wanted);
  if (!wanted.empty()) resolve(job, step, std::move(wanted));
}

Result<void> run_action(JobState& job, StepState& step) {
  const auto* github = job.depth > 0 ? json_find(job.contexts.values, "github") : nullptr;
  const UsesReference uses = WEIR_TRY(
      parse_uses(github == nullptr ? step.step.uses
                                   : inner_uses(step.step.uses, json_string_or(*github, "action_repository", ""),
                                                json_string_or(*github, "action_ref", ""))));
  if (uses.kind == UsesKind::kLocal) return run_loaded(job, step, WEIR_TRY(local_action(job, uses)), true);
  if (uses.kind == UsesKind::kDocker) {
    return fail(Code::kUnimplemented,
                "`uses: {}` runs in a container, which jobs of this server cannot do: call the program in a `run` step",
                uses.text);
  }
  if (const auto* builtin = find_builtin(uses.name)) return run_builtin(job, step, *builtin, uses);
  if (const auto* provided = find_provided(uses.name)) {
    return run_loaded(job, step, WEIR_TRY(load_provided(job, step, *provided, uses)), false);
  }
  return run_loaded(job, step, WEIR_TRY(known_action(job, uses)), false);
}

void run_pre_steps(JobState& job) {
  int index = -1;
  for (const auto& raw : job.spec->steps) {
    ++index;
    auto parsed = workflow::step_from_json(raw);
    if (!parsed || parsed->uses.empty()) continue;
    const auto found = job.actions.find(parsed->uses);
    if (found == job.actions.end() || !found->second) continue;
    const auto& file = (*found->second)->file;
    if (file.kind != workflow::ActionKind::kNode || file.pre.empty()) continue;
    auto run = std::make_shared<ActionRun>();
    run->action = *found->second;
    job.action_runs.emplace(index, run);
    StepState step{.index = job.next_index++};
    step.step = *std::move(parsed);
    const std::string title = "Pre " + shown_title(job, step.step);
    step.step.condition = file.pre_if;
    step.step.background = false;
    run_step(job, step, [&run](JobState& own, StepState& pre) { return run_node_pre(own, pre, run); }, title);
  }
}

}  // namespace weir::runner
