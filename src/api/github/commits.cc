// Commits and what is said of them: https://docs.github.com/en/rest/commits
#include "api/github/commits.h"

#include <algorithm>
#include <set>

#include "api/github/answers.h"
#include "api/github/needs.h"
#include "event/source.h"

namespace weir::api::github {
namespace {

constexpr Need kReads = needs::kReadContents;
constexpr Need kComments = needs::kCommentCommits;
constexpr int kComparedMax = 10'000;      // commits that are counted on each side
constexpr std::size_t kPullsMax = 1'000;  // that are looked through for a commit
constexpr int kPullCommitsMax = 1'000;    // of each

json::object person_json(const io::GitCommit& commit, std::int64_t seconds) {
  return {{"name", commit.author_name},
          {"email", commit.author_email},
          {"date", to_iso8601(TimePoint{std::chrono::seconds{seconds}})}};
}

// Nobody's keys are known here.
json::object verification_json() {
  return {{"verified", false}, {"reason", "unsigned"}, {"signature", nullptr}, {"payload", nullptr}};
}

json::array parents_json(const Call& call, const io::GitCommit& commit, std::string_view place) {
  json::array parents;
  for (const auto& parent : commit.parents) {
    const auto url = call.api_url(fmt::format("{}/{}", place, parent));
    parents.push_back(json::object{{"sha", parent}, {"url", url}, {"html_url", url}});
  }
  return parents;
}

std::string_view status_name(char status) {
  switch (status) {
    case 'A': return "added";
    case 'D': return "removed";
    case 'R': return "renamed";
    case 'C': return "copied";
    default: return "modified";
  }
}

Result<std::string> sha_of(const Call& call) {
  return commit_of(WEIR_TRY(call.git()), call.param("ref"));
}

Result<io::HttpResponse> list_commits(Call& call) {
  const auto page = WEIR_TRY(page_of(call.request));
  if (page.end() > 100'000) return fail(Code::kInvalidArgument, "weir lists the newest 100,000 commits; ask git");
  const auto git = WEIR_TRY(call.git());
  LogQuery query{.limit = page.end() + 1};
  query.commit = WEIR_TRY(commit_of(git, call.query("sha", git.head_ref().value_or("HEAD"))));
  query.path = call.query("path");
  if (!query.path.empty()) WEIR_TRY(check_path(query.path));
  for (auto [name, member] : {std::pair{"since", &query.since}, {"until", &query.until}}) {
    if (const auto text = call.query(name); !text.empty()) *member = to_iso8601(WEIR_TRY(parse_iso8601(text)));
  }
  if (!call.query("author").empty()) return fail(Code::kInvalidArgument, "weir cannot filter commits by author");
  const auto ids = WEIR_TRY(log_ids(git, query));
  json::array list;
  for (std::size_t i = page.begin(); i < ids.size() && i < page.end(); ++i) {
    list.push_back(commit_json(call, WEIR_TRY(git.commit(ids[i]))));
  }
  auto response = io::json_response(200, std::move(list));
  set_links(call, page, ids.size(), false, response);
  return response;
}

Result<io::HttpResponse> get_commit(Call& call) {
  const auto git = WEIR_TRY(call.git());
  const auto sha = WEIR_TRY(sha_of(call));
  if (call.request.headers.get("Accept").find(".sha") != std::string_view::npos) return io::text_response(200, sha);
  const auto commit = WEIR_TRY(git.commit(sha));
  auto object = commit_json(call, commit);
  const auto files = WEIR_TRY(changed_files(git, commit.parents.empty() ? "" : commit.parents.front(), sha));
  std::int64_t additions = 0;
  std::int64_t deletions = 0;
  json::array list;
  for (const auto& file : files) {
    additions += file.additions;
    deletions += file.deletions;
    list.push_back(file_json(call, file, sha));
  }
  object["files"] = std::move(list);
  object["stats"] = json::object{{"additions", additions}, {"deletions", deletions}, {"total", additions + deletions}};
  return io::json_response(200, std::move(object));
}

// What `head` has that `base` has not, since both parted: BASE...HEAD, each a branch, a tag or a commit, perhaps with
// an owner before a colon.
Result<io::HttpResponse> compare(Call& call) {
  const auto& both = call.param("basehead");
  const auto dots = both.find("...");
  if (dots == std::string::npos) return error_answer(404, "Not Found: two refs are compared as BASE...HEAD");
  const auto git = WEIR_TRY(call.git());
  const auto side = [&](std::string ref) -> Result<std::string> {
    ref.erase(0, ref.rfind(':') + 1);
    return commit_of(git, ref == "HEAD" ? git.head_ref().value_or(ref) : ref);
  };
  const auto base = WEIR_TRY(side(both.substr(0, dots)));
  const auto head = WEIR_TRY(side(both.substr(dots + 3)));
  const auto start = WEIR_TRY(git.merge_base(base, head));
  if (start.empty()) return error_answer(404, fmt::format("No common ancestor between {}", both.substr(0, 400)));
  auto ahead = WEIR_TRY(git.commits_between(start, head, kComparedMax));
  const auto behind = WEIR_TRY(git.commits_between(start, base, kComparedMax));
  std::ranges::reverse(ahead);  // oldest first
  const auto page = WEIR_TRY(page_of(call.request));
  json::array commits;
  for (std::size_t i = page.begin(); i < ahead.size() && i < page.end(); ++i) {
    commits.push_back(commit_json(call, ahead[i]));
  }
  json::array files;
  if (page.number == 1) {
    for (const auto& file : WEIR_TRY(changed_files(git, start, head))) files.push_back(file_json(call, file, head));
  }
  const auto url = call.api_url("/compare/" + both);
  auto response =
      io::json_response(200, json::object{{"url", url},
                                          {"html_url", url},
                                          {"status", ahead.empty() ? (behind.empty() ? "identical" : "behind")
                                                                   : (behind.empty() ? "ahead" : "diverged")},
                                          {"ahead_by", ahead.size()},
                                          {"behind_by", behind.size()},
                                          {"total_commits", ahead.size()},
                                          {"base_commit", commit_json(call, WEIR_TRY(git.commit(base)))},
                                          {"merge_base_commit", commit_json(call, WEIR_TRY(git.commit(start)))},
                                          {"commits", std::move(commits)},
                                          {"files", std::move(files)}});
  set_links(call, page, ahead.size(), true, response);
  return response;
}

Result<io::HttpResponse> list_comments(Call& call) {
  const auto subject = "commit/" + WEIR_TRY(sha_of(call));
  std::vector<forge::Comment> found;
  const auto page = WEIR_TRY(page_of(call.request));
  while (found.size() <= page.end()) {
    auto more =
        WEIR_TRY(call.services().issues->comments(call.repo, subject, found.empty() ? 0 : found.back().id, 100));
    const bool last = more.size() < 100;
    std::ranges::move(more, std::back_inserter(found));
    if (last) break;
  }
  return paged(call, found, [&](const forge::Comment& comment) { return comment_json(call, comment); });
}

Result<io::HttpResponse> create_comment(Call& call) {
  const auto sha = WEIR_TRY(sha_of(call));
  const auto path = json_string_or(call.body, "path", "");
  if (!path.empty()) WEIR_TRY(check_path(path));
  const auto comment =
      WEIR_TRY(call.services().issues->comment({.repo = call.repo,
                                                .subject = "commit/" + sha,
                                                .body = WEIR_TRY(json_require_string(call.body, "body")),
                                                .path = path,
                                                .line = json_int(call.body, "line"),
                                                .commit = sha},
                                               call.identity()));
  return io::json_response(201, comment_json(call, comment));
}

Result<io::HttpResponse> list_pulls(Call& call) {
  const auto found = WEIR_TRY(PullsOfCommits(call).of(WEIR_TRY(sha_of(call))));
  return paged(call, found, [&](const forge::Pull& pull) { return pull_json(call, pull); });
}

}  // namespace

// What each of them has over its base, by one question to git for each.
Result<void> PullsOfCommits::look() {
  looked_ = true;
  const auto git = WEIR_TRY(call_.git());
  forge::IssueFilter filter{.limit = 100};
  while (pulls_.size() < kPullsMax) {
    auto more = WEIR_TRY(call_.services().pulls->list(call_.repo, filter));
    const bool last = more.size() < 100;
    if (!more.empty()) filter.before = more.back().issue.number;
    std::ranges::move(more, std::back_inserter(pulls_));
    if (last) break;
  }
  for (std::size_t i = 0; i < pulls_.size(); ++i) {
    const auto& pull = pulls_[i];
    std::set<std::string> commits{pull.head_sha, pull.merge_sha, pull.merged_sha};
    if (!pull.base_sha.empty()) {
      for (auto& one : WEIR_TRY(git.commits_between(pull.base_sha, pull.head_sha, kPullCommitsMax))) {
        commits.insert(std::move(one.sha));
      }
    }
    for (const auto& sha : commits) by_commit_.emplace(sha, i);
  }
  return {};
}

Result<std::vector<forge::Pull>> PullsOfCommits::of(const std::string& sha) {
  if (!looked_) WEIR_TRY(look());
  std::vector<forge::Pull> found;
  for (auto [at, end] = by_commit_.equal_range(sha); at != end; ++at) found.push_back(pulls_[at->second]);
  return found;
}

json::object commit_json(const Call& call, const io::GitCommit& commit) {
  const auto url = call.api_url("/commits/" + commit.sha);
  return {
      {"sha", commit.sha},
      {"node_id", call.node_id("commit", commit.sha)},
      {"url", url},
      {"html_url", url},
      {"comments_url", url + "/comments"},
      {"commit",
       json::object{{"message", commit.message},
                    {"author", person_json(commit, commit.author_time_s)},
                    {"committer", person_json(commit, commit.committer_time_s)},
                    {"tree", json::object{{"sha", commit.tree}, {"url", call.api_url("/git/trees/" + commit.tree)}}},
                    {"url", call.api_url("/git/commits/" + commit.sha)},
                    {"verification", verification_json()}}},
      // Whoever a commit names as its author need not be known here.
      {"author", nullptr},
      {"committer", nullptr},
      {"parents", parents_json(call, commit, "/commits")}};
}

json::object git_commit_json(const Call& call, const io::GitCommit& commit) {
  const auto url = call.api_url("/git/commits/" + commit.sha);
  return {{"sha", commit.sha},
          {"node_id", call.node_id("commit", commit.sha)},
          {"url", url},
          {"html_url", call.api_url("/commits/" + commit.sha)},
          {"message", commit.message},
          {"author", person_json(commit, commit.author_time_s)},
          {"committer", person_json(commit, commit.committer_time_s)},
          {"tree", json::object{{"sha", commit.tree}, {"url", call.api_url("/git/trees/" + commit.tree)}}},
          {"parents", parents_json(call, commit, "/git/commits")},
          {"verification", verification_json()}};
}

json::object file_json(const Call& call, const ChangedFile& file, const std::string& sha) {
  const auto url = call.api_url(fmt::format("/contents/{}?ref={}", file.path, sha));
  json::object object{{"sha", file.blob},
                      {"filename", file.path},
                      {"status", status_name(file.status)},
                      {"additions", file.additions},
                      {"deletions", file.deletions},
                      {"changes", file.additions + file.deletions},
                      {"contents_url", url},
                      {"blob_url", url},
                      {"raw_url", url}};
  if (!file.patch.empty()) object["patch"] = file.patch;
  if (!file.before_path.empty()) object["previous_filename"] = file.before_path;
  return object;
}

void add_commit_routes(Routes& routes) {
  routes.repo("GET", "/commits", kReads, list_commits);
  routes.repo("GET", "/commits/{ref*}", kReads, get_commit);
  routes.repo("GET", "/compare/{basehead*}", kReads, compare);
  routes.repo("GET", "/commits/{ref}/comments", kReads, list_comments);
  routes.repo("POST", "/commits/{ref}/comments", kComments, create_comment);
  routes.repo("GET", "/commits/{ref}/pulls", needs::kReadPulls, list_pulls);
}

}  // namespace weir::api::github
