#include "app/push_rules.h"

#include <algorithm>

#include "event/job_push.h"
#include "event/source.h"

namespace weir::app {
namespace {

constexpr std::string_view kMain = "refs/heads/main";

std::string default_ref(const Result<io::Git>& git) {
  if (!git) return std::string(kMain);
  const auto head = git->head_ref();
  return head && !head->empty() ? *head : std::string(kMain);
}

// Whether changes come by pull requests.
bool guards(const config::Branch* rule) {
  return rule != nullptr && (!rule->checks.empty() || rule->reviews > 0);
}

}  // namespace

Result<engine::Run> PushRules::run_of(const types::Identity& identity) const {
  const auto job = WEIR_TRY(parts_.engine.job(*identity.job_id));
  return parts_.engine.run(job.run);
}

Result<void> PushRules::authorize(const types::Identity& identity, std::string_view repo,
                                  std::span<const event::RefUpdate> updates) const {
  const std::string object = fmt::format("repo/{}", repo);
  if (identity.job_id) {
    const auto run = WEIR_TRY(run_of(identity));
    if (run.repo != repo) {
      return fail(Code::kPermissionDenied, "{} runs for {} and may push nothing to {}", identity.name, run.repo, repo);
    }
  }
  // Whoever may propose, may push for a branch; the rest is for those who may push.
  if (const auto may_push = parts_.access.allow(identity, access::Permission::kPush, object); !may_push) {
    const bool proposes =
        std::ranges::all_of(updates, [](const auto& one) { return one.ref.starts_with("refs/for/"); });
    if (!proposes || !parts_.access.allow(identity, access::Permission::kPropose, object)) return may_push;
  }
  const std::string repository(repo);
  const auto main = default_ref(parts_.git(repository));
  const auto config = parts_.config.of(repository);
  for (const auto& update : updates) {
    if (update.ref == main) WEIR_TRY(authorize_default(identity, repository, update));
    if (update.ref == main || !update.ref.starts_with("refs/heads/")) continue;
    const auto* rule = config->branch(event::short_ref(update.ref));
    if (guards(rule) && !event::is_no_object(update.before)) WEIR_TRY(authorize_guarded(identity, repository, update));
  }
  return {};
}

// A branch beside the default one that changes come to by pull requests; whoever may push may make it.
Result<void> PushRules::authorize_guarded(const types::Identity& identity, const std::string& repo,
                                          const event::RefUpdate& update) const {
  if (!identity.job_id) {
    return parts_.access.allow(identity, access::Permission::kPushProtected,
                               fmt::format("repo/{} {}", repo, update.ref));
  }
  return fail(Code::kPermissionDenied,
              "{} may not push to {} of {}: weir.yaml asks for checks or reviews there; open a pull request",
              identity.name, event::short_ref(update.ref), repo);
}

Result<void> PushRules::authorize_default(const types::Identity& identity, const std::string& repo,
                                          const event::RefUpdate& update) const {
  if (!identity.job_id) {
    return parts_.access.allow(identity, access::Permission::kPushProtected,
                               fmt::format("repo/{} {}", repo, update.ref));
  }
  const auto branch = event::short_ref(update.ref);
  const auto refused = [&](std::string_view why) {
    return fail(Code::kPermissionDenied, "{} may not push to {} of {}: {}; open a pull request", identity.name, branch,
                repo, why);
  };
  if (update.after.find_first_not_of('0') == std::string::npos) return refused("jobs do not delete a default branch");
  const auto config = parts_.config.of(repo);
  const auto* rule = config->branch(branch);
  if (guards(rule)) {
    return refused("weir.yaml asks for checks or reviews there");
  }
  const auto run = WEIR_TRY(run_of(identity));
  if (run.ref != update.ref) {
    return refused(
        fmt::format("its run is of {}, and only runs of the branch itself do that", event::short_ref(run.ref)));
  }
  const auto git = WEIR_TRY(parts_.git(repo));
  const auto now = WEIR_TRY(git.resolve(update.ref));
  if (!WEIR_TRY(git.is_ancestor(run.commit, now))) {
    return refused(fmt::format("its run plays {}, which is no commit of that branch", run.commit.substr(0, 12)));
  }
  return {};
}

Result<void> PushRules::examine(const types::Identity& identity, const std::string& repo,
                                std::span<const event::RefUpdate> updates, const io::Git& git) const {
  if (!identity.job_id) return {};
  const auto main = default_ref(parts_.git(repo));
  return event::check_job_push({.git = git,
                                .default_ref = main,
                                .default_commit = git.resolve(main).value_or(""),
                                .job_commit = WEIR_TRY(run_of(identity)).commit},
                               updates);
}

std::string PushRules::remark(const std::string& repo) const {
  const auto problems = parts_.config.refusal(repo);
  if (problems.empty()) return {};
  return fmt::format("weir.yaml of the default branch is refused; {} until one that `weir lint` accepts is pushed.\n{}",
                     parts_.config.has(repo) ? "the one before stays in force" : "nothing that it asks for is in force",
                     problems);
}

}  // namespace weir::app
