// Comments of a repository that follows one of GitHub's are GitHub's own, as those of the REST API are; and so are the
// pull requests and issues that they are on.
#include <charconv>

#include "api/github/forward.h"
#include "api/github/graph.h"

namespace weir::api::github {
namespace {

constexpr int kPagesMax = 20;  // of 100 comments

std::int64_t number_in(std::string_view url) {
  const auto slash = url.rfind('/');
  return NodeId{.kind = {}, .home = {}, .key = std::string(url.substr(slash == std::string_view::npos ? 0 : slash + 1))}
      .number();
}

TimePoint time_in(const json::value& said, std::string_view member) {
  return parse_iso8601(json_string_or(said, member, "")).value_or(TimePoint{});
}

// What weir's own types need to know, of GitHub's JSON; the rest is shown as it is.
forge::Issue issue_in(const Call& call, const json::value& said) {
  forge::Issue issue{.repo = call.repo,
                     .number = json_int(said, "number").value_or(0),
                     .is_pull = json_find(said, "head") != nullptr,
                     .open = json_string_or(said, "state", "") == "open",
                     .title = json_string_or(said, "title", ""),
                     .body = json_string_or(said, "body", "")};
  if (const auto* user = json_find(said, "user")) issue.author = json_string_or(*user, "login", "");
  if (const auto* labels = json_find(said, "labels"); labels != nullptr && labels->is_array()) {
    for (const auto& label : labels->get_array()) issue.labels.push_back(json_string_or(label, "name", ""));
  }
  issue.created_at = time_in(said, "created_at");
  issue.updated_at = time_in(said, "updated_at");
  return issue;
}

forge::Pull pull_in(const Call& call, const json::value& said) {
  forge::Pull pull{.issue = issue_in(call, said)};
  for (auto [side, ref, sha] :
       {std::tuple{"head", &pull.head_ref, &pull.head_sha}, {"base", &pull.base_ref, &pull.base_sha}}) {
    const auto* there = json_find(said, side);
    if (there == nullptr) continue;
    *ref = "refs/heads/" + json_string_or(*there, "ref", "");
    *sha = json_string_or(*there, "sha", "");
  }
  pull.draft = json_bool_or(said, "draft", false);
  if (json_bool_or(said, "merged", false)) {
    pull.merged_at = time_in(said, "merged_at");
    pull.merged_sha = json_string_or(said, "merge_commit_sha", "");
  } else {
    pull.merge_sha = json_string_or(said, "merge_commit_sha", "");
  }
  return pull;
}

Outcome node_of_comment(const Call& call, json::object said, const std::string& reason) {
  forge::Comment comment{.id = json_int(said, "id").value_or(0),
                         .repo = call.repo,
                         .subject = fmt::format("issue/{}", number_in(json_string_or(said, "issue_url", ""))),
                         .body = json_string_or(said, "body", "")};
  said[kUpstreamId] = json_string_or(said, "node_id", "");
  said[kUpstreamHidden] = reason;
  said["node_id"] = call.node_id("comment", comment.id);
  return Outcome(graphql::Object{"IssueComment", CommentNode{{home_of(call), std::move(said)}, std::move(comment)}});
}

// Why comments are hidden, by GitHub's ids. Where nobody can tell (Gitea has no GraphQL), none is.
std::map<std::string, std::string> hidden_among(const Upstream& upstream, const json::array& comments) {
  json::array ids;
  for (const auto& comment : comments) ids.emplace_back(json_string_or(comment, "node_id", ""));
  std::map<std::string, std::string> reasons;
  const auto said = ask_upstream_graphql(
      upstream, "query($ids: [ID!]!) { nodes(ids: $ids) { ... on IssueComment { id isMinimized minimizedReason } } }",
      {{"ids", std::move(ids)}});
  const auto* nodes = said ? json_find(*said, "nodes") : nullptr;
  if (nodes == nullptr || !nodes->is_array()) return reasons;
  for (const auto& node : nodes->get_array()) {
    if (json_bool_or(node, "isMinimized", false)) {
      reasons[json_string_or(node, "id", "")] = json_string_or(node, "minimizedReason", "hidden");
    }
  }
  return reasons;
}

Result<Outcome> shown_comment(const Call& call, const Upstream& upstream, const json::value& said) {
  if (!said.is_object()) return fail(Code::kUnavailable, "GitHub's answer is no comment");
  const auto reasons = hidden_among(upstream, {said});
  return node_of_comment(call, said.get_object(), reasons.empty() ? "" : reasons.begin()->second);
}

}  // namespace

std::optional<Upstream> followed(const Call& call) {
  return call.parts.upstream ? call.parts.upstream(call.repo) : std::nullopt;
}

Result<Outcome> upstream_comments(const Call& call, const Upstream& upstream, const json::object& arguments,
                                  std::int64_t number) {
  struct Said {
    json::object comment;
    std::string reason;
  };
  std::vector<Said> all;
  for (int page = 1; page <= kPagesMax; ++page) {
    const auto said =
        WEIR_TRY(ask_upstream(upstream, "GET", fmt::format("/issues/{}/comments?per_page=100&page={}", number, page)));
    if (!said.is_array()) return fail(Code::kUnavailable, "GitHub's answer is no list of comments");
    const auto& list = said.get_array();
    const auto reasons = list.empty() ? std::map<std::string, std::string>{} : hidden_among(upstream, list);
    for (const auto& comment : list) {
      if (!comment.is_object()) continue;
      const auto found = reasons.find(json_string_or(comment, "node_id", ""));
      all.push_back({comment.get_object(), found == reasons.end() ? std::string() : found->second});
    }
    if (list.size() < 100) break;
  }
  return connect<Said>(
      "IssueCommentConnection", "IssueCommentEdge", arguments, "comments", all,
      [](const auto& one) { return std::to_string(json_int(one.comment, "id").value_or(0)); },
      [&](const auto& one) -> Result<Outcome> { return node_of_comment(call, one.comment, one.reason); });
}

Result<Outcome> upstream_subject(const Call& call, const Upstream& upstream, std::int64_t number, bool is_pull) {
  auto said = WEIR_TRY(ask_upstream(upstream, "GET", fmt::format("/{}/{}", is_pull ? "pulls" : "issues", number)));
  if (!said.is_object()) return fail(Code::kUnavailable, "GitHub's answer is no issue");
  if (!is_pull && json_find(said, "pull_request") != nullptr) return upstream_subject(call, upstream, number, true);
  auto shown = said.get_object();
  shown["node_id"] = call.node_id(is_pull ? "pull" : "issue", number);
  shown[kUpstreamId] = number;
  if (!is_pull)
    return Outcome(graphql::Object{"Issue", IssueNode{{home_of(call), std::move(shown)}, issue_in(call, said)}});
  return Outcome(graphql::Object{"PullRequest", PullNode{{home_of(call), std::move(shown)}, pull_in(call, said)}});
}

Result<Outcome> upstream_comment(const Call& call, const Upstream& upstream, std::int64_t id) {
  return shown_comment(call, upstream, WEIR_TRY(ask_upstream(upstream, "GET", fmt::format("/issues/comments/{}", id))));
}

Result<Outcome> add_upstream_comment(const Call& call, const Upstream& upstream, std::int64_t number,
                                     const std::string& body) {
  auto said = WEIR_TRY(
      ask_upstream(upstream, "POST", fmt::format("/issues/{}/comments", number), json::object{{"body", body}}));
  if (!said.is_object()) return fail(Code::kUnavailable, "GitHub's answer is no comment");
  return node_of_comment(call, said.get_object(), "");
}

Result<Outcome> change_upstream_comment(const Call& call, const Upstream& upstream, std::int64_t id,
                                        const std::string& body) {
  return shown_comment(
      call, upstream,
      WEIR_TRY(ask_upstream(upstream, "PATCH", fmt::format("/issues/comments/{}", id), json::object{{"body", body}})));
}

Result<void> remove_upstream_comment(const Upstream& upstream, std::int64_t id) {
  WEIR_TRY(ask_upstream(upstream, "DELETE", fmt::format("/issues/comments/{}", id)));
  return {};
}

// By GitHub's own id of the comment, which is asked for first: it is of this repository then.
Result<Outcome> hide_upstream_comment(const Call& call, const Upstream& upstream, std::int64_t id,
                                      const std::string& reason) {
  const auto said = WEIR_TRY(ask_upstream(upstream, "GET", fmt::format("/issues/comments/{}", id)));
  const json::object subject{{"subjectId", json_string_or(said, "node_id", "")}};
  auto input = subject;
  if (!reason.empty()) input["classifier"] = reason;
  const std::string_view mutation =
      reason.empty()
          ? "mutation($input: UnminimizeCommentInput!) { unminimizeComment(input: $input) { clientMutationId } }"
          : "mutation($input: MinimizeCommentInput!) { minimizeComment(input: $input) { clientMutationId } }";
  WEIR_TRY(ask_upstream_graphql(upstream, mutation, {{"input", std::move(input)}}));
  return upstream_comment(call, upstream, id);
}

Result<std::string> upstream_viewer(const Upstream& upstream) {
  const auto said = ask_upstream_graphql(upstream, "{ viewer { login } }", {});
  const auto* viewer = said ? json_find(*said, "viewer") : nullptr;
  if (viewer != nullptr && viewer->is_object()) return json_string_or(*viewer, "login", "");
  // Gitea's, by the API itself.
  const auto user = WEIR_TRY(ask_upstream({upstream_api(upstream), upstream.token}, "GET", "/user"));
  return json_string_or(user, "login", "");
}

}  // namespace weir::api::github
