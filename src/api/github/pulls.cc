// Pull requests, their files, commits and reviews: https://docs.github.com/en/rest/pulls
#include "api/weir/pulls.h"

#include <algorithm>

#include "api/github/answers.h"
#include "api/github/commits.h"
#include "api/github/needs.h"
#include "event/source.h"

namespace weir::api::github {
namespace {

using access::Permission;
using forge::Pull;

constexpr Need kReads = needs::kReadPulls;
constexpr Need kWrites = needs::kWritePulls;
constexpr int kCommitsMax = 250;  // as GitHub lists

json::object side_json(const Call& call, const std::string& ref, const std::string& sha, const std::string& branch) {
  return {{"ref", event::short_ref(ref)},
          {"sha", sha},
          {"label", fmt::format("{}:{}", call.owner, event::short_ref(ref))},
          {"user", user_json(call, call.owner)},
          {"repo", repository_json(call, branch)}};
}

Result<Pull> pull_of(const Call& call) {
  return call.services().pulls->find(call.repo, WEIR_TRY(call.number("number")));
}

// The commit that its changes count from.
Result<std::string> start_of(const io::Git& git, const Pull& pull) {
  if (pull.merged_at && !pull.base_sha.empty() && WEIR_TRY(git.is_ancestor(pull.head_sha, pull.base_sha))) {
    // Pushed onto the base itself: what it brought can no longer be told from the base's commits.
    return pull.head_sha;
  }
  return git.merge_base(pull.base_sha, pull.head_sha);
}

}  // namespace

Result<std::vector<ChangedFile>> files_of(const Call& call, const Pull& pull) {
  const auto git = WEIR_TRY(call.git());
  return changed_files(git, WEIR_TRY(start_of(git, pull)), pull.head_sha);
}

Result<std::vector<io::GitCommit>> commits_of(const Call& call, const Pull& pull) {
  const auto git = WEIR_TRY(call.git());
  auto commits = WEIR_TRY(git.commits_between(WEIR_TRY(start_of(git, pull)), pull.head_sha, kCommitsMax));
  std::ranges::reverse(commits);  // oldest first
  return commits;
}

std::string merge_state(const Call& call, const Pull& pull) {
  if (pull.merged_at || !pull.issue.open) return "unknown";
  if (pull.draft) return "draft";
  if (!pull.conflicts.empty()) return "dirty";
  const auto able = call.services().pulls->mergeability(pull);
  return able && able->allowed ? "clean" : "blocked";
}

namespace {

Result<io::HttpResponse> list_pulls(Call& call) {
  const auto state = call.query("state", "open");
  if (state != "open" && state != "closed" && state != "all") {
    return fail(Code::kInvalidArgument, "state must be open, closed or all, not \"{}\"", state.substr(0, 80));
  }
  const auto sort = call.query("sort", "created");
  if (sort != "created" && sort != "updated") {
    return fail(Code::kInvalidArgument, "weir sorts pull requests by created or updated, not by {}",
                sort.substr(0, 80));
  }
  auto head = call.query("head");
  if (const auto colon = head.find(':'); colon != std::string::npos) head.erase(0, colon + 1);
  const auto base = call.query("base");
  forge::IssueFilter filter{.open = state == "all" ? std::nullopt : std::optional(state == "open"), .limit = 100};
  std::vector<Pull> found;
  while (true) {
    auto more = WEIR_TRY(call.services().pulls->list(call.repo, filter));
    const bool last = more.size() < 100;
    if (!more.empty()) filter.before = more.back().issue.number;
    std::erase_if(more, [&](const Pull& pull) {
      return (!head.empty() && event::short_ref(pull.head_ref) != event::short_ref(head)) ||
             (!base.empty() && event::short_ref(pull.base_ref) != event::short_ref(base));
    });
    std::ranges::move(more, std::back_inserter(found));
    if (last) break;
  }
  if (sort == "updated") {
    std::ranges::sort(found, std::ranges::greater{},
                      [](const Pull& pull) { return std::pair(pull.issue.updated_at, pull.issue.number); });
  }
  if (call.query("direction", "desc") == "asc") std::ranges::reverse(found);
  return paged(call, found, [&](const Pull& pull) { return pull_json(call, pull); });
}

// With what is told of a single one.
Result<io::HttpResponse> whole_pull(const Call& call, const Pull& pull, int status = 200) {
  auto object = pull_json(call, pull);
  object["mergeable_state"] = merge_state(call, pull);
  object["rebaseable"] = false;
  std::int64_t additions = 0;
  std::int64_t deletions = 0;
  const auto files = WEIR_TRY(files_of(call, pull));
  for (const auto& file : files) {
    additions += file.additions;
    deletions += file.deletions;
  }
  object["additions"] = additions;
  object["deletions"] = deletions;
  object["changed_files"] = files.size();
  object["commits"] = WEIR_TRY(commits_of(call, pull)).size();
  return io::json_response(status, std::move(object));
}

Result<io::HttpResponse> open_pull(Call& call) {
  auto head = WEIR_TRY(json_require_string(call.body, "head"));
  if (const auto colon = head.find(':'); colon != std::string::npos) head.erase(0, colon + 1);
  WEIR_TRY(refuse_member(call.body, "issue", "weir cannot turn an issue into a pull request"));
  const bool foreign = !call.services().access->allow(call.identity(), Permission::kPush, "repo/" + call.repo);
  auto pull = call.services().pulls->open({.repo = call.repo,
                                           .head = std::move(head),
                                           .base = WEIR_TRY(json_require_string(call.body, "base")),
                                           .title = json_string_or(call.body, "title", ""),
                                           .body = json_string_or(call.body, "body", ""),
                                           .draft = json_bool_or(call.body, "draft", false),
                                           .is_foreign = foreign},
                                          call.identity());
  if (!pull && pull.error().code == Code::kNotFound) pull.error().code = Code::kInvalidArgument;  // a branch
  if (!pull && pull.error().code == Code::kAlreadyExists) {
    // Clients that then look for it and change it know it by GitHub's words.
    const auto branch = json_string_or(call.body, "head", "");
    return fail(Code::kAlreadyExists, "A pull request already exists for {}{}: {}",
                branch.find(':') == std::string::npos ? call.owner + ":" : std::string(), branch.substr(0, 200),
                pull.error().message);
  }
  return whole_pull(call, WEIR_TRY(std::move(pull)), 201);
}

Result<io::HttpResponse> get_pull(Call& call) {
  const auto pull = WEIR_TRY(pull_of(call));
  const auto accept = call.request.headers.get("Accept");
  if (accept.find(".diff") == std::string_view::npos && accept.find(".patch") == std::string_view::npos) {
    return whole_pull(call, pull);
  }
  return fail(Code::kInvalidArgument, "weir gives a pull request as JSON; ask git for its difference");
}

Result<io::HttpResponse> change_pull(Call& call) {
  const auto before = WEIR_TRY(pull_of(call));
  if (!call.identity().job_id && before.issue.author != call.identity().name) {
    WEIR_TRY(call.services().access->allow(call.identity(), Permission::kPush, "repo/" + call.repo));
  }
  forge::Pulls::Change change;
  change.issue.title = WEIR_TRY(optional_text(call.body, "title"));
  change.issue.body = WEIR_TRY(optional_text(call.body, "body"));
  change.base = WEIR_TRY(optional_text(call.body, "base"));
  change.issue.open = WEIR_TRY(optional_open(call.body));
  auto changed = call.services().pulls->change(call.repo, before.issue.number, change, call.identity());
  if (!changed && changed.error().code == Code::kNotFound) changed.error().code = Code::kInvalidArgument;  // a branch
  return whole_pull(call, WEIR_TRY(std::move(changed)));
}

Result<io::HttpResponse> list_files(Call& call) {
  const auto pull = WEIR_TRY(pull_of(call));
  const auto files = WEIR_TRY(files_of(call, pull));
  return paged(call, files, [&](const ChangedFile& file) { return file_json(call, file, pull.head_sha); });
}

Result<io::HttpResponse> list_commits(Call& call) {
  const auto pull = WEIR_TRY(pull_of(call));
  const auto commits = WEIR_TRY(commits_of(call, pull));
  return paged(call, commits, [&](const io::GitCommit& commit) { return commit_json(call, commit); });
}

Result<io::HttpResponse> is_merged(Call& call) {
  if (WEIR_TRY(pull_of(call)).merged_at) return io::text_response(204, "");
  return error_answer(404, "Not Found: it has not been merged");
}

}  // namespace

Result<Pull> merge_pull(const Call& call, const Pull& pull, const MergeWish& wish) {
  WEIR_TRY(may_merge(call.services(), pull, call.identity()));
  const auto method = WEIR_TRY(forge::parse_merge_method(wish.method));
  auto message = wish.title;
  if (!wish.text.empty()) {
    if (message.empty()) message = fmt::format("{} (#{})", pull.issue.title, pull.issue.number);
    message += "\n\n" + wish.text;
  }
  // GitHub too has no use for a message where commits keep theirs.
  return call.services().pulls->merge(call.repo, pull.issue.number, method, message, wish.head, call.identity());
}

namespace {

Result<io::HttpResponse> merge(Call& call) {
  const auto pull = WEIR_TRY(pull_of(call));
  WEIR_TRY(may_merge(call.services(), pull, call.identity()));
  const MergeWish wish{.method = json_string_or(call.body, "merge_method", "merge"),
                       .title = json_string_or(call.body, "commit_title", ""),
                       .text = json_string_or(call.body, "commit_message", ""),
                       .head = json_string_or(call.body, "sha", "")};
  if (const auto method = forge::parse_merge_method(wish.method); !method) {
    return error_answer(422, method.error().message);
  }
  if (!wish.head.empty() && wish.head != pull.head_sha) {
    return error_answer(409, "Head branch was modified. Review and try the merge again.");
  }
  const auto merged = merge_pull(call, pull, wish);
  if (!merged && merged.error().code == Code::kFailedPrecondition) return error_answer(405, merged.error().message);
  if (!merged) return std::unexpected(merged.error());
  return io::json_response(
      200,
      json::object{{"sha", merged->merged_sha}, {"merged", true}, {"message", "Pull Request successfully merged"}});
}

Result<std::vector<forge::Comment>> line_comments(const Call& call, std::int64_t number) {
  std::vector<forge::Comment> found;
  std::int64_t after = 0;
  while (true) {
    auto more = WEIR_TRY(call.services().issues->comments(call.repo, fmt::format("issue/{}", number), after, 100));
    const bool last = more.size() < 100;
    if (!more.empty()) after = more.back().id;
    std::erase_if(more, [](const auto& comment) { return comment.path.empty(); });
    std::ranges::move(more, std::back_inserter(found));
    if (last) return found;
  }
}

Result<io::HttpResponse> list_line_comments(Call& call) {
  const auto pull = WEIR_TRY(pull_of(call));
  const auto comments = WEIR_TRY(line_comments(call, pull.issue.number));
  return paged(call, comments, [&](const forge::Comment& comment) { return comment_json(call, comment); });
}

Result<io::HttpResponse> create_line_comment(Call& call) {
  const auto pull = WEIR_TRY(pull_of(call));
  const auto path = WEIR_TRY(json_require_string(call.body, "path"));
  WEIR_TRY(check_path(path));
  const auto line = json_int(call.body, "line");
  if (line && (*line < 1 || *line > 100'000'000)) return fail(Code::kInvalidArgument, "line must be a line's number");
  const auto git = WEIR_TRY(call.git());
  const auto commit = json_string_or(call.body, "commit_id", pull.head_sha);
  const auto sha = commit_of(git, commit);
  if (!sha) return fail(Code::kInvalidArgument, "commit_id \"{}\" is no commit", commit.substr(0, 80));
  const auto comment =
      WEIR_TRY(call.services().issues->comment({.repo = call.repo,
                                                .subject = fmt::format("issue/{}", pull.issue.number),
                                                .body = WEIR_TRY(json_require_string(call.body, "body")),
                                                .path = path,
                                                .line = line,
                                                .commit = *sha},
                                               call.identity()));
  return io::json_response(201, comment_json(call, comment));
}

}  // namespace

json::object pull_json(const Call& call, const Pull& pull) {
  auto object = forge::to_json(pull, call.services().issues->standing());
  const auto url = call.api_url(fmt::format("/pulls/{}", pull.issue.number));
  const auto issue = call.api_url(fmt::format("/issues/{}", pull.issue.number));
  const auto git = call.git();
  const auto branch = git ? default_branch(*git) : std::string("main");
  object["node_id"] = call.node_id("pull", pull.issue.number);
  object["url"] = url;
  object["html_url"] = call.page_url(fmt::format("/pulls/{}/{}", call.repo, pull.issue.number));
  object["issue_url"] = issue;
  object["comments_url"] = issue + "/comments";
  object["commits_url"] = url + "/commits";
  object["review_comments_url"] = url + "/comments";
  object["statuses_url"] = call.api_url("/statuses/" + pull.head_sha);
  object["user"] = user_json(call, pull.issue.author);
  object["labels"] = labels_json(call, pull.issue.labels);
  object["head"] = side_json(call, pull.head_ref, pull.head_sha, branch);
  object["base"] = side_json(call, pull.base_ref, pull.base_sha, branch);
  if (pull.is_foreign) {  // as in github.event: a fork of its author's, whose addresses lead to where it really is
    auto& repo = object["head"].as_object()["repo"].as_object();
    repo["fork"] = true;
    repo["owner"] = user_json(call, pull.issue.author);
    repo["full_name"] = fmt::format("{}/{}", pull.issue.author, call.repo);
  }
  if (!pull.merged_by.empty()) object["merged_by"] = user_json(call, pull.merged_by);
  auto assignees = people_json(call, pull.issue.assignees);
  object["assignee"] = assignees.empty() ? json::value() : assignees.front();
  object["assignees"] = std::move(assignees);
  json::array requested;
  for (const auto& name : pull.requested) requested.push_back(user_json(call, name));
  object["requested_reviewers"] = std::move(requested);
  object["milestone"] = nullptr;
  object["locked"] = false;
  object["auto_merge"] = nullptr;
  object["maintainer_can_modify"] = false;
  return object;
}

void add_pull_routes(Routes& routes) {
  routes.repo("GET", "/pulls", kReads, list_pulls);
  routes.repo("POST", "/pulls", kWrites, open_pull);
  routes.repo("GET", "/pulls/{number}", kReads, get_pull);
  routes.repo("PATCH", "/pulls/{number}", kWrites, change_pull);
  routes.repo("GET", "/pulls/{number}/files", kReads, list_files);
  routes.repo("GET", "/pulls/{number}/commits", kReads, list_commits);
  routes.repo("GET", "/pulls/{number}/merge", kReads, is_merged);
  routes.repo("PUT", "/pulls/{number}/merge", needs::kWriteContents, merge);
  routes.repo("GET", "/pulls/{number}/comments", kReads, list_line_comments);
  routes.repo("POST", "/pulls/{number}/comments", kWrites, create_line_comment);
}

}  // namespace weir::api::github
