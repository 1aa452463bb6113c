// Changes: each needs what its REST route needs, and is made by what that calls.
#include <algorithm>

#include "api/github/graph.h"
#include "api/github/needs.h"
#include "forge/hidden_comments.h"
#include "forge/reactions.h"

namespace weir::api::github {
namespace {

// What a mutation answers, by name.
using Payload = std::map<std::string, Outcome, std::less<>>;
using Change = Result<Payload> (*)(Graph&, const json::object&);

std::string capital(std::string_view name) {
  std::string made(name);
  made.front() = static_cast<char>(made.front() - 0x20);
  return made;
}

void declare(graphql::Schema& schema, std::string_view name, std::vector<std::string_view> input,
             std::vector<std::string_view> payload, Change change) {
  const auto input_type = capital(name) + "Input";
  const auto payload_type = capital(name) + "Payload";
  input.emplace_back("clientMutationId: String");
  payload.emplace_back("clientMutationId: String");
  schema.input(input_type, input);
  schema.object(payload_type);
  for (const auto field : payload) {
    schema.field(
        payload_type, field,
        [name = std::string(field.substr(0, field.find(':')))](const graphql::Asked& asked) -> Result<Outcome> {
          const auto& made = *std::any_cast<Payload>(&asked.self);
          const auto found = made.find(name);
          return found == made.end() ? Outcome(nullptr) : found->second;
        });
  }
  const auto resolve = [change, payload_type](const graphql::Asked& asked) -> Result<Outcome> {
    const auto& given = asked.arguments.at("input").as_object();
    auto made = WEIR_TRY(change(*static_cast<Graph*>(asked.context), given));
    if (const auto id = json_string(given, "clientMutationId")) made.emplace("clientMutationId", Outcome(*id));
    return Outcome(graphql::Object{graph_schema().find(payload_type)->name, std::move(made)});
  };
  schema.field("Mutation", fmt::format("{}(input: {}!): {}", name, input_type, payload_type), resolve);
}

// What a mutation is about: of one of these kinds, in a call that `need` allows.
Result<NodeId> named(const json::object& input, std::string_view member,
                     std::initializer_list<std::string_view> kinds) {
  const auto id = json_string_or(input, member, "");
  auto read = WEIR_TRY(read_node_id(id));
  if (std::ranges::find(kinds, read.kind) != kinds.end()) return read;
  return fail(Code::kNotFound, "Could not resolve to a node with the global id of '{}': {} must name a {}",
              id.substr(0, 200), member, fmt::join(kinds, " or "));
}

// ---- comments

Need need_of(const forge::Comment& comment) {
  if (comment.subject.starts_with("commit/")) return needs::kCommentCommits;
  return comment.path.empty() ? needs::kWriteIssues : needs::kWritePulls;
}

struct Said {
  Call call;
  forge::Comment comment;  // of one at GitHub only the id
  std::optional<Upstream> upstream;
};

// A comment that the caller may write where it stands. What may be done to it is for what does it.
Result<Said> comment_in(Graph& graph, const json::object& input, std::string_view member) {
  const auto id = WEIR_TRY(named(input, member, {"comment"}));
  const auto call = WEIR_TRY(graph.allowed(id.home, needs::kSeeRepository));
  if (auto upstream = followed(call)) {
    return Said{WEIR_TRY(graph.allowed(id.home, needs::kWriteIssues)), {.id = id.number()}, std::move(upstream)};
  }
  auto comment = WEIR_TRY(call.services().issues->find_comment(call.repo, id.number()));
  return Said{WEIR_TRY(graph.allowed(id.home, need_of(comment))), std::move(comment), {}};
}

// Of a repository that follows one of GitHub's, a number means GitHub's pull request, not weir's.
Result<void> refuse_upstream(const Call& call) {
  if (!followed(call)) return {};
  return fail(Code::kUnimplemented, "issues and pull requests of {} are GitHub's own: weir changes only their comments",
              call.full_name());
}

Result<forge::Issue> subject_in(const Call& call, const NodeId& id) {
  WEIR_TRY(refuse_upstream(call));
  auto issue = WEIR_TRY(call.services().issues->find(call.repo, id.number()));
  if (issue.is_pull == (id.kind == "pull")) return issue;
  return fail(Code::kNotFound, "Could not resolve to a node with the global id of '{}'", call.node_id(id.kind, id.key));
}

Result<Outcome> subject_node(const Call& call, forge::Issue issue) {
  if (!issue.is_pull) return issue_node(call, std::move(issue));
  return pull_node(call, WEIR_TRY(call.services().pulls->find(call.repo, issue.number)));
}

Result<Payload> add_comment(Graph& graph, const json::object& input) {
  const auto id = WEIR_TRY(named(input, "subjectId", {"issue", "pull"}));
  const auto call = WEIR_TRY(graph.allowed(id.home, needs::kWriteIssues));
  if (const auto upstream = followed(call)) {
    Payload made;
    made.emplace("subject", WEIR_TRY(upstream_subject(call, *upstream, id.number(), id.kind == "pull")));
    made.emplace(
        "commentEdge",
        edge_node("IssueCommentEdge",
                  WEIR_TRY(add_upstream_comment(call, *upstream, id.number(), json_string_or(input, "body", ""))), ""));
    return made;
  }
  const auto issue = WEIR_TRY(subject_in(call, id));
  const auto comment = WEIR_TRY(call.services().issues->comment(
      {.repo = call.repo, .subject = fmt::format("issue/{}", issue.number), .body = json_string_or(input, "body", "")},
      graph.identity()));
  // The edge as the connection of comments has it.
  const auto all = WEIR_TRY(comments_connection(call, {{"last", 1}}, issue.number));
  const auto& page = *std::any_cast<Connection>(&std::get<graphql::Object>(all.value).value);
  Payload made;
  made.emplace("subject", WEIR_TRY(subject_node(call, issue)));
  made.emplace("commentEdge", edge_node("IssueCommentEdge", comment_node(call, comment),
                                        page.cursors.empty() ? std::string() : page.cursors.back()));
  return made;
}

Result<Payload> update_comment(Graph& graph, const json::object& input) {
  const auto said = WEIR_TRY(comment_in(graph, input, "id"));
  if (said.upstream) {
    Payload made;
    made.emplace("issueComment", WEIR_TRY(change_upstream_comment(said.call, *said.upstream, said.comment.id,
                                                                  json_string_or(input, "body", ""))));
    return made;
  }
  auto changed = WEIR_TRY(said.call.services().issues->change_comment(
      said.call.repo, said.comment.id, json_string_or(input, "body", ""), graph.identity()));
  const std::string member = said.comment.path.empty() ? "issueComment" : "pullRequestReviewComment";
  Payload made;
  made.emplace(member, comment_node(said.call, std::move(changed)));
  return made;
}

Result<Payload> delete_comment(Graph& graph, const json::object& input) {
  const auto said = WEIR_TRY(comment_in(graph, input, "id"));
  if (said.upstream) {
    WEIR_TRY(remove_upstream_comment(*said.upstream, said.comment.id));
    return Payload{};
  }
  WEIR_TRY(said.call.services().issues->remove_comment(said.call.repo, said.comment.id, graph.identity()));
  return Payload{};
}

Result<Payload> minimize(Graph& graph, const json::object& input) {
  const auto said = WEIR_TRY(comment_in(graph, input, "subjectId"));
  auto reason = json_string_or(input, "classifier", "");
  if (said.upstream) {
    Payload made;
    made.emplace("minimizedComment",
                 WEIR_TRY(hide_upstream_comment(said.call, *said.upstream, said.comment.id, reason)));
    return made;
  }
  WEIR_TRY(may_change(said.call, said.comment.author));
  for (auto& c : reason) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 0x20) : c;
  WEIR_TRY(forge::HiddenComments(*said.call.services().db).hide(said.comment.id, reason, graph.identity()));
  Payload made;
  made.emplace("minimizedComment", comment_node(said.call, said.comment));
  return made;
}

Result<Payload> unminimize(Graph& graph, const json::object& input) {
  const auto said = WEIR_TRY(comment_in(graph, input, "subjectId"));
  if (said.upstream) {
    Payload made;
    made.emplace("unminimizedComment", WEIR_TRY(hide_upstream_comment(said.call, *said.upstream, said.comment.id, "")));
    return made;
  }
  WEIR_TRY(may_change(said.call, said.comment.author));
  WEIR_TRY(forge::HiddenComments(*said.call.services().db).show(said.comment.id, graph.identity()));
  Payload made;
  made.emplace("unminimizedComment", comment_node(said.call, said.comment));
  return made;
}

void declare_comment_changes(graphql::Schema& schema) {
  schema.enumeration("ReportedContentClassifiers", {"SPAM", "ABUSE", "OFF_TOPIC", "OUTDATED", "DUPLICATE", "RESOLVED"});
  declare(schema, "addComment", {"subjectId: ID!", "body: String!"}, {"commentEdge: IssueCommentEdge", "subject: Node"},
          add_comment);
  declare(schema, "updateIssueComment", {"id: ID!", "body: String!"}, {"issueComment: IssueComment"}, update_comment);
  declare(schema, "deleteIssueComment", {"id: ID!"}, {}, delete_comment);
  declare(schema, "deletePullRequestReviewComment", {"id: ID!"}, {}, delete_comment);
  declare(schema, "minimizeComment", {"subjectId: ID!", "classifier: ReportedContentClassifiers!"},
          {"minimizedComment: Minimizable"}, minimize);
  declare(schema, "unminimizeComment", {"subjectId: ID!"}, {"unminimizedComment: Minimizable"}, unminimize);
}

// ---- issues and pull requests

struct Subject {
  Call call;
  forge::Issue issue;
};

// An issue or pull request that the caller may change.
Result<Subject> subject(Graph& graph, const json::object& input, std::string_view member,
                        std::initializer_list<std::string_view> kinds) {
  const auto id = WEIR_TRY(named(input, member, kinds));
  auto call = WEIR_TRY(
      graph.allowed(id.home, id.kind == "pull" && kinds.size() == 1 ? needs::kWritePulls : needs::kWriteIssues));
  auto issue = WEIR_TRY(subject_in(call, id));
  WEIR_TRY(may_change(call, issue.author));
  return Subject{std::move(call), std::move(issue)};
}

// The names of labels by their ids, which must be of the same repository.
Result<std::vector<std::string>> label_names(const Call& call, const json::object& input) {
  std::vector<std::string> names;
  const auto* ids = input.if_contains("labelIds");
  if (ids == nullptr || !ids->is_array()) return names;
  for (const auto& one : ids->get_array()) {
    const auto id = WEIR_TRY(read_node_id(one.get_string()));
    if (id.kind != "label" || id.home.repo != call.repo) {
      return fail(Code::kNotFound, "Could not resolve to a node with the global id of '{}': it is no label of {}",
                  std::string_view(one.get_string()).substr(0, 200), call.full_name());
    }
    names.push_back(WEIR_TRY(call.parts.labels->find(call.repo, id.key)).name);
  }
  return names;
}

Result<Payload> changed(const Subject& of, const forge::IssueChange& change, std::string member) {
  Payload made;
  made.emplace(std::move(member), WEIR_TRY(subject_node(of.call, WEIR_TRY(change_issue(of.call, of.issue, change)))));
  return made;
}

Result<Payload> add_labels(Graph& graph, const json::object& input) {
  const auto of = WEIR_TRY(subject(graph, input, "labelableId", {"issue", "pull"}));
  auto labels = of.issue.labels;
  for (auto& name : WEIR_TRY(label_names(of.call, input))) {
    if (std::ranges::find(labels, name) == labels.end()) labels.push_back(std::move(name));
  }
  return changed(of, {.title = {}, .body = {}, .open = {}, .labels = labels}, "labelable");
}

Result<Payload> remove_labels(Graph& graph, const json::object& input) {
  const auto of = WEIR_TRY(subject(graph, input, "labelableId", {"issue", "pull"}));
  auto labels = of.issue.labels;
  for (const auto& name : WEIR_TRY(label_names(of.call, input))) std::erase(labels, name);
  return changed(of, {.title = {}, .body = {}, .open = {}, .labels = labels}, "labelable");
}

Result<Payload> clear_labels(Graph& graph, const json::object& input) {
  const auto of = WEIR_TRY(subject(graph, input, "labelableId", {"issue", "pull"}));
  return changed(of, {.title = {}, .body = {}, .open = {}, .labels = std::vector<std::string>{}}, "labelable");
}

template <bool kOpen>
Result<Payload> move_issue(Graph& graph, const json::object& input) {
  return changed(WEIR_TRY(subject(graph, input, "issueId", {"issue"})),
                 {.title = {}, .body = {}, .open = kOpen, .labels = {}}, "issue");
}

template <bool kOpen>
Result<Payload> move_pull(Graph& graph, const json::object& input) {
  return changed(WEIR_TRY(subject(graph, input, "pullRequestId", {"pull"})),
                 {.title = {}, .body = {}, .open = kOpen, .labels = {}}, "pullRequest");
}

Result<forge::IssueChange> change_in(const Call& call, const json::object& input) {
  forge::IssueChange change;
  change.title = json_string(input, "title");
  change.body = json_string(input, "body");
  if (const auto state = json_string(input, "state")) change.open = *state == "OPEN";
  if (const auto* ids = input.if_contains("labelIds"); ids != nullptr && ids->is_array()) {
    change.labels = WEIR_TRY(label_names(call, input));
  }
  return change;
}

Result<Payload> update_issue(Graph& graph, const json::object& input) {
  const auto of = WEIR_TRY(subject(graph, input, "id", {"issue"}));
  return changed(of, WEIR_TRY(change_in(of.call, input)), "issue");
}

Result<Payload> create_issue(Graph& graph, const json::object& input) {
  const auto id = WEIR_TRY(named(input, "repositoryId", {"repository"}));
  const auto call = WEIR_TRY(graph.allowed(id.home, needs::kOpenIssues));
  auto issue = WEIR_TRY(call.services().issues->open(call.repo, json_string_or(input, "title", ""),
                                                     json_string_or(input, "body", ""),
                                                     WEIR_TRY(label_names(call, input)), graph.identity()));
  Payload made;
  made.emplace("issue", issue_node(call, std::move(issue)));
  return made;
}

Result<Payload> change_pull(const Subject& of, const forge::Pulls::Change& change) {
  Payload made;
  made.emplace("pullRequest", pull_node(of.call, WEIR_TRY(of.call.services().pulls->change(
                                                     of.call.repo, of.issue.number, change, of.call.identity()))));
  return made;
}

Result<Payload> update_pull(Graph& graph, const json::object& input) {
  const auto of = WEIR_TRY(subject(graph, input, "pullRequestId", {"pull"}));
  forge::Pulls::Change change;
  change.issue = WEIR_TRY(change_in(of.call, input));
  change.base = json_string(input, "baseRefName");
  return change_pull(of, change);
}

template <bool kDraft>
Result<Payload> draft_pull(Graph& graph, const json::object& input) {
  forge::Pulls::Change change;
  change.draft = kDraft;
  return change_pull(WEIR_TRY(subject(graph, input, "pullRequestId", {"pull"})), change);
}

Result<Payload> merge(Graph& graph, const json::object& input) {
  const auto id = WEIR_TRY(named(input, "pullRequestId", {"pull"}));
  const auto call = WEIR_TRY(graph.allowed(id.home, needs::kWriteContents));
  WEIR_TRY(refuse_upstream(call));
  const auto pull = WEIR_TRY(call.services().pulls->find(call.repo, id.number()));
  MergeWish wish{.method = json_string_or(input, "mergeMethod", "MERGE"),
                 .title = json_string_or(input, "commitHeadline", ""),
                 .text = json_string_or(input, "commitBody", ""),
                 .head = json_string_or(input, "expectedHeadOid", "")};
  for (auto& c : wish.method) c = static_cast<char>(c + 0x20);
  if (!wish.head.empty() && wish.head != pull.head_sha) {
    return fail(Code::kFailedPrecondition, "Head branch was modified. Review and try the merge again.");
  }
  Payload made;
  made.emplace("pullRequest", pull_node(call, WEIR_TRY(merge_pull(call, pull, wish))));
  return made;
}

Result<Payload> create_commit(Graph& graph, const json::object& input) {
  const auto commit = WEIR_TRY(commit_on_branch(graph, input));
  const auto& made = *std::any_cast<CommitNode>(&std::get<graphql::Object>(commit.value).value);
  const auto& branch = input.at("branch").as_object();
  Payload payload;
  payload.emplace("commit", commit);
  auto ref = json_string(branch, "id") ? WEIR_TRY(read_node_id(*json_string(branch, "id"))).key
                                       : forge::branch_ref(json_string_or(branch, "branchName", ""));
  payload.emplace("ref", ref_node(graph.call(made.home), {std::move(ref), made.of.sha}));
  return payload;
}

Result<Payload> no_auto_merge(Graph&, const json::object&) {
  return fail(Code::kUnimplemented,
              "weir has no auto-merge: merge it once its checks have passed (mergePullRequest, `weir pr merge`)");
}

Result<Payload> no_projects(Graph&, const json::object&) {
  return fail(Code::kUnimplemented, "weir has no projects: issues and pull requests can be put into none");
}

Result<Payload> react(Graph& graph, const json::object& input) {
  static const std::map<std::string, std::string> kSigns{
      {"THUMBS_UP", "+1"},      {"THUMBS_DOWN", "-1"}, {"LAUGH", "laugh"},   {"HOORAY", "hooray"},
      {"CONFUSED", "confused"}, {"HEART", "heart"},    {"ROCKET", "rocket"}, {"EYES", "eyes"}};
  const auto id = WEIR_TRY(named(input, "subjectId", {"issue", "pull", "comment"}));
  const auto sign = kSigns.at(json_string_or(input, "content", ""));
  if (id.kind == "comment") {
    const auto said = WEIR_TRY(comment_in(graph, input, "subjectId"));
    WEIR_TRY(refuse_upstream(said.call));
    WEIR_TRY(said.call.parts.reactions->add(said.call.repo, fmt::format("comment/{}", said.comment.id), sign,
                                            graph.identity()));
    return Payload{};
  }
  const auto call = WEIR_TRY(graph.allowed(id.home, needs::kWriteIssues));
  const auto issue = WEIR_TRY(subject_in(call, id));
  WEIR_TRY(call.parts.reactions->add(call.repo, fmt::format("issue/{}", issue.number), sign, graph.identity()));
  return Payload{};
}

void declare_subject_changes(graphql::Schema& schema) {
  const std::vector<std::string_view> labels{"labelableId: ID!", "labelIds: [ID!]!"};
  declare(schema, "addLabelsToLabelable", labels, {"labelable: Labelable"}, add_labels);
  declare(schema, "removeLabelsFromLabelable", labels, {"labelable: Labelable"}, remove_labels);
  declare(schema, "clearLabelsFromLabelable", {"labelableId: ID!"}, {"labelable: Labelable"}, clear_labels);
  declare(schema, "createIssue", {"repositoryId: ID!", "title: String!", "body: String", "labelIds: [ID!]"},
          {"issue: Issue"}, create_issue);
  declare(schema, "updateIssue", {"id: ID!", "title: String", "body: String", "state: IssueState", "labelIds: [ID!]"},
          {"issue: Issue"}, update_issue);
  declare(schema, "closeIssue", {"issueId: ID!", "stateReason: IssueStateReason"}, {"issue: Issue"}, move_issue<false>);
  declare(schema, "reopenIssue", {"issueId: ID!"}, {"issue: Issue"}, move_issue<true>);
  schema.enumeration("ReactionContent",
                     {"THUMBS_UP", "THUMBS_DOWN", "LAUGH", "HOORAY", "CONFUSED", "HEART", "ROCKET", "EYES"});
  declare(schema, "addReaction", {"subjectId: ID!", "content: ReactionContent!"}, {}, react);
}

void declare_pull_changes(graphql::Schema& schema) {
  schema.enumeration("PullRequestUpdateState", {"OPEN", "CLOSED"});
  schema.enumeration("PullRequestMergeMethod", {"MERGE", "SQUASH", "REBASE"});
  const std::vector<std::string_view> gives{"pullRequest: PullRequest"};
  declare(schema, "updatePullRequest",
          {"pullRequestId: ID!", "title: String", "body: String", "baseRefName: String",
           "state: PullRequestUpdateState", "labelIds: [ID!]"},
          gives, update_pull);
  declare(schema, "closePullRequest", {"pullRequestId: ID!"}, gives, move_pull<false>);
  declare(schema, "reopenPullRequest", {"pullRequestId: ID!"}, gives, move_pull<true>);
  declare(schema, "markPullRequestReadyForReview", {"pullRequestId: ID!"}, gives, draft_pull<false>);
  declare(schema, "convertPullRequestToDraft", {"pullRequestId: ID!"}, gives, draft_pull<true>);
  const std::vector<std::string_view> wishes{"pullRequestId: ID!",
                                             "commitHeadline: String",
                                             "commitBody: String",
                                             "expectedHeadOid: GitObjectID",
                                             "mergeMethod: PullRequestMergeMethod",
                                             "authorEmail: String"};
  declare(schema, "mergePullRequest", wishes, gives, merge);
  declare(schema, "enablePullRequestAutoMerge", wishes, gives, no_auto_merge);
  declare(schema, "disablePullRequestAutoMerge", {"pullRequestId: ID!"}, gives, no_auto_merge);
  schema.input("CommittableBranch", {"id: ID", "repositoryNameWithOwner: String", "branchName: String"});
  schema.input("CommitMessage", {"headline: String!", "body: String"});
  schema.input("FileAddition", {"path: String!", "contents: Base64String!"});
  schema.input("FileDeletion", {"path: String!"});
  schema.input("FileChanges", {"additions: [FileAddition!]", "deletions: [FileDeletion!]"});
  declare(schema, "createCommitOnBranch",
          {"branch: CommittableBranch!", "message: CommitMessage!", "expectedHeadOid: GitObjectID!",
           "fileChanges: FileChanges"},
          {"commit: Commit", "ref: Ref"}, create_commit);
  schema.object("ProjectV2Item", {"Node"});
  schema.field("ProjectV2Item", "id: ID!", member<Shown>("node_id"));
  declare(schema, "addProjectV2ItemById", {"projectId: ID!", "contentId: ID!"}, {"item: ProjectV2Item"}, no_projects);
  declare(schema, "addProjectV2DraftIssue", {"projectId: ID!", "title: String!", "body: String"},
          {"projectItem: ProjectV2Item"}, no_projects);
}

}  // namespace

void declare_mutations(graphql::Schema& schema) {
  schema.object("Mutation");
  declare_comment_changes(schema);
  declare_subject_changes(schema);
  declare_pull_changes(schema);
}

}  // namespace weir::api::github
