// Issues, comments wherever they stand, and labels.
#include "api/github/graph.h"
#include "api/github/needs.h"
#include "forge/hidden_comments.h"

namespace weir::api::github {
namespace {

constexpr std::size_t kCommentsMax = 10'000;  // of one issue

std::string_view type_of(const forge::Comment& comment) {
  if (comment.subject.starts_with("commit/")) return "CommitComment";
  return comment.path.empty() ? "IssueComment" : "PullRequestReviewComment";
}

std::int64_t number_of(const forge::Comment& comment) {
  return NodeId{.kind = {}, .home = {}, .key = comment.subject.substr(comment.subject.find('/') + 1)}.number();
}

Result<std::optional<forge::Hidden>> hidden(const Question<CommentNode>& question) {
  if (const auto reason = json_string(question.of.shown, kUpstreamHidden)) {
    return reason->empty() ? std::nullopt : std::optional(forge::Hidden{*reason, {}});
  }
  return forge::HiddenComments(*question.graph.parts().services->db).of(question.of.of.id);
}

Result<Outcome> is_minimized(const Question<CommentNode>& question) {
  return Outcome(WEIR_TRY(hidden(question)).has_value());
}

Result<Outcome> minimized_reason(const Question<CommentNode>& question) {
  const auto found = WEIR_TRY(hidden(question));
  if (!found) return Outcome(nullptr);
  auto reason = found->reason;
  for (auto& c : reason) c = c == '_' ? '-' : c;  // "off-topic", as GitHub gives it
  return Outcome(reason);
}

Result<Outcome> did_author(const Question<CommentNode>& question) {
  const auto own = user_json(question.call(), question.graph.identity().name);
  return Outcome(own.at("login") == question.of.shown.at("user").at("login"));
}

Result<Outcome> issue_of_comment(const Question<CommentNode>& question) {
  const auto call = WEIR_TRY(question.allowed(needs::kReadIssues));
  if (const auto upstream = followed(call)) return upstream_subject(call, *upstream, number_of(question.of.of), false);
  auto issue = WEIR_TRY(call.services().issues->find(call.repo, number_of(question.of.of)));
  // On GitHub every comment has one: a pull request shows the issue that it is.
  return issue_node(call, std::move(issue));
}

Result<Outcome> pull_of_comment(const Question<CommentNode>& question) {
  const auto call = WEIR_TRY(question.allowed(needs::kReadPulls));
  const auto number = number_of(question.of.of);
  if (const auto upstream = followed(call)) return upstream_subject(call, *upstream, number, true);
  if (number == 0 || !WEIR_TRY(call.services().issues->find(call.repo, number)).is_pull) return Outcome(nullptr);
  return pull_node(call, WEIR_TRY(call.services().pulls->find(call.repo, number)));
}

template <class T>
Result<Outcome> repository(const Question<T>& question) {
  return repository_node(question.of.home);
}

void declare_comment(graphql::Schema& schema, std::string_view name) {
  schema.object(name, {"Node", "Comment", "Minimizable"});
  schema.field(name, "id: ID!", member<CommentNode>("node_id"));
  schema.field(name, "databaseId: Int", member<CommentNode>("id"));
  schema.field(name, "fullDatabaseId: Int", member<CommentNode>("id"));
  schema.field(name, "body: String!", member<CommentNode>("body"));
  schema.field(name, "bodyText: String!", member<CommentNode>("body"));
  schema.field(name, "author: Actor", actor_member<CommentNode>("user"));
  schema.field(name, "authorAssociation: CommentAuthorAssociation!", member<CommentNode>("author_association"));
  schema.field(name, "createdAt: DateTime!", member<CommentNode>("created_at"));
  schema.field(name, "publishedAt: DateTime", member<CommentNode>("created_at"));
  schema.field(name, "updatedAt: DateTime!", member<CommentNode>("updated_at"));
  schema.field(name, "url: URI!", member<CommentNode>("html_url"));
  schema.field(name, "isMinimized: Boolean!", ask<CommentNode>(is_minimized));
  schema.field(name, "minimizedReason: String", ask<CommentNode>(minimized_reason));
  schema.field(name, "viewerDidAuthor: Boolean!", ask<CommentNode>(did_author));
  schema.field(name, "repository: Repository!", ask<CommentNode>(repository<CommentNode>));
}

void declare_comments(graphql::Schema& schema) {
  schema.interface("Comment",
                   {"id: ID!", "body: String!", "author: Actor", "createdAt: DateTime!", "updatedAt: DateTime!"});
  schema.interface("Minimizable", {"isMinimized: Boolean!", "minimizedReason: String"});
  for (const std::string_view name : {"IssueComment", "PullRequestReviewComment", "CommitComment"}) {
    declare_comment(schema, name);
  }
  schema.field("IssueComment", "issue: Issue!", ask<CommentNode>(issue_of_comment));
  schema.field("IssueComment", "pullRequest: PullRequest", ask<CommentNode>(pull_of_comment));
  schema.field("PullRequestReviewComment", "pullRequest: PullRequest", ask<CommentNode>(pull_of_comment));
  for (const std::string_view name : {"PullRequestReviewComment", "CommitComment"}) {
    schema.field(name, "path: String", member<CommentNode>("path"));
    schema.field(name, "line: Int", member<CommentNode>("line"));
  }
  declare_connection(schema, "IssueComment", "IssueComment");
}

Result<Outcome> issue_comments_of(const Question<IssueNode>& question) {
  return comments_connection(WEIR_TRY(question.allowed(needs::kReadIssues)), question.arguments, question.of.of.number);
}

Result<Outcome> issue_labels(const Question<IssueNode>& question) {
  return labels_connection(question.call(), question.arguments, question.of.of.labels);
}

Result<Outcome> is_closed(const Question<IssueNode>& question) {
  return Outcome(!question.of.of.open);
}

Result<Outcome> state_reason(const Question<IssueNode>& question) {
  return question.of.of.open ? Outcome(nullptr) : Outcome("COMPLETED");
}

void declare_issue(graphql::Schema& schema) {
  schema.interface("Closable", {"closed: Boolean!", "closedAt: DateTime"});
  schema.interface("Labelable", {fmt::format("labels({}): LabelConnection", kPaging)});
  schema.union_of("IssueOrPullRequest");
  schema.union_of("SearchResultItem");
  schema.enumeration("IssueState", {"OPEN", "CLOSED"});
  schema.enumeration("IssueStateReason", {"REOPENED", "NOT_PLANNED", "COMPLETED", "DUPLICATE"});
  schema.object("Issue", {"Node", "Comment", "Closable", "Labelable", "IssueOrPullRequest", "SearchResultItem"});
  schema.field("Issue", "id: ID!", member<IssueNode>("node_id"));
  schema.field("Issue", "databaseId: Int", member<IssueNode>("id"));
  for (const auto& [field, shown] : {std::pair{"number: Int!", "number"},
                                     {"title: String!", "title"},
                                     {"body: String!", "body"},
                                     {"bodyText: String!", "body"},
                                     {"url: URI!", "html_url"},
                                     {"createdAt: DateTime!", "created_at"},
                                     {"updatedAt: DateTime!", "updated_at"},
                                     {"closedAt: DateTime", "closed_at"},
                                     {"authorAssociation: CommentAuthorAssociation!", "author_association"},
                                     {"locked: Boolean!", "locked"}}) {
    schema.field("Issue", field, member<IssueNode>(shown));
  }
  schema.field("Issue", "state: IssueState!", capitals<IssueNode>("state"));
  schema.field("Issue", "stateReason: IssueStateReason", ask<IssueNode>(state_reason));
  schema.field("Issue", "closed: Boolean!", ask<IssueNode>(is_closed));
  schema.field("Issue", "author: Actor", actor_member<IssueNode>("user"));
  schema.field("Issue", "repository: Repository!", ask<IssueNode>(repository<IssueNode>));
  schema.field("Issue", fmt::format("comments({}): IssueCommentConnection!", kPaging),
               ask<IssueNode>(issue_comments_of));
  schema.field("Issue", fmt::format("labels({}): LabelConnection", kPaging), ask<IssueNode>(issue_labels));
  schema.field("Issue", fmt::format("assignees({}): UserConnection!", kPaging),
               ask<IssueNode>([](const Question<IssueNode>& question) {
                 return people_connection(question.arguments, question.of.shown);
               }));
  declare_connection(schema, "Issue", "Issue");
}

void declare_labels(graphql::Schema& schema) {
  schema.object("Label", {"Node"});
  schema.field("Label", "id: ID!", member<Shown>("node_id"));
  schema.field("Label", "name: String!", member<Shown>("name"));
  schema.field("Label", "color: String!", member<Shown>("color"));
  schema.field("Label", "description: String", member<Shown>("description"));
  schema.field("Label", "url: URI!", member<Shown>("url"));
  schema.field("Label", "isDefault: Boolean!", member<Shown>("default"));
  declare_connection(schema, "Label", "Label");
}

}  // namespace

Outcome issue_node(const Call& call, forge::Issue issue) {
  return Outcome(graphql::Object{"Issue", IssueNode{{home_of(call), issue_json(call, issue)}, std::move(issue)}});
}

Outcome comment_node(const Call& call, forge::Comment comment) {
  const auto type = type_of(comment);
  return Outcome(graphql::Object{type, CommentNode{{home_of(call), comment_json(call, comment)}, std::move(comment)}});
}

Outcome label_node(const Call& call, const forge::Label& label) {
  return Outcome(graphql::Object{"Label", Shown{home_of(call), label_json(call, label)}});
}

Result<Outcome> labels_connection(const Call& call, const json::object& arguments,
                                  const std::vector<std::string>& names) {
  const auto labels = WEIR_TRY(call.parts.labels->of(call.repo, names));
  return connect<forge::Label>(
      "LabelConnection", "LabelEdge", arguments, "labels", labels, [](const auto& label) { return label.name; },
      [&](const auto& label) -> Result<Outcome> { return label_node(call, label); });
}

Result<Outcome> comments_connection(const Call& call, const json::object& arguments, std::int64_t number) {
  if (const auto upstream = followed(call)) return upstream_comments(call, *upstream, arguments, number);
  const auto comments = WEIR_TRY(issue_comments(call, number, {}, kCommentsMax));
  return connect<forge::Comment>(
      "IssueCommentConnection", "IssueCommentEdge", arguments, "comments", comments,
      [](const auto& comment) { return std::to_string(comment.id); },
      [&](const auto& comment) -> Result<Outcome> { return comment_node(call, comment); });
}

void declare_discussion(graphql::Schema& schema) {
  declare_comments(schema);
  declare_issue(schema);
  declare_labels(schema);
}

}  // namespace weir::api::github
