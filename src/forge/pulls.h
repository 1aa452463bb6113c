#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "forge/issues.h"
#include "io/git.h"

namespace weir::forge {

// Pull requests of one repository's branches, without a forge: what GitHub does with them, as far as workflows and
// people need it. https://docs.github.com/en/rest/pulls

struct Pull {
  Issue issue;           // number, title, body, author, labels, open
  std::string head_ref;  // "refs/heads/better"
  std::string head_sha;
  std::string base_ref;   // "refs/heads/main"
  std::string base_sha;   // of the base when merge_sha was made
  std::string merge_sha;  // a commit that merges head into base, at refs/pull/<number>/merge; "" with conflicts
  std::vector<std::string> conflicts;  // paths
  bool draft = false;
  bool is_foreign = false;  // by somebody who may not push: its workflows get no secrets and run in a sandbox
  std::optional<TimePoint> merged_at;
  std::string merged_by;
  std::string merged_sha;              // the commit on the base branch
  std::vector<std::string> requested;  // who was asked to review it and has not yet
};

enum class ReviewState : std::uint8_t { kApproved = 1, kChangesRequested = 2, kCommented = 3, kDismissed = 4 };
std::string_view review_state_name(ReviewState state);  // "APPROVED", … as GitHub's API has it
Result<ReviewState> parse_review_state(std::string_view name);

struct Review {
  std::int64_t id = 0;
  std::string author;
  std::int64_t author_rank = kRankUnknown;  // standing.h
  ReviewState state = ReviewState::kCommented;
  std::string body;
  std::string commit;  // head of the pull request at the time
  TimePoint submitted_at;
  std::string dismissed_by;  // "" unless it was
  std::string dismissal;     // why
};

// An open pull request, and what reviewers last said of its newest commit; comments are left out.
struct UnderReview {
  std::string repo;
  std::int64_t number = 0;
  std::string author;
  std::string base_ref;
  std::map<std::string, ReviewState> verdicts;
  std::vector<std::string> requested;  // who was asked to review it and has not yet
};

// One thing that a commit was checked by: a job of a workflow, a check run or a status that something else set.
struct CheckState {
  std::string name;   // "test (3.11)", or its workflow's "CI"
  std::string state;  // "success", "failure", "pending", …
};

// What must hold before a branch takes a pull request: `branches:` of weir.yaml.
struct BranchRule {
  std::vector<std::string> checks;  // names that must have succeeded
  int reviews = 0;                  // approvals by others than its author, of its newest commit
};

struct PullDeps {
  store::Database* db = nullptr;
  const Clock* clock = nullptr;
  Log* log = nullptr;
  event::Triggers* triggers = nullptr;
  std::function<Result<io::Git>(const std::string& repo)> git;
  // What workflows say of a pull request's newest commit.
  std::function<Result<std::vector<CheckState>>(const Pull& pull)> checks;
  std::function<BranchRule(const std::string& repo, const std::string& branch)> rule;
  const Standing* standing = nullptr;  // without it only what authors could do when writing is known of them
};

struct NewPull {
  std::string repo;
  std::string head;   // branch, short or full
  std::string base;   // "": the default branch
  std::string title;  // "": the first line of its newest commit
  std::string body;
  bool draft = false;
  bool is_foreign = false;
};

struct Mergeability {
  bool allowed = false;
  std::vector<std::string> reasons;  // why not: "the check \"test\" has not run", …
};

// As GitHub's: a commit that merges the two, one commit of all, or the branch's commits put onto the base one by one.
enum class MergeMethod { kMerge, kSquash, kRebase };
Result<MergeMethod> parse_merge_method(std::string_view name);  // "merge", "squash", "rebase"

// Any thread; functions block for git and for the commit. Call branches_moved() for a repository in the order of its
// pushes.
class Pulls {
 public:
  explicit Pulls(PullDeps deps) : deps_(std::move(deps)) {}

  // Opens one and starts workflows with `on: pull_request`, at a commit that merges head into base. kAlreadyExists
  // names the open one of the same branches; kInvalidArgument if there is nothing to merge.
  Result<Pull> open(const NewPull& wanted, const types::Identity& identity);
  Result<Pull> find(const std::string& repo, std::int64_t number);
  Result<std::vector<Pull>> list(const std::string& repo, const IssueFilter& filter);
  // The open one of a branch; nothing if there is none.
  Result<std::optional<Pull>> of_branch(const std::string& repo, const std::string& head_ref);

  // Title, body, labels, base branch, draft, closing and reopening.
  struct Change {
    IssueChange issue;
    std::optional<std::string> base;
    std::optional<bool> draft;
  };
  Result<Pull> change(const std::string& repo, std::int64_t number, const Change& change,
                      const types::Identity& identity);

  // Event pull_request_review: submitted. Nobody approves an own one. Who was asked to review it, has.
  Result<Review> review(const std::string& repo, std::int64_t number, ReviewState state, const std::string& body,
                        const types::Identity& identity);
  Result<std::vector<Review>> reviews(const std::string& repo, std::int64_t number);
  Result<Review> find_review(const std::string& repo, std::int64_t number, std::int64_t id);
  // Event pull_request_review: edited. Its author.
  Result<Review> change_review(const std::string& repo, std::int64_t number, std::int64_t id, const std::string& body,
                               const types::Identity& identity);
  // Takes a verdict back, which then neither counts nor stands in the way. Event pull_request_review: dismissed. Its
  // author, or a person with the role approver or more; a job may dismiss approvals, and what jobs said.
  Result<Review> dismiss_review(const std::string& repo, std::int64_t number, std::int64_t id,
                                const std::string& message, const types::Identity& identity);
  // Asks people to review it, or asks them no more. Events pull_request: review_requested, review_request_removed.
  Result<Pull> request_reviewers(const std::string& repo, std::int64_t number, const std::vector<std::string>& names,
                                 const types::Identity& identity);
  Result<Pull> withdraw_requests(const std::string& repo, std::int64_t number, const std::vector<std::string>& names,
                                 const types::Identity& identity);
  // Those of a repository ("": of all) that are open and no drafts, newest first. One query for all of them.
  Result<std::vector<UnderReview>> under_review(const std::string& repo);

  // Whether the branch's rules let it in now.
  Result<Mergeability> mergeability(const Pull& pull);
  // Puts it onto its base branch, whose push then starts what it starts. `head` (if not "") must be its newest commit.
  // `message` ("": GitHub's own words) is that of the commit; commits that are rebased keep theirs. kFailedPrecondition
  // says what is missing, or which commit cannot be rebased.
  Result<Pull> merge(const std::string& repo, std::int64_t number, MergeMethod method, const std::string& message,
                     const std::string& head, const types::Identity& identity);

  // Branches were pushed: pull requests whose head moved get `synchronize`, those whose base moved a new merge commit,
  // those whose commits are on the base now are merged, those whose branch went are closed.
  Result<void> branches_moved(const std::string& repo, const std::vector<event::RefUpdate>& updates,
                              const types::Identity& identity);
  // Looks at what may have moved unseen; at start, before pushes are accepted.
  Result<void> reconcile(const std::string& repo);

 private:
  Result<void> check_may_open(const io::Git& git, const Pull& pull);
  Result<void> refresh(Pull& pull, const io::Git& git) const;
  Result<void> look_at(Pull pull, const io::Git& git, const types::Identity& identity);
  Result<void> record_state(store::Transaction& tx, const Pull& pull) const;
  Result<void> tell(const Pull& pull, std::vector<Activity> activities, std::string_view type,
                    const types::Identity& identity, const std::function<Result<void>(store::Transaction&)>& write);
  Result<void> tell_review(const Pull& pull, const Review& review, std::string_view action, json::object changes,
                           const types::Identity& identity,
                           const std::function<Result<void>(store::Transaction&)>& write);
  Result<void> close_merged(Pull& pull, const std::string& commit, const types::Identity& identity);

  PullDeps deps_;
  std::mutex mutex_;  // one change of a pull request at a time
};

// Something that happened to a pull request, for workflows at the commit that merges it (at its newest one if it has
// conflicts). Runs of foreign ones are confined.
event::Occurrence occurrence_of(const Pull& pull, std::string_view event, std::string_view action, json::object payload,
                                const types::Identity& identity, const Standing* standing = nullptr);

// github.event.pull_request, without addresses. `author_association` is as of the writing, or as of now where
// `standing` is given.
json::object to_json(const Pull& pull, const Standing* standing = nullptr);
json::object to_json(const Review& review);

// A short name of a branch or a full ref as a full ref.
std::string branch_ref(std::string_view name);

}  // namespace weir::forge
