#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "api/github/call.h"
#include "api/github/git_work.h"
#include "forge/labels.h"
#include "forge/releases.h"

// What the REST routes find, show and change, for the other ways to ask the same.
namespace weir::api::github {

// ---- issues.cc
json::object issue_json(const Call& call, const forge::Issue& issue);
// Comments on an issue or pull request, oldest first, without those on lines; at least `most` of them if there are.
Result<std::vector<forge::Comment>> issue_comments(const Call& call, std::int64_t number,
                                                   std::optional<TimePoint> since, std::size_t most);
// Who may write, may change what others wrote; the rest only their own.
Result<void> may_change(const Call& call, std::string_view author);
// An issue, or the issue that a pull request is.
Result<forge::Issue> change_issue(const Call& call, const forge::Issue& before, const forge::IssueChange& change);

// ---- assignees.cc
// Whom a body wants assigned, by `assignees` or `assignee`; kInvalidArgument for one whom nobody knows. Nothing if it
// says nothing.
Result<std::optional<std::vector<std::string>>> assignees_in(const Call& call);

// ---- pulls.cc
Result<std::vector<ChangedFile>> files_of(const Call& call, const forge::Pull& pull);
// Oldest first, at most 250, as GitHub lists.
Result<std::vector<io::GitCommit>> commits_of(const Call& call, const forge::Pull& pull);
std::string merge_state(const Call& call, const forge::Pull& pull);
// By those who may; kFailedPrecondition says what is missing.
struct MergeWish {
  std::string method = "merge";
  std::string title;
  std::string text;
  std::string head;  // "": whatever it is
};
Result<forge::Pull> merge_pull(const Call& call, const forge::Pull& pull, const MergeWish& wish);

// ---- commits.cc
// Which pull requests bring a commit, or brought it: looked through once, for any number of commits.
class PullsOfCommits {
 public:
  explicit PullsOfCommits(const Call& call) : call_(call) {}
  // Newest first.
  Result<std::vector<forge::Pull>> of(const std::string& sha);

 private:
  Result<void> look();

  const Call& call_;
  bool looked_ = false;
  std::vector<forge::Pull> pulls_;
  std::multimap<std::string, std::size_t> by_commit_;  // places in pulls_
};

// ---- reviews.cc
json::object review_json(const Call& call, std::int64_t pull, const forge::Review& review);

// ---- labels.cc
json::object label_json(const Call& call, const forge::Label& label);

// ---- releases.cc
json::object release_json(const Call& call, const forge::Release& release);
// Newest first; drafts only for those who may publish them.
Result<std::vector<forge::Release>> visible_releases(const Call& call);

// ---- refs.cc
using Ref = std::pair<std::string, std::string>;  // full name and object
// Below refs/, only what people push: not the merge commits of pull requests.
Result<std::vector<Ref>> refs_below(const io::Git& git, std::string_view prefix);

}  // namespace weir::api::github
