#pragma once

#include <string>
#include <vector>

#include "event/occurrence.h"

// What happens to pull requests, of this server or of the forge that a repository follows, and the commits that their
// runs are of.
namespace weir::event {

struct PullFacts {
  std::int64_t number = 0;
  std::string title;
  std::string head_ref;  // short: "better"
  std::string base_ref;  // "refs/heads/main"
  std::string head_sha;
  std::string base_sha;
  std::string merge_sha;    // merges head into base; "" where they conflict
  bool is_foreign = false;  // its author may not push: what it brings is not trusted
};

std::string pull_merge_ref(std::int64_t number);  // "refs/pull/7/merge"

struct TrialMerge {
  std::string commit;  // "" with conflicts
  std::vector<std::string> conflicts;
};
// The commit that merges `head` into `base`; the same commits give the same one. No ref leads to it. Blocks for git.
Result<TrialMerge> trial_merge(const io::Git& git, const std::string& base, const std::string& head);

// `event` ("pull_request", "pull_request_review" …) happened to it. `payload` has the members of the event beside
// action and number, and `pull_request`. The run is of the merge commit, or of the head where there is none.
Occurrence pull_occurrence(const PullFacts& pull, std::string_view event, std::string_view action, json::object payload,
                           const std::string& actor);

// Both that an activity of a pull request is, with the paths that it changes: `pull_request`, unless conflicts keep its
// commit from being there; and `pull_request_target`, on the default branch with its files and without distrust.
std::vector<Occurrence> pull_occurrences(const io::Git& git, const PullFacts& pull, std::string_view action,
                                         const json::object& payload, const std::string& actor);

}  // namespace weir::event
