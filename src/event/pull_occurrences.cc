#include "event/pull_occurrences.h"

#include <algorithm>

namespace weir::event {
namespace {

constexpr std::string_view kNoCommonHistory = "everything, for the two have no common history";

// Actions whose workflows run on the merge commit, which conflicts keep from being there.
bool needs_merge_commit(std::string_view action) {
  return action != "closed";
}

}  // namespace

std::string pull_merge_ref(std::int64_t number) {
  return fmt::format("refs/pull/{}/merge", number);
}

Result<TrialMerge> trial_merge(const io::Git& git, const std::string& base, const std::string& head) {
  // A branch whose history was exchanged for another one is like one that conflicts: it waits for its author.
  if (WEIR_TRY(git.merge_base(base, head)).empty()) {
    return TrialMerge{.conflicts = {std::string(kNoCommonHistory)}};
  }
  auto merge = WEIR_TRY(git.merge(base, head));
  TrialMerge trial{.conflicts = std::move(merge.conflicts)};
  if (!trial.conflicts.empty()) return trial;
  trial.commit =
      WEIR_TRY(git.make_commit({.tree = merge.tree,
                                .parents = {base, head},
                                .message = fmt::format("Merge {} into {}\n", head, base),
                                .author_name = "weir",
                                .author_email = "weir@localhost",
                                .time = TimePoint{std::chrono::seconds{WEIR_TRY(git.commit(head)).committer_time_s}}}));
  return trial;
}

Occurrence pull_occurrence(const PullFacts& pull, std::string_view event, std::string_view action, json::object payload,
                           const std::string& actor) {
  const auto& commit = pull.merge_sha.empty() ? pull.head_sha : pull.merge_sha;
  const auto ref = pull_merge_ref(pull.number);
  payload["action"] = action;
  payload["number"] = pull.number;
  std::string what(event);
  std::ranges::replace(what, '_', ' ');
  Occurrence occurrence{
      .info = {.event = std::string(event), .ref = ref, .base_ref = pull.base_ref, .action = std::string(action)},
      .files_commit = commit,
      .commit = commit,
      .ref = ref,
      .head_ref = pull.head_ref,
      .base_ref = short_ref(pull.base_ref),
      .payload = std::move(payload),
      .title = pull.title,
      .reason = fmt::format("{} #{} {} by {}", what, pull.number, action, actor),
      .actor = actor};
  occurrence.options.foreign = pull.is_foreign;
  return occurrence;
}

std::vector<Occurrence> pull_occurrences(const io::Git& git, const PullFacts& pull, std::string_view action,
                                         const json::object& payload, const std::string& actor) {
  std::optional<std::vector<std::string>> changed_paths;
  if (const auto base = git.merge_base(pull.base_sha, pull.head_sha)) {
    if (auto changed = git.changed_paths(*base, pull.head_sha)) changed_paths = *std::move(changed);
  }
  std::vector<Occurrence> occurrences;
  if (!pull.merge_sha.empty() || !needs_merge_commit(action)) {
    occurrences.push_back(pull_occurrence(pull, "pull_request", action, payload, actor));
    occurrences.back().info.changed_paths = changed_paths;
  }
  // Runs on the default branch, with its files: what a pull request brings is not trusted, nor is a workflow that an
  // old branch has kept after it was mended.
  auto trusted = pull_occurrence(pull, "pull_request_target", action, payload, actor);
  trusted.files_commit = trusted.commit = pull.base_sha;
  trusted.ref = trusted.info.ref = pull.base_ref;
  // Of a followed repository the pull request knows the base's newest commit before the copy here has it.
  if (const auto main = git.head_ref(); main && *main != pull.base_ref) {
    if (const auto commit = git.resolve(*main)) {
      trusted.files_commit = trusted.commit = *commit;
      trusted.ref = trusted.info.ref = *main;
    }
  }
  trusted.info.changed_paths = std::move(changed_paths);
  trusted.options.foreign = false;
  occurrences.push_back(std::move(trusted));
  return occurrences;
}

}  // namespace weir::event
