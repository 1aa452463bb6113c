#include "app/cli/played_event.h"

#include "app/cli/local_branches.h"
#include "base/json.h"
#include "forge/pulls.h"

namespace weir::app {
namespace {

constexpr std::size_t kShownDigits = 8;

std::string shown(std::string_view commit) {
  return std::string(commit.substr(0, kShownDigits));
}

// A member of the payload's pull request: pull_member(payload, "base", "ref").
std::string pull_member(const json::object& payload, std::string_view side, std::string_view name) {
  const auto* pull = payload.if_contains("pull_request");
  const auto* found = pull == nullptr ? nullptr : json_find(*pull, side);
  return found == nullptr ? std::string() : json_string_or(*found, name, "");
}

// The payload's pull request has the number; a payload that lacks it is of the first one.
std::int64_t number_of(const json::object& payload) {
  const auto* pull = payload.if_contains("pull_request");
  const auto inside = pull == nullptr ? std::nullopt : json_int(*pull, "number");
  const auto number = json_int(payload, "number");
  return number ? *number : inside.value_or(1);
}

// Where the base has no commit that the head lacks, the last commit is what is proposed.
Result<LocalBranches::Tip> base_of(const io::Git& git, const LocalBranches& branches, const WantedEvent& wanted,
                                   PlayedEvent& played, forge::Pull& pull) {
  auto given = wanted.base.empty() ? pull_member(wanted.payload, "base", "ref") : wanted.base;
  pull.base_ref = branches.default_ref();
  if (!given.empty() && !given.starts_with("refs/")) given.insert(0, "refs/heads/");
  if (!given.empty()) pull.base_ref = given;
  auto tip = branches.tip(pull.base_ref);
  if (const auto sha = pull_member(wanted.payload, "base", "sha"); wanted.base.empty() && !sha.empty()) {
    if (auto known = git.resolve(sha)) tip = {shown(*known), *std::move(known)};
  }
  if (tip.commit.empty()) {
    return fail(Code::kNotFound, "a pull request into {}: there is no such branch here{}",
                event::short_ref(pull.base_ref), branches.hint(event::short_ref(pull.base_ref)));
  }
  const auto base_name = event::short_ref(pull.base_ref);
  if (pull.base_ref == branches.current()) {
    played.notes.push_back(
        fmt::format("you are on {}, which is the branch that the pull request is to be merged into: check out another, "
                    "or give --base",
                    base_name));
  }
  if (tip.commit != pull.head_sha && !WEIR_TRY(git.is_ancestor(pull.head_sha, tip.commit))) return tip;
  const auto parents = WEIR_TRY(git.commit(pull.head_sha)).parents;
  played.notes.push_back(fmt::format("there is nothing that {} lacks{}", tip.name,
                                     parents.empty() ? "" : ": the last commit is played as what is proposed"));
  if (parents.empty()) return tip;
  return LocalBranches::Tip{shown(parents.front()), parents.front()};
}

Result<void> play_pull(const io::Git& git, const LocalBranches& branches, const WantedEvent& wanted,
                       PlayedEvent& played) {
  auto& event = played.event;
  forge::Pull pull;
  pull.issue = {.number = number_of(wanted.payload), .is_pull = true, .author = wanted.actor};
  pull.issue.author_rank = forge::rank_of({.name = wanted.actor, .role = types::Role::kAdmin});
  pull.head_sha = event.commit;
  const auto head = pull_member(wanted.payload, "head", "ref");
  pull.head_ref = !head.empty() ? head : branches.current().empty() ? "HEAD" : event::short_ref(branches.current());
  const auto newest = WEIR_TRY(git.commit(event.commit));
  pull.issue.title = event::title_of(newest);
  pull.issue.created_at = pull.issue.updated_at = TimePoint{std::chrono::seconds{newest.committer_time_s}};
  const auto base = WEIR_TRY(base_of(git, branches, wanted, played, pull));
  pull.base_sha = base.commit;
  auto trial = WEIR_TRY(event::trial_merge(git, pull.base_sha, pull.head_sha));
  pull.merge_sha = std::move(trial.commit);
  pull.conflicts = std::move(trial.conflicts);

  const auto base_name = event::short_ref(pull.base_ref);
  std::string note =
      fmt::format("pull request #{} of {} ({}) into {} ({}): ", pull.issue.number, pull.head_ref, shown(pull.head_sha),
                  base_name, base.name == base_name ? shown(base.commit) : base.name + " " + shown(base.commit));
  if (pull.conflicts.empty()) {
    note += fmt::format("jobs get the commit that merges the two, as {}", event::pull_merge_ref(pull.issue.number));
  } else {
    note += fmt::format("they conflict ({}), and then GitHub starts nothing; jobs get the head alone",
                        fmt::join(pull.conflicts, ", "));
  }
  played.notes.push_back(std::move(note));
  played.compared_with = base.name;
  event.pull = event::PullFacts{.number = pull.issue.number,
                                .title = pull.issue.title,
                                .head_ref = pull.head_ref,
                                .base_ref = pull.base_ref,
                                .head_sha = pull.head_sha,
                                .base_sha = pull.base_sha,
                                .merge_sha = pull.merge_sha};
  event.pull_payload = forge::to_json(pull, nullptr);
  return {};
}

// --ref, the payload's `ref`, the current branch. The payload says the same.
Result<std::string> ref_of(const LocalBranches& branches, const WantedEvent& wanted, PlayedEvent& played) {
  const auto given = wanted.name == "push" || wanted.name == "workflow_dispatch"
                         ? json_string_or(wanted.payload, "ref", "")
                         : std::string();
  if (!wanted.ref.empty()) return branches.full_ref(wanted.ref, "--ref");
  if (!given.empty()) return branches.full_ref(given, "the payload's ref");
  if (!branches.current().empty()) return branches.current();
  const auto instead = wanted.name == "pull_request" ? std::string("HEAD") : event::short_ref(branches.default_ref());
  played.notes.push_back(fmt::format("HEAD is detached, on no branch: it is played as {}{}", instead,
                                     wanted.name == "pull_request" ? "" : "; --ref names another branch or a tag"));
  return branches.default_ref();
}

}  // namespace

Result<PlayedEvent> play_event(const io::Git& git, const std::filesystem::path& work_tree, WantedEvent wanted) {
  PlayedEvent played;
  auto& event = played.event;
  const auto branches = WEIR_TRY(LocalBranches::read(git));
  event.event_name = wanted.name;
  event.default_ref = branches.default_ref();
  event.ref = WEIR_TRY(ref_of(branches, wanted, played));
  std::vector<std::string> left_out;
  event.commit = WEIR_TRY(git.snapshot(work_tree, &left_out));
  for (const auto& path : left_out) {
    played.notes.push_back(
        fmt::format("{} is a git repository of its own without a commit: what is in it does not take "
                    "part; ignore it, or commit there",
                    path));
  }
  if (wanted.name == "pull_request") {
    WEIR_TRY(play_pull(git, branches, wanted, played));
  } else if (wanted.name == "push") {
    const auto head = git.resolve("HEAD").value_or("");
    auto before = WEIR_TRY(branches.pushed_before(event.ref, head, event.commit));
    if (const auto given = json_string_or(wanted.payload, "before", ""); !given.empty()) {
      const auto known = git.resolve(given);
      before = {known ? shown(*known) : "", known.value_or("")};
    }
    event.before = before.commit;
    played.compared_with = before.name;
  }
  if (wanted.name == "push" || wanted.name == "workflow_dispatch") wanted.payload["ref"] = event.ref;
  event.payload = std::move(wanted.payload);
  return played;
}

}  // namespace weir::app
