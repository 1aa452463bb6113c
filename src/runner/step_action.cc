// `uses:` steps: where an action comes from, and which kind it is.
#include <algorithm>
#include <atomic>
#include <thread>

#include "runner/checkout.h"
#include "runner/containers.h"
#include "runner/loaded_action.h"
#include "runner/provided_action.h"
#include "runner/remote_action.h"
#include "runner/sandbox.h"
#include "runner/step_run.h"
#include "runner/step_work.h"

namespace weir::runner {
namespace {

constexpr int kDepthMax = 10;
constexpr std::size_t kFetchesMax = 8;

// "$/path" inside an action means its own repository.
std::string inner_uses(const std::string& uses, const std::string& repository, const std::string& ref) {
  if (!uses.starts_with("$/") || repository.empty()) return uses;
  return fmt::format("{}/{}@{}", repository, uses.substr(2), ref);
}

// What `uses` means where the job is now.
Result<UsesReference> here(const JobState& job, const std::string& uses) {
  if (!uses.starts_with("$/")) return parse_uses(uses);
  const auto& github = job.contexts.values.at("github");
  const std::string repository = job.depth == 0 ? "" : json_string_or(github, "action_repository", "");
  if (!repository.empty()) return parse_uses(inner_uses(uses, repository, json_string_or(github, "action_ref", "")));
  // The run's own commit, whatever is in the workspace.
  UsesReference own = WEIR_TRY(parse_uses("./" + uses.substr(2)));
  own.text = uses;
  own.of_commit = true;
  return own;
}

Result<ActionPtr> local_action(const JobState& job, const UsesReference& uses) {
  const auto load = [&](const std::filesystem::path& folder, std::string_view shown) {
    // What is wrong in the file is shown: it must not be another's that a link leads to.
    return run_confined(job.confinement(), [&] { return load_action(uses, folder, shown); });
  };
  if (!uses.of_commit) return load((job.workspace / uses.path).lexically_normal(), uses.path);
  const std::filesystem::path own = job.job_dir / "repository";
  std::error_code error;
  if (!std::filesystem::is_directory(own, error)) WEIR_TRY(check_out(*job.spec, own, {job.spec->commit, ""}, false));
  return load(own / uses.path, uses.text);
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
    case workflow::ActionKind::kNode:
    case workflow::ActionKind::kDocker: break;
  }
  if (local && (!action->file.pre.empty() || !action->file.pre_entrypoint.empty())) {
    job.warning(step, fmt::format("`pre` execution is not supported for local action from '{}'", step.step.uses));
  }
  const auto prepared = job.action_runs.find(step.path.empty() ? std::to_string(step.index) : step.path);
  std::shared_ptr<ActionRun> run;
  if (prepared != job.action_runs.end()) {
    run = prepared->second;
  } else {
    run = std::make_shared<ActionRun>();
    run->action = action;
  }
  return action->file.kind == workflow::ActionKind::kNode ? run_node(job, step, run) : run_docker(job, step, run);
}

// `uses: docker://image` as an action whose file says nothing but that.
ActionPtr image_action(const UsesReference& uses) {
  Action action{.uses = uses.text, .folder = {}, .repository = {}, .ref = {}, .file = {}};
  action.file.kind = workflow::ActionKind::kDocker;
  action.file.image = uses.text;
  return std::make_shared<const Action>(std::move(action));
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

struct Sources {
  std::string owner;  // whose repositories are the server's
  RemoteSource server;
  RemoteSource elsewhere;
};

Sources sources_of(const JobState& job) {
  Sources sources{
      .elsewhere = {.base_url = job.spec->actions_url, .cache = job.spec->actions_dir, .env = job.inherited}};
  if (job.spec->server_url.empty()) return sources;
  sources.owner = job.spec->server_owner;
  sources.server = sources.elsewhere;
  sources.server.base_url = job.spec->server_url;
  sources.server.is_server = true;
  sources.server.credentials = git_credentials(*job.spec, job.token);
  return sources;
}

// What bears the server's name never comes from strangers who took that name elsewhere; only from a mirror that
// somebody keeps on this machine.
Result<RemoteTree> fetch_one(const UsesReference& uses, const Sources& sources, const WorkTools& tools) {
  const bool ours = !sources.owner.empty() && uses.repository.starts_with(sources.owner + "/");
  if (!ours) return fetch_action(sources.elsewhere, uses, *tools.stop, *tools.reporter);
  auto tree = fetch_action(sources.server, uses, *tools.stop, *tools.reporter);
  if (tree || !sources.elsewhere.base_url.starts_with("file:")) return tree;
  auto kept = fetch_action(sources.elsewhere, uses, *tools.stop, *tools.reporter);
  return kept ? std::move(kept) : std::move(tree);
}

// Asks for several at a time: most of it is waiting for an answer.
Result<std::vector<Fetched>> fetch_all(const Wanted& wanted, const Sources& sources, const WorkTools& tools) {
  std::vector<Fetched> fetched;
  for (const auto& uses : wanted) fetched.push_back({.uses = uses, .tree = RemoteTree{}});
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    for (std::size_t i = next++; i < fetched.size(); i = next++) {
      fetched[i].tree = fetch_one(fetched[i].uses, sources, tools);
    }
  };
  std::vector<std::jthread> helpers;
  for (std::size_t i = 1; i < std::min(fetched.size(), kFetchesMax); ++i) helpers.emplace_back(work);
  work();
  helpers.clear();
  return fetched;
}

Result<ActionPtr> load_fetched(const Fetched& fetched) {
  const RemoteTree tree = WEIR_TRY(Result<RemoteTree>(fetched.tree));
  const auto& uses = fetched.uses;
  return load_action(uses, uses.path.empty() ? tree.folder : tree.folder / uses.path, uses.text);
}

void resolve(JobState& job, StepState& step, Wanted wanted) {
  if (job.sandbox) {
    // With whose rights, and from where, would be its author's choice.
    for (const auto& uses : wanted) {
      job.actions.insert_or_assign(
          uses.text,
          fail(Code::kPermissionDenied, "`uses: {}` would be fetched from elsewhere, which is not done for {}",
               uses.text, kSandboxed));
    }
    return;
  }
  const Sources sources = sources_of(job);
  for (int depth = 0; depth <= kDepthMax && !wanted.empty(); ++depth) {
    auto all = work_aside<std::vector<Fetched>>(
        job, step, [wanted, sources](const WorkTools& tools) { return fetch_all(wanted, sources, tools); });
    if (!all || !*all) return;
    Wanted inner;
    for (const auto& fetched : **all) {
      auto action = load_fetched(fetched);
      if (fetched.tree) {
        job.line(step.index, 'o', fmt::format("Action {} (SHA:{})", fetched.uses.text, fetched.tree->commit));
        job.held.push_back(fetched.tree->held);
      }
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

Result<void> resolve_actions(JobState& job, StepState& set_up) {
  std::vector<workflow::Step> steps;
  for (const auto& raw : job.spec->steps) {
    auto step = workflow::step_from_json(raw);
    if (step && !step->uses.empty()) steps.push_back(*std::move(step));
  }
  Wanted wanted;
  collect(job, steps, "", "", wanted);
  if (wanted.empty()) return {};
  resolve(job, set_up, std::move(wanted));
  for (const auto& step : steps) {
    const auto found = job.actions.find(step.uses);
    if (found == job.actions.end() || found->second) continue;
    if (step.condition.empty() && step.continue_on_error.is_null()) return std::unexpected(found->second.error());
  }
  return {};
}

void resolve_actions(JobState& job, StepState& step, const workflow::ActionFile& file) {
  Wanted wanted;
  collect(job, file.steps, "", "", wanted);
  if (!wanted.empty()) resolve(job, step, std::move(wanted));
}

Result<void> run_action(JobState& job, StepState& step) {
  const UsesReference uses = WEIR_TRY(here(job, step.step.uses));
  const ActionNames names(job, uses.repository, uses.ref);
  if (uses.kind == UsesKind::kLocal) return run_loaded(job, step, WEIR_TRY(local_action(job, uses)), true);
  if (uses.kind == UsesKind::kDocker) return run_loaded(job, step, image_action(uses), false);
  if (const auto* builtin = find_builtin(uses.name)) return run_builtin(job, step, *builtin, uses);
  if (const auto* provided = find_provided(uses.name)) {
    return run_loaded(job, step, WEIR_TRY(load_provided(job, step, *provided, uses)), false);
  }
  return run_loaded(job, step, WEIR_TRY(known_action(job, uses)), false);
}

namespace {

// The uses of a step where the job is now, if it is an action of another repository that is here.
ActionPtr fetched_action(const JobState& job, const std::string& text) {
  const auto uses = here(job, text);
  const auto found = uses ? job.actions.find(uses->text) : job.actions.end();
  return found == job.actions.end() || !found->second ? nullptr : *found->second;
}

// `path`: where the step stands; `index`: of the job's step that it belongs to.
void run_pre_of(JobState& job, const workflow::Step& step, int index, const std::string& path) {
  const ActionPtr action = fetched_action(job, step.uses);
  if (action == nullptr) return;
  const auto& file = action->file;
  const bool of_node = file.kind == workflow::ActionKind::kNode && !file.pre.empty();
  if (of_node || (file.kind == workflow::ActionKind::kDocker && !file.pre_entrypoint.empty())) {
    auto run = std::make_shared<ActionRun>();
    run->action = action;
    job.action_runs.emplace(path, run);
    StepState pre{.index = job.next_index++, .name = job.step_names[static_cast<std::size_t>(index)]};
    pre.step = step;
    const std::string title = "Pre " + shown_title(job, step);
    pre.step.id.clear();
    pre.step.condition = file.pre_if;
    pre.step.background = false;
    run_step(
        job, pre,
        [&](JobState& own, StepState& running) {
          const ActionNames names(own, action->repository, action->ref);
          return of_node ? run_node_pre(own, running, run) : run_docker_pre(own, running, run);
        },
        title);
    return;
  }
  if (file.kind != workflow::ActionKind::kComposite || job.depth >= kDepthMax) return;
  StepState outer{.index = index, .path = path};
  outer.step = step;
  // A mistake in them shows when the step is reached.
  const auto inputs = evaluate_inputs(job, outer, &file, true);
  if (!inputs) return;
  const ActionScope scope(job, outer, *action, *inputs);
  int number = 0;
  for (const auto& inner : file.steps) {
    if (!inner.uses.empty()) run_pre_of(job, inner, index, inner_path(outer, number));
    ++number;
  }
}

}  // namespace

Result<void> require_containers(JobState& job) {
  for (const auto& raw : job.spec->steps) {
    const std::string uses = json_string_or(raw, "uses", "");
    if (uses.starts_with("docker://")) WEIR_TRY(job.containers->require(fmt::format("`uses: {}`", uses)));
  }
  for (const auto& [uses, action] : job.actions) {
    if (!action || (*action)->file.kind != workflow::ActionKind::kDocker) continue;
    WEIR_TRY(job.containers->require(fmt::format("`uses: {}`", uses)));
  }
  return {};
}

void run_pre_steps(JobState& job) {
  if (job.actions.empty()) return;
  int index = -1;
  for (const auto& raw : job.spec->steps) {
    ++index;
    const auto parsed = workflow::step_from_json(raw);
    if (parsed && !parsed->uses.empty()) run_pre_of(job, *parsed, index, std::to_string(index));
  }
}

}  // namespace weir::runner
