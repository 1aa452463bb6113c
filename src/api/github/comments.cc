// Comments, wherever they stand: on an issue or pull request, on a line of a pull request's change, on a commit.
#include "api/github/needs.h"

namespace weir::api::github {
namespace {

enum class Place : std::uint8_t { kIssue, kLine, kCommit };

Place place_of(const forge::Comment& comment) {
  if (comment.subject.starts_with("commit/")) return Place::kCommit;
  return comment.path.empty() ? Place::kIssue : Place::kLine;
}

// GitHub has an address for each place; a comment answers at its own only.
template <Place kPlace>
Result<forge::Comment> comment_of(const Call& call) {
  auto comment = WEIR_TRY(call.services().issues->find_comment(call.repo, WEIR_TRY(call.number("id"))));
  if (place_of(comment) != kPlace) return fail(Code::kNotFound, "there is no comment {} here", comment.id);
  return comment;
}

template <Place kPlace>
Result<io::HttpResponse> get_comment(Call& call) {
  return io::json_response(200, comment_json(call, WEIR_TRY(comment_of<kPlace>(call))));
}

template <Place kPlace>
Result<io::HttpResponse> change_comment(Call& call) {
  const auto before = WEIR_TRY(comment_of<kPlace>(call));
  const auto body = WEIR_TRY(json_require_string(call.body, "body"));
  return io::json_response(200, comment_json(call, WEIR_TRY(call.services().issues->change_comment(
                                                       call.repo, before.id, body, call.identity()))));
}

template <Place kPlace>
Result<io::HttpResponse> delete_comment(Call& call) {
  const auto before = WEIR_TRY(comment_of<kPlace>(call));
  WEIR_TRY(call.services().issues->remove_comment(call.repo, before.id, call.identity()));
  return io::text_response(204, "");
}

template <Place kPlace>
void add_routes(Routes& routes, std::string_view pattern, const Need& reads, const Need& writes) {
  routes.repo("GET", pattern, reads, get_comment<kPlace>);
  routes.repo("PATCH", pattern, writes, change_comment<kPlace>);
  routes.repo("DELETE", pattern, writes, delete_comment<kPlace>);
}

}  // namespace

json::object comment_json(const Call& call, const forge::Comment& comment) {
  auto object = forge::to_json(comment, call.services().issues->standing());
  object["node_id"] = call.node_id("comment", comment.id);
  object["user"] = user_json(call, comment.author);
  const auto slash = comment.subject.find('/');
  const auto on = comment.subject.substr(slash + 1);
  if (comment.subject.starts_with("commit/")) {
    object["url"] = call.api_url(fmt::format("/comments/{}", comment.id));
    object["html_url"] = object["url"];  // the dashboard has no page of commits
    object["commit_id"] = on;
    object["position"] = nullptr;
    return object;
  }
  object["issue_url"] = call.api_url(fmt::format("/issues/{}", on));
  object["html_url"] = call.page_url(fmt::format("/pulls/{}/{}", comment.repo, on));
  if (comment.path.empty()) {
    object["url"] = call.api_url(fmt::format("/issues/comments/{}", comment.id));
    for (const auto* member : {"path", "line", "commit_id"}) object.erase(member);
  } else {
    object["url"] = call.api_url(fmt::format("/pulls/comments/{}", comment.id));
    object["pull_request_url"] = call.api_url(fmt::format("/pulls/{}", on));
    object["side"] = "RIGHT";
  }
  return object;
}

void add_comment_routes(Routes& routes) {
  add_routes<Place::kIssue>(routes, "/issues/comments/{id}", needs::kReadIssues, needs::kWriteIssues);
  add_routes<Place::kLine>(routes, "/pulls/comments/{id}", needs::kReadPulls, needs::kWritePulls);
  add_routes<Place::kCommit>(routes, "/comments/{id}", needs::kReadContents, needs::kCommentCommits);
}

}  // namespace weir::api::github
