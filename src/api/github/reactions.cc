// Reactions to issues, pull requests and comments: https://docs.github.com/en/rest/reactions
#include "forge/reactions.h"

#include "api/github/call.h"

namespace weir::api::github {
namespace {

using access::Permission;
using forge::Reaction;

// Pull requests are issues, too: either scope does.
constexpr Need kReads{"issues", Level::kRead, Permission::kRead, "pull-requests"};
constexpr Need kWrites{"issues", Level::kWrite, Permission::kPropose, "pull-requests"};
constexpr Need kReadsLines{"pull-requests", Level::kRead, Permission::kRead};
constexpr Need kWritesLines{"pull-requests", Level::kWrite, Permission::kPropose};
constexpr Need kReadsCommits{"contents", Level::kRead, Permission::kFetch};
constexpr Need kWritesCommits{"contents", Level::kWrite, Permission::kPropose, "pull-requests"};

enum class Place : std::uint8_t { kIssue, kIssueComment, kLineComment, kCommitComment };

// "issue/7" or "comment/12" of an address, if it is there.
template <Place kPlace>
Result<std::string> subject_of(const Call& call) {
  const auto id = WEIR_TRY(call.number("id"));
  if (kPlace == Place::kIssue) {
    WEIR_TRY(call.services().issues->find(call.repo, id));
    return fmt::format("issue/{}", id);
  }
  const auto comment = WEIR_TRY(call.services().issues->find_comment(call.repo, id));
  const auto place = comment.subject.starts_with("commit/") ? Place::kCommitComment
                     : comment.path.empty()                 ? Place::kIssueComment
                                                            : Place::kLineComment;
  if (place != kPlace) return fail(Code::kNotFound, "there is no comment {} here", id);
  return fmt::format("comment/{}", id);
}

json::object reaction_json(const Call& call, const Reaction& reaction) {
  return {{"id", reaction.id},
          {"node_id", fmt::format("reaction-{}", reaction.id)},
          {"user", user_json(call, reaction.author)},
          {"content", reaction.content},
          {"created_at", to_iso8601(reaction.created_at)}};
}

template <Place kPlace>
Result<io::HttpResponse> list_reactions(Call& call) {
  const auto subject = WEIR_TRY(subject_of<kPlace>(call));
  const auto all = WEIR_TRY(call.parts.reactions->list(call.repo, subject, call.query("content")));
  return paged(call, all, [&](const Reaction& reaction) { return reaction_json(call, reaction); });
}

template <Place kPlace>
Result<io::HttpResponse> create_reaction(Call& call) {
  const auto subject = WEIR_TRY(subject_of<kPlace>(call));
  const auto content = WEIR_TRY(json_require_string(call.body, "content"));
  const auto added = WEIR_TRY(call.parts.reactions->add(call.repo, subject, content, call.identity()));
  return io::json_response(added.is_new ? 201 : 200, reaction_json(call, added.reaction));
}

template <Place kPlace>
Result<io::HttpResponse> delete_reaction(Call& call) {
  const auto subject = WEIR_TRY(subject_of<kPlace>(call));
  WEIR_TRY(call.parts.reactions->remove(call.repo, subject, WEIR_TRY(call.number("reaction")), call.identity()));
  return io::text_response(204, "");
}

template <Place kPlace>
void add_routes(Routes& routes, const std::string& pattern, const Need& reads, const Need& writes) {
  routes.repo("GET", pattern + "/reactions", reads, list_reactions<kPlace>);
  routes.repo("POST", pattern + "/reactions", writes, create_reaction<kPlace>);
  routes.repo("DELETE", pattern + "/reactions/{reaction}", writes, delete_reaction<kPlace>);
}

}  // namespace

void add_reaction_routes(Routes& routes) {
  add_routes<Place::kIssue>(routes, "/issues/{id}", kReads, kWrites);
  add_routes<Place::kIssueComment>(routes, "/issues/comments/{id}", kReads, kWrites);
  add_routes<Place::kLineComment>(routes, "/pulls/comments/{id}", kReadsLines, kWritesLines);
  add_routes<Place::kCommitComment>(routes, "/comments/{id}", kReadsCommits, kWritesCommits);
}

}  // namespace weir::api::github
