#include "forge/pulls.h"

#include <algorithm>
#include <map>

#include "event/payload.h"
#include "event/pull_occurrences.h"
#include "forge/issue_events.h"
#include "forge/proposals.h"
#include "forge/pull_rows.h"
#include "types/event.h"

namespace weir::forge {
namespace {

namespace event_type = types::event_type;

std::string head_copy(const Pull& pull) {
  return fmt::format("refs/pull/{}/head", pull.issue.number);
}

// Moves a ref that only weir writes to where it should be.
Result<void> set_ref(const io::Git& git, const std::string& ref, const std::string& to) {
  const auto refs = WEIR_TRY(git.refs());
  const auto found = refs.find(ref);
  const std::string before = found == refs.end() ? std::string(event::kNoObject) : found->second;
  const std::string after = to.empty() ? std::string(event::kNoObject) : to;
  if (before == after) return {};
  return git.move_ref(ref, before, after);
}

// What a change of a pull request is to workflows: what it is to issues, and its own.
std::vector<Activity> activities_of(const Pull& before, const Pull& after) {
  auto all = activities_of(before.issue, after.issue);
  if (before.base_ref != after.base_ref) {
    if (all.empty() || all.back().action != "edited") {
      all.push_back({.action = "edited", .payload = {{"changes", json::object()}}});
    }
    const json::object from{{"from", event::short_ref(before.base_ref)}};
    all.back().payload["changes"].as_object()["base"] = json::object{{"ref", from}};
  }
  if (before.draft != after.draft) all.push_back({.action = after.draft ? "converted_to_draft" : "ready_for_review"});
  return all;
}

// Makes the commit that the base branch is to have.
Result<std::string> commit_of(const io::Git& git, const Pull& pull, MergeMethod method, const std::string& message,
                              const types::Identity& identity, TimePoint now) {
  const auto email = identity.name + "@localhost";
  if (method == MergeMethod::kRebase) {
    auto rebased = WEIR_TRY(git.rebase(pull.base_sha, pull.head_sha, {identity.name, email, now}));
    if (!rebased.conflicts.empty()) {
      return fail(
          Code::kFailedPrecondition,
          "pull request #{} cannot be rebased: its commit {} conflicts in {}; merge or squash it, or rebase the "
          "branch yourself",
          pull.issue.number, rebased.stopped_at.substr(0, 12), fmt::join(rebased.conflicts, ", "));
    }
    if (rebased.commit != pull.base_sha) return std::move(rebased.commit);
    return fail(Code::kFailedPrecondition, "pull request #{} has nothing to rebase: what it changes is on {} already",
                pull.issue.number, event::short_ref(pull.base_ref));
  }
  const bool squash = method == MergeMethod::kSquash;
  const auto first_line =
      squash ? fmt::format("{} (#{})", pull.issue.title, pull.issue.number)
             : fmt::format("Merge pull request #{} from {}", pull.issue.number, event::short_ref(pull.head_ref));
  std::vector<std::string> parents{pull.base_sha};
  if (!squash) parents.push_back(pull.head_sha);
  return git.make_commit(
      {.tree = WEIR_TRY(git.commit(pull.merge_sha)).tree,
       .parents = std::move(parents),
       .message = message.empty() ? fmt::format("{}\n\n{}\n", first_line, squash ? pull.issue.body : pull.issue.title)
                                  : message + "\n",
       .author_name = identity.name,
       .author_email = email,
       .time = now});
}

// Branches that begin apart have nothing to compare or merge.
Result<void> check_common(const io::Git& git, const Pull& pull, const std::string& head) {
  if (!WEIR_TRY(git.merge_base(WEIR_TRY(git.resolve(pull.base_ref)), head)).empty()) return {};
  return fail(Code::kFailedPrecondition, "{} and {} have no common history", event::short_ref(pull.head_ref),
              event::short_ref(pull.base_ref));
}

// A base is a branch: its files are trusted (pull_request_target). What others propose may be a head only.
Result<void> check_places(const std::string& head, const std::string& base) {
  for (const auto* ref : {&head, &base}) {
    if (ref->starts_with("refs/heads/") || (ref == &head && head.starts_with(kProposals))) continue;
    return fail(Code::kInvalidArgument, "a pull request brings one branch into another; \"{}\" is none", *ref);
  }
  return {};
}

bool says_the_same(const Issue& a, const Issue& b) {
  return a.title == b.title && a.body == b.body && a.labels == b.labels && a.assignees == b.assignees;
}

event::PullFacts facts_of(const Pull& pull) {
  return {.number = pull.issue.number,
          .title = pull.issue.title,
          .head_ref = event::short_ref(pull.head_ref),
          .base_ref = pull.base_ref,
          .head_sha = pull.head_sha,
          .base_sha = pull.base_sha,
          .merge_sha = pull.merge_sha,
          .is_foreign = pull.is_foreign};
}

}  // namespace

Result<MergeMethod> parse_merge_method(std::string_view name) {
  if (name == "merge") return MergeMethod::kMerge;
  if (name == "squash") return MergeMethod::kSquash;
  if (name == "rebase") return MergeMethod::kRebase;
  return fail(Code::kInvalidArgument, "there is no merging by \"{}\"; there are merge, squash and rebase",
              name.substr(0, 80));
}

std::string branch_ref(std::string_view name) {
  return name.starts_with("refs/") ? std::string(name) : fmt::format("refs/heads/{}", name);
}

// What its branches say: newest commits, and the merge commit. Refs are moved; the rows are for the caller to write.
Result<void> Pulls::refresh(Pull& pull, const io::Git& git) const {
  pull.head_sha = WEIR_TRY(git.resolve(pull.head_ref));
  pull.base_sha = WEIR_TRY(git.resolve(pull.base_ref));
  WEIR_TRY(set_ref(git, head_copy(pull), pull.head_sha));
  auto trial = WEIR_TRY(event::trial_merge(git, pull.base_sha, pull.head_sha));
  pull.merge_sha = std::move(trial.commit);
  pull.conflicts = std::move(trial.conflicts);
  return set_ref(git, event::pull_merge_ref(pull.issue.number), pull.merge_sha);
}

event::Occurrence occurrence_of(const Pull& pull, std::string_view event, std::string_view action, json::object payload,
                                const types::Identity& identity, const Standing* standing) {
  payload["pull_request"] = to_json(pull, standing);
  return event::pull_occurrence(facts_of(pull), event, action, std::move(payload), identity.name);
}

// Writes something about a pull request, and starts what listens to it.
Result<void> Pulls::tell(const Pull& pull, std::vector<Activity> activities, std::string_view type,
                         const types::Identity& identity,
                         const std::function<Result<void>(store::Transaction&)>& write) {
  const auto git = WEIR_TRY(deps_.git(pull.issue.repo));
  auto events = events_of(pull.issue, activities);
  if (type == event_type::kPullMerged) {
    events.insert(events.begin(), {.event = "merged", .detail = {{"commit_id", pull.merged_sha}}});
  }
  std::vector<event::Occurrence> occurrences;
  for (auto& activity : activities) {
    activity.payload["pull_request"] = to_json(pull, deps_.standing);
    std::ranges::move(event::pull_occurrences(git, facts_of(pull), activity.action, activity.payload, identity.name),
                      std::back_inserter(occurrences));
  }
  WEIR_TRY(deps_.triggers->occurred(pull.issue.repo, occurrences, identity,
                                    [&](store::Transaction& tx) -> Result<std::int64_t> {
                                      WEIR_TRY(write(tx));
                                      WEIR_TRY(insert_issue_events(tx, pull.issue, identity.name, events));
                                      return tx.append({.type = std::string(type),
                                                        .actor = identity.name,
                                                        .subject = subject_of(pull),
                                                        .payload = {{"title", pull.issue.title},
                                                                    {"head", pull.head_ref},
                                                                    {"base", pull.base_ref},
                                                                    {"commit", pull.head_sha}}});
                                    }));
  return {};
}

// What must hold for one that is opened, or opened again, or gets another base: its branches are there, have something
// to bring, and no other open one brings it.
Result<void> Pulls::check_may_open(const io::Git& git, const Pull& pull) {
  const auto name = [](const std::string& ref) { return event::short_ref(ref); };
  for (const auto* ref : {&pull.head_ref, &pull.base_ref}) {
    if (git.resolve(*ref)) continue;
    if (pull.issue.number > 0 && ref == &pull.head_ref) {
      return fail(Code::kFailedPrecondition, "the branch \"{}\" of pull request #{} is gone; push it again first",
                  name(*ref), pull.issue.number);
    }
    return fail(Code::kNotFound, "repository {} has no branch \"{}\"; push it first", pull.issue.repo, name(*ref));
  }
  if (pull.head_ref == pull.base_ref) {
    return fail(Code::kInvalidArgument, "a pull request brings one branch into another; both are \"{}\"",
                name(pull.base_ref));
  }
  const auto all = WEIR_TRY(
      deps_.db->load<std::vector<Pull>>([&](store::Reader& reader) { return open_pulls(reader, pull.issue.repo); }));
  for (const auto& other : all) {
    if (other.issue.number == pull.issue.number) continue;
    if (other.head_ref != pull.head_ref || other.base_ref != pull.base_ref) continue;
    return fail(Code::kAlreadyExists, "pull request #{} is open for {} already", other.issue.number,
                name(pull.head_ref));
  }
  const auto head = WEIR_TRY(git.resolve(pull.head_ref));
  if (WEIR_TRY(git.is_ancestor(head, WEIR_TRY(git.resolve(pull.base_ref))))) {
    return fail(Code::kInvalidArgument, "\"{}\" has nothing that \"{}\" lacks", name(pull.head_ref),
                name(pull.base_ref));
  }
  return check_common(git, pull, head);
}

Result<Pull> Pulls::open(const NewPull& wanted, const types::Identity& identity) {
  const std::scoped_lock lock(mutex_);
  const auto git = WEIR_TRY(deps_.git(wanted.repo));
  Pull pull{.head_ref = branch_ref(wanted.head),
            .base_ref = wanted.base.empty() ? WEIR_TRY(git.head_ref()) : branch_ref(wanted.base),
            .draft = wanted.draft};
  pull.is_foreign = wanted.is_foreign || is_foreign_head(pull.head_ref);
  WEIR_TRY(check_places(pull.head_ref, pull.base_ref));
  pull.issue.repo = wanted.repo;
  WEIR_TRY(check_may_open(git, pull));
  const auto head = WEIR_TRY(git.resolve(pull.head_ref));
  pull.issue = {.repo = wanted.repo,
                .is_pull = true,
                .title = wanted.title.empty() ? event::title_of(WEIR_TRY(git.commit(head))) : wanted.title,
                .body = wanted.body,
                .author = identity.name,
                .author_rank = rank_of(identity)};
  WEIR_TRY(check_text(pull.issue.title, pull.issue.body));
  pull.issue.number = WEIR_TRY(reserve_number(*deps_.db, issue_series(wanted.repo)));
  WEIR_TRY(refresh(pull, git));
  WEIR_TRY(tell(pull, {{.action = "opened"}}, event_type::kPullOpened, identity,
                [&](store::Transaction& tx) -> Result<void> {
                  WEIR_TRY(insert_issue(tx, pull.issue));
                  return insert_pull(tx, pull);
                }));
  return pull;
}

Result<Pull> Pulls::find(const std::string& repo, std::int64_t number) {
  return deps_.db->load<Pull>([&](store::Reader& reader) { return load_pull(reader, repo, number); });
}

Result<std::vector<Pull>> Pulls::list(const std::string& repo, const IssueFilter& filter) {
  return deps_.db->load<std::vector<Pull>>([&](store::Reader& reader) { return list_pulls(reader, repo, filter); });
}

Result<std::optional<Pull>> Pulls::of_branch(const std::string& repo, const std::string& head_ref) {
  return deps_.db->load<std::optional<Pull>>([&](store::Reader& reader) -> Result<std::optional<Pull>> {
    for (auto& pull : WEIR_TRY(open_pulls(reader, repo))) {
      if (pull.head_ref == head_ref) return std::move(pull);
    }
    return std::nullopt;
  });
}

Result<Pull> Pulls::change(const std::string& repo, std::int64_t number, const Change& change,
                           const types::Identity& identity) {
  const std::scoped_lock lock(mutex_);
  const auto before = WEIR_TRY(find(repo, number));
  auto pull = before;
  const auto git = WEIR_TRY(deps_.git(repo));
  if (change.issue.title) pull.issue.title = *change.issue.title;
  if (change.issue.body) pull.issue.body = *change.issue.body;
  if (change.issue.labels) pull.issue.labels = *change.issue.labels;
  if (change.issue.assignees) pull.issue.assignees = *change.issue.assignees;
  if (change.issue.open) pull.issue.open = *change.issue.open;
  if (change.draft) pull.draft = *change.draft;
  if (change.base) pull.base_ref = branch_ref(*change.base);
  if (pull.base_ref != before.base_ref) WEIR_TRY(check_places(pull.head_ref, pull.base_ref));
  WEIR_TRY(check_text(pull.issue.title, pull.issue.body));
  WEIR_TRY(check_labels(pull.issue.labels));
  WEIR_TRY(check_assignees(pull.issue.assignees));
  const bool moves = pull.issue.open != before.issue.open;
  const bool rebased = pull.base_ref != before.base_ref;
  if (moves && pull.merged_at) return fail(Code::kFailedPrecondition, "pull request #{} was merged", number);
  if (!moves && !rebased && pull.draft == before.draft && says_the_same(pull.issue, before.issue)) return before;
  if (rebased || (moves && pull.issue.open)) {
    WEIR_TRY(check_may_open(git, pull));
    WEIR_TRY(refresh(pull, git));
  }
  if (moves) {
    pull.issue.closed_at = pull.issue.open ? std::nullopt : std::optional(deps_.clock->now());
    pull.issue.closed_by = pull.issue.open ? std::string() : identity.name;
  }
  const auto type = moves && !pull.issue.open ? event_type::kPullClosed : event_type::kPullUpdated;
  WEIR_TRY(tell(pull, activities_of(before, pull), type, identity,
                [&](store::Transaction& tx) { return record_state(tx, pull); }));
  return pull;
}

Result<Mergeability> Pulls::mergeability(const Pull& pull) {
  Mergeability result;
  const auto say = [&](std::string reason) { result.reasons.push_back(std::move(reason)); };
  if (pull.merged_at) say("it was merged already");
  if (!pull.merged_at && !pull.issue.open) say("it is closed");
  if (pull.draft) say("it is a draft");
  if (!pull.conflicts.empty()) say(fmt::format("it conflicts in {}", fmt::join(pull.conflicts, ", ")));
  const auto rule = deps_.rule ? deps_.rule(pull.issue.repo, event::short_ref(pull.base_ref)) : BranchRule{};
  std::map<std::string, Review> last;  // of each reviewer, comments left out
  for (auto& review : WEIR_TRY(reviews(pull.issue.repo, pull.issue.number))) {
    if (review.state != ReviewState::kCommented) last[review.author] = std::move(review);
  }
  int approvals = 0;
  for (const auto& [author, review] : last) {
    if (review.state == ReviewState::kChangesRequested) say(fmt::format("{} asks for changes", author));
    // An approval is for the commit that was looked at.
    if (review.state == ReviewState::kApproved && review.commit == pull.head_sha) ++approvals;
  }
  if (approvals < rule.reviews) {
    say(fmt::format("it has {} of {} approvals of its newest commit", approvals, rule.reviews));
  }
  if (!rule.checks.empty()) {
    std::map<std::string, std::string> states;
    if (deps_.checks) {
      for (auto& check : WEIR_TRY(deps_.checks(pull))) states[check.name] = std::move(check.state);
    }
    for (const auto& name : rule.checks) {
      const auto found = states.find(name);
      if (found == states.end()) {
        say(fmt::format("the check \"{}\" has not run", name));
      } else if (found->second != "success" && found->second != "skipped" && found->second != "neutral") {
        say(fmt::format("the check \"{}\" is {}", name, found->second));
      }
    }
  }
  result.allowed = result.reasons.empty();
  return result;
}

Result<Pull> Pulls::merge(const std::string& repo, std::int64_t number, MergeMethod method, const std::string& message,
                          const std::string& head, const types::Identity& identity) {
  std::unique_lock lock(mutex_);
  auto pull = WEIR_TRY(find(repo, number));
  const auto git = WEIR_TRY(deps_.git(repo));
  if (pull.issue.open) WEIR_TRY(refresh(pull, git));
  if (!head.empty() && head != pull.head_sha) {
    return fail(Code::kFailedPrecondition, "the branch of pull request #{} has moved to {}", number,
                pull.head_sha.substr(0, 12));
  }
  const auto able = WEIR_TRY(mergeability(pull));
  if (!able.allowed) {
    return fail(Code::kFailedPrecondition, "pull request #{} cannot be merged: {}", number,
                fmt::join(able.reasons, "; "));
  }
  const auto commit = WEIR_TRY(commit_of(git, pull, method, message, identity, deps_.clock->now()));
  // What is about to be the base's newest commit: a server that dies after the next line finds it there when it starts.
  pull.merged_sha = commit;
  pull.merged_by = identity.name;
  WEIR_TRY(deps_.db->write([&](store::Transaction& tx) { return update_pull(tx, pull); }));
  const event::RefUpdate update{pull.base_ref, pull.base_sha, commit};
  WEIR_TRY(deps_.triggers->push_begins(repo, {update}, identity));
  WEIR_TRY(git.move_ref(update.ref, update.before, update.after));
  WEIR_TRY(close_merged(pull, commit, identity));
  lock.unlock();
  WEIR_TRY(deps_.triggers->repository_pushed(repo, {update}, identity));
  WEIR_TRY(branches_moved(repo, {update}, identity));
  return pull;
}

Result<void> Pulls::close_merged(Pull& pull, const std::string& commit, const types::Identity& identity) {
  pull.issue.open = false;
  pull.merged_at = pull.issue.closed_at = deps_.clock->now();
  pull.merged_by = pull.issue.closed_by = identity.name;
  pull.merged_sha = commit;
  return tell(pull, {{.action = "closed"}}, event_type::kPullMerged, identity,
              [&](store::Transaction& tx) { return record_state(tx, pull); });
}

Result<void> Pulls::branches_moved(const std::string& repo, const std::vector<event::RefUpdate>& updates,
                                   const types::Identity& identity) {
  const std::scoped_lock lock(mutex_);
  std::vector<Pull> touched;
  auto pulls =
      WEIR_TRY(deps_.db->load<std::vector<Pull>>([&](store::Reader& reader) { return open_pulls(reader, repo); }));
  for (auto& pull : pulls) {
    const bool moved = std::ranges::any_of(
        updates, [&](const auto& update) { return update.ref == pull.head_ref || update.ref == pull.base_ref; });
    if (moved) touched.push_back(std::move(pull));
  }
  if (touched.empty()) return {};
  const auto git = WEIR_TRY(deps_.git(repo));
  for (auto& pull : touched) WEIR_TRY(look_at(std::move(pull), git, identity));
  return {};
}

Result<void> Pulls::reconcile(const std::string& repo) {
  const std::scoped_lock lock(mutex_);
  const auto pulls =
      WEIR_TRY(deps_.db->load<std::vector<Pull>>([&](store::Reader& reader) { return open_pulls(reader, repo); }));
  if (pulls.empty()) return {};
  const auto git = WEIR_TRY(deps_.git(repo));
  for (const auto& pull : pulls) {
    WEIR_TRY(look_at(pull, git, {.name = pull.issue.author, .role = types::Role::kDeveloper}));
  }
  return {};
}

// Brings an open pull request in line with its branches.
Result<void> Pulls::look_at(Pull pull, const io::Git& git, const types::Identity& identity) {
  const auto before = pull;
  const auto head = git.resolve(pull.head_ref);
  const auto base = git.resolve(pull.base_ref);
  if (!head || !base) {
    pull.issue.open = false;
    pull.issue.closed_at = deps_.clock->now();
    pull.issue.closed_by = identity.name;
    return tell(pull, {{.action = "closed"}}, event_type::kPullClosed, identity,
                [&](store::Transaction& tx) { return record_state(tx, pull); });
  }
  // A merge that was under way when the server died, whichever way it was done.
  const bool was_merging = !pull.merged_sha.empty() && git.resolve(pull.merged_sha);
  if (was_merging && WEIR_TRY(git.is_ancestor(pull.merged_sha, *base))) {
    const types::Identity merger{.name = pull.merged_by, .role = types::Role::kDeveloper};
    return close_merged(pull, pull.merged_sha, merger);
  }
  if (*head == before.head_sha && *base == before.base_sha) return {};
  if (WEIR_TRY(git.is_ancestor(*head, *base))) {
    pull.head_sha = *head;
    return close_merged(pull, *base, identity);
  }
  WEIR_TRY(refresh(pull, git));
  std::vector<Activity> activities;
  if (pull.head_sha != before.head_sha) {
    activities.push_back({.action = "synchronize", .payload = {{"before", before.head_sha}, {"after", pull.head_sha}}});
  }
  return tell(pull, std::move(activities), event_type::kPullUpdated, identity,
              [&](store::Transaction& tx) { return record_state(tx, pull); });
}

Result<void> Pulls::record_state(store::Transaction& tx, const Pull& pull) const {
  WEIR_TRY(update_issue(tx, pull.issue));
  return update_pull(tx, pull);
}

json::object to_json(const Pull& pull, const Standing* standing) {
  auto object = to_json(pull.issue, standing);
  object.erase("pull_request");
  const auto side = [&](const std::string& ref, const std::string& sha) {
    return json::object{{"ref", event::short_ref(ref)}, {"sha", sha}, {"label", event::short_ref(ref)}};
  };
  object["draft"] = pull.draft;
  object["head"] = side(pull.head_ref, pull.head_sha);
  // As if it came from a fork: conditions of workflows tell what may be trusted by this.
  if (pull.is_foreign) object["head"].as_object()["repo"] = json::object{{"fork", true}};
  object["base"] = side(pull.base_ref, pull.base_sha);
  object["merged"] = pull.merged_at.has_value();
  object["merged_at"] = pull.merged_at ? json::value(to_iso8601(*pull.merged_at)) : json::value();
  object["merged_by"] = pull.merged_at ? json::value(event::user_payload(pull.merged_by)) : json::value();
  json::array requested;
  for (const auto& name : pull.requested) requested.push_back(event::user_payload(name));
  object["requested_reviewers"] = std::move(requested);
  object["requested_teams"] = json::array();
  object["mergeable"] = pull.merged_at ? json::value() : json::value(pull.conflicts.empty());
  object["merge_commit_sha"] = pull.merged_at            ? json::value(pull.merged_sha)
                               : !pull.merge_sha.empty() ? json::value(pull.merge_sha)
                                                         : json::value();
  return object;
}

}  // namespace weir::forge
