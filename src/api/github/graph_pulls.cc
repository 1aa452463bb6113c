// Pull requests, their files, commits and reviews.
#include <algorithm>
#include <array>
#include <set>

#include "api/github/commits.h"
#include "api/github/graph.h"
#include "api/github/needs.h"
#include "event/source.h"

namespace weir::api::github {
namespace {

using Pulled = Question<PullNode>;

const forge::Pull& pull_in(const Pulled& question) {
  return question.of.of;
}

// A resolver of what the pull request itself says.
template <class Function>
graphql::Resolver said(const Function& function) {
  return ask<PullNode>(
      [function](const Pulled& question) -> Result<Outcome> { return Outcome(function(pull_in(question))); });
}

std::string_view state_of(const forge::Pull& pull) {
  if (pull.merged_at) return "MERGED";
  return pull.issue.open ? "OPEN" : "CLOSED";
}

std::string_view mergeable(const forge::Pull& pull) {
  if (pull.merged_at || !pull.issue.open) return "UNKNOWN";
  return pull.conflicts.empty() ? "MERGEABLE" : "CONFLICTING";
}

Result<Outcome> commit_or_null(const Pulled& question, const std::string& sha) {
  if (sha.empty()) return Outcome(nullptr);
  const auto call = WEIR_TRY(question.allowed(needs::kReadContents));
  const auto commit = WEIR_TRY(call.git()).commit(sha);
  return commit ? commit_node(call, *commit) : Outcome(nullptr);
}

Result<Outcome> ref_or_null(const Pulled& question, const std::string& name) {
  const auto call = WEIR_TRY(question.allowed(needs::kReadContents));
  const auto refs = WEIR_TRY(WEIR_TRY(call.git()).refs());
  const auto found = refs.find(name);
  return found == refs.end() ? Outcome(nullptr) : ref_node(call, *found);
}

Result<Outcome> lines(const Pulled& question, std::int64_t ChangedFile::* count) {
  std::int64_t sum = 0;
  for (const auto& file : WEIR_TRY(files_of(question.call(), pull_in(question)))) sum += file.*count;
  return Outcome(sum);
}

// What is not forwarded of a repository that follows one of GitHub's must not look as if there were none.
Result<void> refuse_upstream(const Pulled& question, std::string_view what) {
  if (!question.of.shown.contains(kUpstreamId)) return {};
  return fail(Code::kUnimplemented,
              "{} of {} are GitHub's own: of its pull requests weir tells what they are and their comments", what,
              question.call().full_name());
}

Result<Outcome> review_decision(const Pulled& question) {
  WEIR_TRY(refuse_upstream(question, "reviews"));
  const auto& pull = pull_in(question);
  const auto call = question.call();
  std::map<std::string, forge::ReviewState> verdicts;  // the newest of each
  for (const auto& review : WEIR_TRY(call.services().pulls->reviews(call.repo, pull.issue.number))) {
    const bool counts =
        review.state == forge::ReviewState::kApproved || review.state == forge::ReviewState::kChangesRequested;
    if (counts && review.commit == pull.head_sha) verdicts[review.author] = review.state;
  }
  const auto config = call.services().config->of(call.repo);
  const auto* rule = config->branch(event::short_ref(pull.base_ref));
  const auto wanted = rule == nullptr ? 0 : rule->reviews;
  const auto with = [&](forge::ReviewState state) {
    return std::ranges::count_if(verdicts, [&](const auto& one) { return one.second == state; });
  };
  if (with(forge::ReviewState::kChangesRequested) > 0) return Outcome("CHANGES_REQUESTED");
  if (with(forge::ReviewState::kApproved) >= std::max(1, wanted)) return Outcome("APPROVED");
  return wanted > 0 ? Outcome("REVIEW_REQUIRED") : Outcome(nullptr);
}

Result<Outcome> files(const Pulled& question) {
  const auto call = WEIR_TRY(question.allowed(needs::kReadPulls));
  const auto all = WEIR_TRY(files_of(call, pull_in(question)));
  return connect<ChangedFile>(
      "PullRequestChangedFileConnection", "PullRequestChangedFileEdge", question.arguments, "files", all,
      [](const auto& file) { return file.path; },
      [](const auto& file) -> Result<Outcome> { return Outcome(graphql::Object{"PullRequestChangedFile", file}); });
}

Result<Outcome> commits(const Pulled& question) {
  const auto call = WEIR_TRY(question.allowed(needs::kReadPulls));
  const auto all = WEIR_TRY(commits_of(call, pull_in(question)));
  return connect<io::GitCommit>(
      "PullRequestCommitConnection", "PullRequestCommitEdge", question.arguments, "commits", all,
      [](const auto& commit) { return commit.sha; },
      [&](const auto& commit) -> Result<Outcome> {
        return Outcome(
            graphql::Object{"PullRequestCommit", CommitNode{{home_of(call), commit_json(call, commit)}, commit}});
      });
}

// `states` and `author` choose; of `latest` each author's newest verdict.
Result<Outcome> reviews(const Pulled& question, std::string_view field) {
  const auto call = WEIR_TRY(question.allowed(needs::kReadPulls));
  WEIR_TRY(refuse_upstream(question, "reviews"));
  const auto number = pull_in(question).issue.number;
  auto all = WEIR_TRY(call.services().pulls->reviews(call.repo, number));
  if (const auto* states = question.arguments.if_contains("states"); states != nullptr && states->is_array()) {
    std::erase_if(all, [&](const forge::Review& review) {
      return std::ranges::find(states->get_array(), json::value(forge::review_state_name(review.state))) ==
             states->get_array().end();
    });
  }
  if (const auto author = question.text("author"); !author.empty()) {
    std::erase_if(all, [&](const forge::Review& review) { return review.author != author; });
  }
  if (field == "latestReviews") {
    std::set<std::string> seen;
    std::ranges::reverse(all);
    std::erase_if(all, [&](const forge::Review& review) { return !seen.insert(review.author).second; });
    std::ranges::reverse(all);
  }
  return connect<forge::Review>(
      "PullRequestReviewConnection", "PullRequestReviewEdge", question.arguments, field, all,
      [](const auto& review) { return std::to_string(review.id); },
      [&](const auto& review) -> Result<Outcome> { return review_node(call, number, review); });
}

Result<Outcome> requests(const Pulled& question) {
  WEIR_TRY(refuse_upstream(question, "requests for reviews"));
  const auto call = question.call();
  return connect<std::string>(
      "ReviewRequestConnection", "ReviewRequestEdge", question.arguments, "reviewRequests", pull_in(question).requested,
      [](const auto& name) { return name; },
      [&](const auto& name) -> Result<Outcome> {
        return Outcome(graphql::Object{"ReviewRequest", Shown{home_of(call), {{"user", user_json(call, name)}}}});
      });
}

// Issues that the description says it closes: "fixes #7".
std::vector<std::int64_t> closed_by(std::string_view text) {
  static constexpr std::array<std::string_view, 9> kWords{"close", "closes",  "closed",   "fix",     "fixes",
                                                          "fixed", "resolve", "resolves", "resolved"};
  std::string folded(text);
  for (auto& c : folded) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 0x20) : c;
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; };
  std::vector<std::int64_t> numbers;
  for (auto at = folded.find('#'); at != std::string::npos; at = folded.find('#', at + 1)) {
    auto end = at;
    while (end > 0 && (folded[end - 1] == ' ' || folded[end - 1] == ':')) --end;
    auto begin = end;
    while (begin > 0 && is_letter(folded[begin - 1])) --begin;
    if (end == at || std::ranges::find(kWords, folded.substr(begin, end - begin)) == kWords.end()) continue;
    auto digits = at + 1;
    while (digits < folded.size() && folded[digits] >= '0' && folded[digits] <= '9') ++digits;
    const NodeId number{.kind = {}, .home = {}, .key = folded.substr(at + 1, digits - at - 1)};
    if (number.number() > 0 && std::ranges::find(numbers, number.number()) == numbers.end()) {
      numbers.push_back(number.number());
    }
  }
  return numbers;
}

Result<Outcome> closing(const Pulled& question) {
  const auto call = WEIR_TRY(question.allowed(needs::kReadIssues));
  std::vector<forge::Issue> issues;
  for (const auto number : closed_by(pull_in(question).issue.body)) {
    if (issues.size() == 100) break;
    auto issue = call.services().issues->find(call.repo, number);
    if (issue && !issue->is_pull) issues.push_back(*std::move(issue));
  }
  return connect<forge::Issue>(
      "IssueConnection", "IssueEdge", question.arguments, "closingIssuesReferences", issues,
      [](const auto& issue) { return std::to_string(issue.number); },
      [&](const auto& issue) -> Result<Outcome> { return issue_node(call, issue); });
}

void declare_texts(graphql::Schema& schema) {
  for (const auto& [field, shown] : {std::pair{"id: ID!", "node_id"},
                                     {"databaseId: Int", "id"},
                                     {"number: Int!", "number"},
                                     {"title: String!", "title"},
                                     {"body: String!", "body"},
                                     {"bodyText: String!", "body"},
                                     {"url: URI!", "html_url"},
                                     {"permalink: URI!", "html_url"},
                                     {"createdAt: DateTime!", "created_at"},
                                     {"updatedAt: DateTime!", "updated_at"},
                                     {"closedAt: DateTime", "closed_at"},
                                     {"mergedAt: DateTime", "merged_at"},
                                     {"authorAssociation: CommentAuthorAssociation!", "author_association"},
                                     {"locked: Boolean!", "locked"}}) {
    schema.field("PullRequest", field, member<PullNode>(shown));
  }
  schema.field("PullRequest", "author: Actor", actor_member<PullNode>("user"));
  schema.field("PullRequest", "mergedBy: Actor", actor_member<PullNode>("merged_by"));
  schema.field("PullRequest", "state: PullRequestState!", said(state_of));
  schema.field("PullRequest", "mergeable: MergeableState!", said(mergeable));
  schema.field("PullRequest", "isDraft: Boolean!", said([](const auto& pull) { return pull.draft; }));
  schema.field("PullRequest", "merged: Boolean!", said([](const auto& pull) { return pull.merged_at.has_value(); }));
  schema.field("PullRequest", "closed: Boolean!", said([](const auto& pull) { return !pull.issue.open; }));
  schema.field("PullRequest", "isCrossRepository: Boolean!", said([](const auto& pull) { return pull.is_foreign; }));
  schema.field("PullRequest", "baseRefName: String!",
               said([](const auto& pull) { return event::short_ref(pull.base_ref); }));
  schema.field("PullRequest", "headRefName: String!",
               said([](const auto& pull) { return event::short_ref(pull.head_ref); }));
  schema.field("PullRequest", "baseRefOid: GitObjectID!", said([](const auto& pull) { return pull.base_sha; }));
  schema.field("PullRequest", "headRefOid: GitObjectID!", said([](const auto& pull) { return pull.head_sha; }));
}

void declare_places(graphql::Schema& schema) {
  schema.field("PullRequest", "baseRef: Ref",
               ask<PullNode>([](const Pulled& question) { return ref_or_null(question, pull_in(question).base_ref); }));
  schema.field("PullRequest", "headRef: Ref",
               ask<PullNode>([](const Pulled& question) { return ref_or_null(question, pull_in(question).head_ref); }));
  schema.field("PullRequest", "mergeCommit: Commit", ask<PullNode>([](const Pulled& question) {
                 return commit_or_null(question, pull_in(question).merged_sha);
               }));
  schema.field("PullRequest", "potentialMergeCommit: Commit", ask<PullNode>([](const Pulled& question) {
                 const auto& pull = pull_in(question);
                 return commit_or_null(question, pull.merged_at ? std::string() : pull.merge_sha);
               }));
  for (const std::string_view field :
       {"repository: Repository!", "baseRepository: Repository", "headRepository: Repository"}) {
    schema.field("PullRequest", field, ask<PullNode>([](const Pulled& question) -> Result<Outcome> {
                   return repository_node(question.of.home);
                 }));
  }
  schema.field("PullRequest", "headRepositoryOwner: RepositoryOwner",
               ask<PullNode>([](const Pulled& question) -> Result<Outcome> {
                 const json::value owner = user_json(question.call(), question.of.home.owner);
                 return actor(&owner);
               }));
}

void declare_pull(graphql::Schema& schema) {
  schema.enumeration("PullRequestState", {"OPEN", "CLOSED", "MERGED"});
  schema.enumeration("MergeableState", {"MERGEABLE", "CONFLICTING", "UNKNOWN"});
  schema.enumeration("MergeStateStatus",
                     {"DIRTY", "UNKNOWN", "BLOCKED", "BEHIND", "DRAFT", "UNSTABLE", "HAS_HOOKS", "CLEAN"});
  schema.enumeration("PullRequestReviewState", {"PENDING", "COMMENTED", "APPROVED", "CHANGES_REQUESTED", "DISMISSED"});
  schema.enumeration("PullRequestReviewDecision", {"CHANGES_REQUESTED", "APPROVED", "REVIEW_REQUIRED"});
  schema.object("PullRequest", {"Node", "Comment", "Closable", "Labelable", "IssueOrPullRequest", "SearchResultItem"});
  declare_texts(schema);
  declare_places(schema);
  schema.field("PullRequest", "mergeStateStatus: MergeStateStatus!",
               ask<PullNode>([](const Pulled& question) -> Result<Outcome> {
                 auto state = merge_state(question.call(), pull_in(question));
                 for (auto& c : state) c = static_cast<char>(c - 0x20);
                 return Outcome(state);
               }));
  schema.field("PullRequest", "reviewDecision: PullRequestReviewDecision", ask<PullNode>(review_decision));
  schema.field("PullRequest", "additions: Int!",
               ask<PullNode>([](const Pulled& question) { return lines(question, &ChangedFile::additions); }));
  schema.field("PullRequest", "deletions: Int!",
               ask<PullNode>([](const Pulled& question) { return lines(question, &ChangedFile::deletions); }));
  schema.field("PullRequest", "changedFiles: Int!", ask<PullNode>([](const Pulled& question) -> Result<Outcome> {
                 return Outcome(WEIR_TRY(files_of(question.call(), pull_in(question))).size());
               }));
  schema.field("PullRequest", fmt::format("comments({}): IssueCommentConnection!", kPaging),
               ask<PullNode>([](const Pulled& question) -> Result<Outcome> {
                 return comments_connection(WEIR_TRY(question.allowed(needs::kReadIssues)), question.arguments,
                                            pull_in(question).issue.number);
               }));
  schema.field("PullRequest", fmt::format("labels({}): LabelConnection", kPaging),
               ask<PullNode>([](const Pulled& question) {
                 return labels_connection(question.call(), question.arguments, pull_in(question).issue.labels);
               }));
  schema.field("PullRequest", fmt::format("files({}): PullRequestChangedFileConnection", kPaging),
               ask<PullNode>(files));
  schema.field("PullRequest", fmt::format("commits({}): PullRequestCommitConnection!", kPaging),
               ask<PullNode>(commits));
  schema.field(
      "PullRequest",
      fmt::format("reviews({}, states: [PullRequestReviewState!], author: String): PullRequestReviewConnection",
                  kPaging),
      ask<PullNode>([](const Pulled& question) { return reviews(question, "reviews"); }));
  schema.field("PullRequest", fmt::format("latestReviews({}): PullRequestReviewConnection", kPaging),
               ask<PullNode>([](const Pulled& question) { return reviews(question, "latestReviews"); }));
  schema.field("PullRequest", fmt::format("reviewRequests({}): ReviewRequestConnection", kPaging),
               ask<PullNode>(requests));
  schema.field("PullRequest", fmt::format("closingIssuesReferences({}): IssueConnection", kPaging),
               ask<PullNode>(closing));
  schema.field(
      "PullRequest", fmt::format("assignees({}): UserConnection!", kPaging),
      ask<PullNode>([](const Pulled& question) { return people_connection(question.arguments, question.of.shown); }));
  declare_connection(schema, "PullRequest", "PullRequest");
}

std::string_view change_of(const ChangedFile& file) {
  switch (file.status) {
    case 'A': return "ADDED";
    case 'D': return "DELETED";
    case 'R': return "RENAMED";
    case 'C': return "COPIED";
    default: return "MODIFIED";
  }
}

void declare_file(graphql::Schema& schema) {
  schema.enumeration("PatchStatus", {"ADDED", "DELETED", "RENAMED", "COPIED", "MODIFIED", "CHANGED"});
  schema.object("PullRequestChangedFile");
  const auto of_file = [](const auto& function) -> graphql::Resolver {
    return [function](const graphql::Asked& asked) -> Result<Outcome> {
      return Outcome(function(*std::any_cast<ChangedFile>(&asked.self)));
    };
  };
  schema.field("PullRequestChangedFile", "path: String!", of_file([](const auto& file) { return file.path; }));
  schema.field("PullRequestChangedFile", "additions: Int!", of_file([](const auto& file) { return file.additions; }));
  schema.field("PullRequestChangedFile", "deletions: Int!", of_file([](const auto& file) { return file.deletions; }));
  schema.field("PullRequestChangedFile", "changeType: PatchStatus!", of_file(change_of));
  declare_connection(schema, "PullRequestChangedFile", "PullRequestChangedFile");
  schema.object("PullRequestCommit", {"Node"});
  schema.field("PullRequestCommit", "id: ID!", member<CommitNode>("node_id"));
  schema.field("PullRequestCommit", "url: URI!", member<CommitNode>("html_url"));
  schema.field("PullRequestCommit", "commit: Commit!",
               ask<CommitNode>([](const Question<CommitNode>& question) -> Result<Outcome> {
                 return Outcome(graphql::Object{"Commit", question.of});
               }));
  declare_connection(schema, "PullRequestCommit", "PullRequestCommit");
}

void declare_review(graphql::Schema& schema) {
  schema.object("PullRequestReview", {"Node", "Comment"});
  for (const auto& [field, shown] : {std::pair{"id: ID!", "node_id"},
                                     {"databaseId: Int", "id"},
                                     {"body: String!", "body"},
                                     {"state: PullRequestReviewState!", "state"},
                                     {"url: URI!", "html_url"},
                                     {"submittedAt: DateTime", "submitted_at"},
                                     {"createdAt: DateTime!", "submitted_at"},
                                     {"updatedAt: DateTime!", "submitted_at"},
                                     {"authorAssociation: CommentAuthorAssociation!", "author_association"}}) {
    schema.field("PullRequestReview", field, member<ReviewNode>(shown));
  }
  schema.field("PullRequestReview", "author: Actor", actor_member<ReviewNode>("user"));
  schema.field("PullRequestReview", "commit: Commit",
               ask<ReviewNode>([](const Question<ReviewNode>& question) -> Result<Outcome> {
                 const auto call = WEIR_TRY(question.allowed(needs::kReadContents));
                 const auto commit = WEIR_TRY(call.git()).commit(question.of.of.review.commit);
                 return commit ? commit_node(call, *commit) : Outcome(nullptr);
               }));
  schema.field("PullRequestReview", "pullRequest: PullRequest!",
               ask<ReviewNode>([](const Question<ReviewNode>& question) -> Result<Outcome> {
                 const auto call = WEIR_TRY(question.allowed(needs::kReadPulls));
                 return pull_node(call, WEIR_TRY(call.services().pulls->find(call.repo, question.of.of.pull)));
               }));
  declare_connection(schema, "PullRequestReview", "PullRequestReview");
  schema.object("ReviewRequest");
  schema.field("ReviewRequest", "requestedReviewer: RequestedReviewer", actor_member<Shown>("user"));
  declare_connection(schema, "ReviewRequest", "ReviewRequest");
}

}  // namespace

Outcome pull_node(const Call& call, forge::Pull pull) {
  return Outcome(graphql::Object{"PullRequest", PullNode{{home_of(call), pull_json(call, pull)}, std::move(pull)}});
}

Outcome review_node(const Call& call, std::int64_t pull, forge::Review review) {
  auto shown = review_json(call, pull, review);
  return Outcome(graphql::Object{"PullRequestReview",
                                 ReviewNode{{home_of(call), std::move(shown)}, ReviewOfPull{pull, std::move(review)}}});
}

Result<Outcome> pulls_connection(const Call& call, const json::object& arguments, std::string_view field,
                                 const std::vector<forge::Pull>& pulls) {
  return connect<forge::Pull>(
      "PullRequestConnection", "PullRequestEdge", arguments, field, pulls,
      [](const auto& pull) { return std::to_string(pull.issue.number); },
      [&](const auto& pull) -> Result<Outcome> { return pull_node(call, pull); });
}

void declare_pulls(graphql::Schema& schema) {
  declare_pull(schema);
  declare_file(schema);
  declare_review(schema);
}

}  // namespace weir::api::github
