#include "app/forge_binding.h"

#include "event/payload.h"
#include "forge/proposals.h"

namespace weir::app {
namespace {

constexpr std::string_view kFor = "refs/for/";

// What jobs wrote into their summaries, where it speaks of attachments.
Result<void> each_summary(store::Reader& reader, const std::string& repo,
                          const std::function<void(std::string_view text)>& each) {
  return reader.query(
      "SELECT s.summary FROM engine_runs r JOIN engine_jobs j ON j.run = r.id JOIN engine_job_results s ON s.job = "
      "j.id "
      "WHERE r.repo = ? AND s.summary LIKE '%/attachments/%'",
      {repo}, [&](const store::Row& row) { each(row.text(0)); });
}

}  // namespace

Forge::Forge(Parts parts)
    : parts_(std::move(parts)),
      standing_(parts_.db, [this](const std::string& name) { return roles_of(name); }),
      issues_(parts_.db, parts_.triggers, &standing_),
      checks_(parts_.db, parts_.triggers, parts_.git),
      releases_(parts_.db, parts_.triggers),
      deployments_(parts_.db, parts_.triggers, parts_.clock),
      job_deployments_(std::make_shared<forge::JobDeployments>(
          forge::JobDeploymentDeps{.db = &parts_.db,
                                   .log = &parts_.log,
                                   .loop = &parts_.loop,
                                   .job = [this](std::int64_t job) { return facts_of(job); },
                                   .server_url = parts_.server_url})),
      labels_(parts_.db, parts_.triggers),
      reactions_(parts_.db),
      attachments_(parts_.db, parts_.clock, parts_.attachments, each_summary),
      pulls_({.db = &parts_.db,
              .clock = &parts_.clock,
              .log = &parts_.log,
              .triggers = &parts_.triggers,
              .git = parts_.git,
              .checks = [this](const forge::Pull& pull) { return states_of(pull.issue.repo, pull.head_sha); },
              .rule = [this](const std::string& repo, const std::string& branch) -> forge::BranchRule {
                const auto config = parts_.config.of(repo);
                const auto* rule = config->branch(branch);
                return rule == nullptr ? forge::BranchRule{} : forge::BranchRule{rule->checks, rule->reviews};
              },
              .standing = &standing_}) {}

// Of the tokens of somebody that are good now.
Result<std::vector<types::Role>> Forge::roles_of(const std::string& name) {
  std::vector<types::Role> roles;
  const auto now = parts_.clock.now();
  for (const auto& token : WEIR_TRY(parts_.access.tokens())) {
    if (token.name == name && (!token.expires_at || *token.expires_at > now)) roles.push_back(token.role);
  }
  return roles;
}

// A job that is there no more deploys nothing.
Result<std::optional<forge::JobFacts>> Forge::facts_of(std::int64_t job) {
  auto found = parts_.engine.job(job);
  if (!found && found.error().code == Code::kNotFound) return std::nullopt;
  const auto row = WEIR_TRY(std::move(found));
  const auto run = WEIR_TRY(parts_.engine.run(row.run));
  return forge::JobFacts{.repo = run.repo,
                         .run = run.id,
                         .commit = run.head_sha.empty() ? run.commit : run.head_sha,
                         .ref = run.ref,
                         .environment = row.environment,
                         .environment_url = row.environment_url,
                         .deployment = row.deployment};
}

// Jobs of the workflow runs of the commit and of its merge into a base, by their name and by their workflow's, and what
// others set.
Result<std::vector<forge::CheckState>> Forge::states_of(const std::string& repo, const std::string& commit) {
  std::vector<forge::CheckState> states;
  for (auto& status : WEIR_TRY(checks_.statuses(repo, commit))) {
    states.push_back({std::move(status.context), std::move(status.state)});
  }
  const auto of_head = WEIR_TRY(checks_.of_commit(repo, commit));
  for (auto check = of_head.rbegin(); check != of_head.rend(); ++check) {
    states.push_back({check->name, check->conclusion.empty() ? check->status : check->conclusion});
  }
  // Oldest first: of two of a name the newer counts.
  auto runs = WEIR_TRY(parts_.engine.runs({.repo = repo, .commit = commit}));
  std::ranges::reverse(runs);
  for (const auto& run : runs) {
    const auto word = [](const auto& conclusion, std::string_view state) {
      if (conclusion == types::Conclusion::kTimedOut) return std::string("cancelled");
      return std::string(conclusion ? types::conclusion_name(*conclusion) : state);
    };
    states.push_back({run.workflow, word(run.conclusion, engine::run_state_name(run.state))});
    const bool went_well = !run.conclusion || run.conclusion == types::Conclusion::kSuccess;
    for (const auto& job : WEIR_TRY(parts_.engine.jobs(run.id))) {
      // What was skipped because something before it failed has found nothing to be good.
      const bool cut_off = job.conclusion == types::Conclusion::kSkipped && !went_well;
      states.push_back({job.name, cut_off ? "skipped, and its run failed"
                                          : word(job.conclusion, engine::job_state_name(job.state))});
    }
  }
  return states;
}

// "refs/for/main" and "refs/for/main/topic" become what their author proposes.
Result<event::RefUpdate> Forge::take_proposal(const std::string& repo, const event::RefUpdate& update,
                                              const types::Identity& identity, bool foreign, std::string& base) {
  const auto git = WEIR_TRY(parts_.git(repo));
  const auto refs = WEIR_TRY(git.refs());
  const std::string name = update.ref.substr(kFor.size());
  base = name;
  while (!base.empty() && !refs.contains("refs/heads/" + base)) {
    const auto slash = base.rfind('/');
    base.resize(slash == std::string::npos ? 0 : slash);
  }
  if (base.empty()) {
    return fail(Code::kNotFound, "repository {} has no branch \"{}\" to push a change for", repo, name);
  }
  const std::string topic = name.size() > base.size() ? name.substr(base.size() + 1) : base;
  const std::string head = forge::proposal_ref(identity.name, topic, foreign);
  const auto found = refs.find(head);
  const std::string before = found == refs.end() ? std::string(event::kNoObject) : found->second;
  event::RefUpdate moved{head, before, update.after};
  if (!foreign) WEIR_TRY(parts_.triggers.push_begins(repo, {moved}, identity));
  if (before != update.after) WEIR_TRY(git.move_ref(moved.ref, moved.before, moved.after));
  WEIR_TRY(git.move_ref(update.ref, update.after, event::kNoObject));
  return moved;
}

Result<void> Forge::pushed(const std::string& repo, const std::vector<event::RefUpdate>& updates,
                           const types::Identity& identity, bool foreign) {
  std::vector<event::RefUpdate> moved;
  for (const auto& update : updates) {
    if (!update.ref.starts_with(kFor) || event::is_no_object(update.after)) {
      moved.push_back(update);
      continue;
    }
    std::string base;
    const auto branch = WEIR_TRY(take_proposal(repo, update, identity, foreign, base));
    if (!foreign) WEIR_TRY(parts_.triggers.repository_pushed(repo, {branch}, identity));
    if (WEIR_TRY(pulls_.of_branch(repo, branch.ref))) {
      moved.push_back(branch);
      continue;
    }
    WEIR_TRY(pulls_.open({.repo = repo, .head = branch.ref, .base = base, .is_foreign = foreign}, identity));
  }
  return pulls_.branches_moved(repo, moved, identity);
}

}  // namespace weir::app
