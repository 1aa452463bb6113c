#include "api/weir/pulls.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <ranges>

#include "api/weir/authors.h"
#include "api/weir/routes.h"
#include "event/source.h"
#include "forge/hidden_comments.h"

// Pull requests and what is said about them.
namespace weir::api {
namespace {

// Whether `identity` could bring it on by looking at it: somebody else's that asks for them, or of whose newest commit
// neither they nor enough others have said what they think. Without a token it is what waits for anybody, as with
// approvals.
bool waits_for(const Services& services, const forge::UnderReview& pull, const types::Identity& identity) {
  if (pull.author == identity.name) return false;
  if (std::ranges::find(pull.requested, identity.name) != pull.requested.end()) return true;
  const auto own = pull.verdicts.find(identity.name);
  if (own != pull.verdicts.end() && own->second != forge::ReviewState::kDismissed) return false;
  if (identity.role && !services.access->allow(identity, access::Permission::kPush, "repo/" + pull.repo)) return false;
  const auto states = pull.verdicts | std::views::values;
  const auto approvals = std::ranges::count(states, forge::ReviewState::kApproved);
  const bool is_refused = std::ranges::count(states, forge::ReviewState::kChangesRequested) > 0;
  const auto config = services.config->of(pull.repo);
  const auto* rule = config->branch(event::short_ref(pull.base_ref));
  return !is_refused && approvals < std::max(1, rule == nullptr ? 0 : rule->reviews);
}

Result<bool> waits_for(const Services& services, const forge::Pull& pull, const types::Identity& identity) {
  if (!pull.issue.open || pull.draft || pull.merged_at) return false;
  forge::UnderReview state{pull.issue.repo, pull.issue.number, pull.issue.author, pull.base_ref, {}, pull.requested};
  for (const auto& review : WEIR_TRY(services.pulls->reviews(pull.issue.repo, pull.issue.number))) {
    const bool is_verdict = review.state != forge::ReviewState::kCommented && review.commit == pull.head_sha;
    if (is_verdict) state.verdicts[review.author] = review.state;
  }
  return waits_for(services, state, identity);
}

json::object shown(const Services& services, const forge::Pull& pull, const types::Identity& identity) {
  auto object = with_author(services, with_author(services, forge::to_json(pull)), "merged_by");
  object["repo"] = pull.issue.repo;
  object["conflicts"] = json::value_from(pull.conflicts);
  object["foreign"] = pull.is_foreign;
  object["author"] = pull.issue.author;
  json::object merge{{"allowed", false}, {"reasons", json::array()}};
  if (const auto able = services.pulls->mergeability(pull)) {
    merge["allowed"] = able->allowed;
    merge["reasons"] = json::value_from(able->reasons);
  }
  object["merge"] = std::move(merge);
  object["waits_for_you"] = waits_for(services, pull, identity).value_or(false);
  return object;
}

Result<std::optional<bool>> open_filter(const io::HttpRequest& request) {
  const auto state = request.query_value("state").value_or("open");
  if (state == "all") return std::nullopt;
  if (state == "open" || state == "closed") return state == "open";
  return fail(Code::kInvalidArgument, "state must be open, closed or all, not \"{}\"", state);
}

Result<io::HttpResponse> open_pull(const Services& services, io::HttpRequest& request) {
  const auto body = WEIR_TRY(body_object(request));
  const auto& repo = request.params["repo"];
  const bool foreign = !services.access->allow(request.identity, access::Permission::kPush, "repo/" + repo);
  const auto pull = WEIR_TRY(services.pulls->open({.repo = repo,
                                                   .head = WEIR_TRY(json_require_string(body, "head")),
                                                   .base = WEIR_TRY(optional_text(body, "base")).value_or(""),
                                                   .title = WEIR_TRY(optional_text(body, "title")).value_or(""),
                                                   .body = WEIR_TRY(optional_text(body, "body")).value_or(""),
                                                   .draft = WEIR_TRY(optional_bool(body, "draft")).value_or(false),
                                                   .is_foreign = foreign},
                                                  request.identity));
  return io::json_response(201, shown(services, pull, request.identity));
}

Result<io::HttpResponse> list_pulls(const Services& services, io::HttpRequest& request) {
  const forge::IssueFilter filter{.open = WEIR_TRY(open_filter(request)),
                                  .before = WEIR_TRY(number_query(request, "before", 0, 0, 1LL << 53)),
                                  .limit = WEIR_TRY(number_query(request, "limit", 30, 1, 100))};
  json::array list;
  for (const auto& pull : WEIR_TRY(services.pulls->list(request.params["repo"], filter))) {
    list.push_back(shown(services, pull, request.identity));
  }
  return io::json_response(200, json::object{{"pulls", std::move(list)}});
}

// Where pull requests are: repository and number, newest first.
using Place = std::pair<std::string, std::int64_t>;
Result<std::vector<Place>> places(const Services& services, const std::optional<bool>& open, const std::string& repo,
                                  std::int64_t skip, std::int64_t limit) {
  return services.db->load<std::vector<Place>>([&](store::Reader& reader) {
    return reader.all<Place>(
        "SELECT repo, number FROM forge_issues WHERE is_pull = 1 AND (? < 0 OR open = ?) AND (? = '' OR repo = ?) "
        "ORDER BY created_at DESC, repo, number DESC LIMIT ? OFFSET ?",
        {std::int64_t{open ? *open : -1}, std::int64_t{open && *open}, repo, repo, limit, skip},
        [](const store::Row& row) { return Place{row.string(0), row.integer(1)}; });
  });
}

// Those that wait for the caller, by one query however many are open.
Result<std::vector<Place>> waiting_places(const Services& services, const std::string& repo,
                                          const types::Identity& identity, std::int64_t skip, std::int64_t limit) {
  std::vector<Place> found;
  for (const auto& pull : WEIR_TRY(services.pulls->under_review(repo))) {
    if (std::ssize(found) == limit) break;
    if (waits_for(services, pull, identity) && skip-- <= 0) found.emplace_back(pull.repo, pull.number);
  }
  return found;
}

Result<io::HttpResponse> list_all_pulls(const Services& services, const io::HttpRequest& request) {
  const bool waiting = request.query_value("waiting").value_or("") == "true";
  const auto limit = WEIR_TRY(number_query(request, "limit", 30, 1, 100));
  const auto skip = WEIR_TRY(number_query(request, "skip", 0, 0, 1'000'000));
  const auto of_repo = request.query_value("repo").value_or("");
  const auto open = WEIR_TRY(open_filter(request));
  const auto found = WEIR_TRY(waiting ? waiting_places(services, of_repo, request.identity, skip, limit)
                                      : places(services, open, of_repo, skip, limit));
  json::array list;
  for (const auto& [repo, number] : found) {
    list.push_back(shown(services, WEIR_TRY(services.pulls->find(repo, number)), request.identity));
  }
  json::array repos;
  WEIR_TRY(services.db->read([&](store::Reader& reader) {
    return reader.query("SELECT DISTINCT repo FROM forge_issues WHERE is_pull = 1 ORDER BY repo", {},
                        [&](const store::Row& row) { repos.emplace_back(row.text(0)); });
  }));
  return io::json_response(200, json::object{{"pulls", std::move(list)}, {"repos", std::move(repos)}});
}

// The runs of its newest commit with their jobs, and what others said of it.
Result<void> add_checks(const Services& services, const forge::Pull& pull, json::object& object) {
  json::array runs;
  for (const auto& run : WEIR_TRY(services.engine->runs({.repo = pull.issue.repo, .commit = pull.head_sha}))) {
    auto one = engine::to_json(run);
    json::array jobs;
    for (auto& job : WEIR_TRY(services.engine->jobs(run.id))) {
      job.steps.clear();
      job.summary.clear();
      job.annotations.clear();
      jobs.push_back(engine::to_json(job));
    }
    one["jobs"] = std::move(jobs);
    runs.push_back(std::move(one));
  }
  object["runs"] = std::move(runs);
  json::array checks;
  for (const auto& status : WEIR_TRY(services.checks->statuses(pull.issue.repo, pull.head_sha))) {
    checks.push_back({{"name", status.context},
                      {"state", status.state},
                      {"description", status.description},
                      {"url", status.target_url}});
  }
  for (const auto& check : WEIR_TRY(services.checks->of_commit(pull.issue.repo, pull.head_sha))) {
    checks.push_back({{"name", check.name},
                      {"state", check.conclusion.empty() ? check.status : check.conclusion},
                      {"description", check.title},
                      {"url", check.details_url}});
  }
  object["checks"] = std::move(checks);
  return {};
}

Result<io::HttpResponse> show_pull(const Services& services, io::HttpRequest& request) {
  const auto number = WEIR_TRY(id_param(request, "id"));
  const auto pull = WEIR_TRY(services.pulls->find(request.params["repo"], number));
  auto object = shown(services, pull, request.identity);
  json::array reviews;
  for (const auto& review : WEIR_TRY(services.pulls->reviews(pull.issue.repo, number))) {
    reviews.push_back(with_author(services, forge::to_json(review)));
  }
  object["reviews"] = std::move(reviews);
  json::array comments;
  for (const auto& comment :
       WEIR_TRY(services.issues->comments(pull.issue.repo, fmt::format("issue/{}", number), 0, 100))) {
    auto one = with_author(services, forge::to_json(comment));
    if (const auto hidden = WEIR_TRY(forge::HiddenComments(*services.db).of(comment.id)))
      one["hidden"] = hidden->reason;
    comments.push_back(std::move(one));
  }
  object["comments"] = std::move(comments);
  WEIR_TRY(add_checks(services, pull, object));
  return io::json_response(200, object);
}

Result<io::HttpResponse> change_pull(const Services& services, io::HttpRequest& request) {
  const auto body = WEIR_TRY(body_object(request));
  forge::Pulls::Change change;
  change.issue.title = WEIR_TRY(optional_text(body, "title"));
  change.issue.body = WEIR_TRY(optional_text(body, "body"));
  change.issue.open = WEIR_TRY(optional_open(body));
  change.base = WEIR_TRY(optional_text(body, "base"));
  change.draft = WEIR_TRY(optional_bool(body, "draft"));
  const auto number = WEIR_TRY(id_param(request, "id"));
  const auto before = WEIR_TRY(services.pulls->find(request.params["repo"], number));
  if (before.issue.author != request.identity.name) {
    WEIR_TRY(services.access->allow(request.identity, access::Permission::kPush, "repo/" + before.issue.repo));
  }
  return io::json_response(
      200, shown(services, WEIR_TRY(services.pulls->change(before.issue.repo, number, change, request.identity)),
                 request.identity));
}

// Keys stand in the text, where neither people nor pages see them.
Result<std::string> key_mark(const std::string& key) {
  constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  const bool fits =
      !key.empty() && key.size() <= 100 && kLetters.contains(key.front()) && key.find("--") == std::string::npos &&
      std::ranges::all_of(key, [&](char c) { return kLetters.contains(c) || std::string_view("._/ -").contains(c); });
  if (fits) return fmt::format("<!-- weir: {} -->", key);
  return fail(
      Code::kInvalidArgument,
      "the key \"{}\" must begin with a letter or digit and have at most 100 letters, digits, blanks and . _ / -",
      key.substr(0, 120));
}

// The newest comment of the caller's with the mark. Jobs have theirs in common.
Result<std::optional<forge::Comment>> comment_with(const Services& services, const std::string& repo,
                                                   const std::string& subject, std::string_view mark,
                                                   const types::Identity& identity) {
  constexpr std::int64_t kPage = 100;
  std::optional<forge::Comment> found;
  for (std::int64_t after = 0;;) {
    auto page = WEIR_TRY(services.issues->comments(repo, subject, after, kPage));
    if (!page.empty()) after = page.back().id;
    const bool last = std::ssize(page) < kPage;
    for (auto& one : page) {
      const bool own = identity.job_id ? one.author.starts_with("job:") : one.author == identity.name;
      if (own && one.body.ends_with(mark)) found = std::move(one);
    }
    if (last) return found;
  }
}

Result<io::HttpResponse> comment(const Services& services, io::HttpRequest& request) {
  static std::mutex keyed;  // two that come at once make one comment
  const auto body = WEIR_TRY(body_object(request));
  forge::Comment said{.repo = request.params["repo"],
                      .subject = fmt::format("issue/{}", WEIR_TRY(id_param(request, "id"))),
                      .body = WEIR_TRY(json_require_string(body, "body"))};
  const auto key = json_string(body, "key");
  if (!key) {
    const auto made = WEIR_TRY(services.issues->comment(said, request.identity));
    return io::json_response(201, with_author(services, forge::to_json(made)));
  }
  const auto mark = WEIR_TRY(key_mark(*key));
  said.body.resize(said.body.find_last_not_of(" \t\r\n") + 1);
  if (said.body.empty()) return fail(Code::kInvalidArgument, "the comment must not be empty");
  said.body += "\n\n" + mark;
  const std::scoped_lock lock(keyed);
  const auto before = WEIR_TRY(comment_with(services, said.repo, said.subject, mark, request.identity));
  if (!before) {
    const auto made = WEIR_TRY(services.issues->comment(said, request.identity));
    return io::json_response(201, with_author(services, forge::to_json(made)));
  }
  const auto changed = WEIR_TRY(services.issues->change_comment(said.repo, before->id, said.body, request.identity));
  return io::json_response(200, with_author(services, forge::to_json(changed)));
}

Result<io::HttpResponse> review(const Services& services, io::HttpRequest& request) {
  const auto body = WEIR_TRY(body_object(request));
  const auto number = WEIR_TRY(id_param(request, "id"));
  const auto state = WEIR_TRY(forge::parse_review_state(WEIR_TRY(json_require_string(body, "state"))));
  // An approval counts: it is for those who may push themselves.
  if (state == forge::ReviewState::kApproved) {
    WEIR_TRY(services.access->allow(request.identity, access::Permission::kPush, "repo/" + request.params["repo"]));
  }
  const auto made = WEIR_TRY(services.pulls->review(request.params["repo"], number, state,
                                                    json_string_or(body, "body", ""), request.identity));
  return io::json_response(201, with_author(services, forge::to_json(made)));
}

Result<io::HttpResponse> dismiss_review(const Services& services, io::HttpRequest& request) {
  const auto body = WEIR_TRY(body_object(request));
  const auto dismissed = WEIR_TRY(services.pulls->dismiss_review(
      request.params["repo"], WEIR_TRY(id_param(request, "id")), WEIR_TRY(id_param(request, "review")),
      WEIR_TRY(json_require_string(body, "message")), request.identity));
  return io::json_response(200, with_author(services, forge::to_json(dismissed)));
}

Result<io::HttpResponse> merge(const Services& services, io::HttpRequest& request) {
  const auto body = WEIR_TRY(body_object(request));
  const auto number = WEIR_TRY(id_param(request, "id"));
  const auto pull = WEIR_TRY(services.pulls->find(request.params["repo"], number));
  WEIR_TRY(may_merge(services, pull, request.identity));
  const auto method = WEIR_TRY(forge::parse_merge_method(json_string_or(body, "method", "merge")));
  const auto message = json_string_or(body, "message", "");
  if (method == forge::MergeMethod::kRebase && !message.empty()) {
    return fail(Code::kInvalidArgument, "commits that are rebased keep their own messages: leave `message` away");
  }
  const auto merged = WEIR_TRY(services.pulls->merge(pull.issue.repo, number, method, message,
                                                     json_string_or(body, "head", ""), request.identity));
  return io::json_response(200, shown(services, merged, request.identity));
}

}  // namespace

Result<void> may_merge(const Services& services, const forge::Pull& pull, const types::Identity& identity) {
  const auto config = services.config->of(pull.issue.repo);
  const auto branch = event::short_ref(pull.base_ref);
  const auto* rule = config->branch(branch);
  const bool guarded = rule != nullptr && (!rule->checks.empty() || rule->reviews > 0);
  const auto git = WEIR_TRY(services.git(pull.issue.repo));
  if (!guarded && pull.base_ref == git.head_ref().value_or("refs/heads/main")) {
    return services.access->allow(identity, access::Permission::kPushProtected,
                                  fmt::format("repo/{} {}", pull.issue.repo, pull.base_ref));
  }
  return services.access->allow(identity, access::Permission::kPush, "repo/" + pull.issue.repo);
}

void add_pull_routes(RouteTable& table, const Services& services) {
  using access::Permission;
  const auto bind = [&services](auto function) {
    return [&services, function](io::HttpRequest& request) { return function(services, request); };
  };
  table.add({.method = "POST",
             .pattern = "/api/v1/repos/{repo}/pulls",
             .permission = Permission::kPropose,
             .id = "openPull",
             .summary = "Opens a pull request of one branch into another.",
             .request = "PullRequest",
             .answer = "Pull",
             .status = 201},
            bind(open_pull));
  table.add({.method = "GET",
             .pattern = "/api/v1/pulls",
             .id = "listAllPulls",
             .summary = "Pull requests of all repositories, newest first.",
             .query = {{"state", "string", "open (unless given), closed or all."},
                       {"repo", "string", "Only of this repository."},
                       {"waiting", "boolean", "Only open ones that wait for the caller's review."},
                       {"skip", "integer", "The next page: how many to leave out."},
                       {"limit", "integer", "1 to 100; 30 unless given."}},
             .answer = "AllPulls"},
            bind(list_all_pulls));
  table.add({.method = "GET",
             .pattern = "/api/v1/repos/{repo}/pulls",
             .id = "listPulls",
             .summary = "Pull requests, newest first.",
             .query = {{"state", "string", "open (unless given), closed or all."},
                       {"before", "integer", "Only numbers below it."},
                       {"limit", "integer", "1 to 100; 30 unless given."}},
             .answer = "PullList"},
            bind(list_pulls));
  table.add({.method = "GET",
             .pattern = "/api/v1/repos/{repo}/pulls/{id}",
             .id = "getPull",
             .summary = "A pull request with its reviews, comments and workflow runs.",
             .answer = "Pull"},
            bind(show_pull));
  table.add({.method = "PATCH",
             .pattern = "/api/v1/repos/{repo}/pulls/{id}",
             .permission = Permission::kPropose,
             .id = "changePull",
             .summary = "Changes a pull request's title, text, base, draft state, or closes or reopens it.",
             .request = "PullChange",
             .answer = "Pull"},
            bind(change_pull));
  table.add({.method = "POST",
             .pattern = "/api/v1/repos/{repo}/pulls/{id}/comments",
             .permission = Permission::kPropose,
             .id = "commentPull",
             .summary = "Says something about a pull request, or an issue; with a key, in the comment that has it.",
             .request = "CommentRequest",
             .answer = "Comment",
             .status = 201,
             .other_status = 200},
            bind(comment));
  table.add({.method = "POST",
             .pattern = "/api/v1/repos/{repo}/pulls/{id}/reviews",
             .permission = Permission::kPropose,
             .id = "reviewPull",
             .summary = "Approves a pull request, asks for changes, or comments on it.",
             .request = "ReviewRequest",
             .answer = "Review",
             .status = 201},
            bind(review));
  table.add({.method = "POST",
             .pattern = "/api/v1/repos/{repo}/pulls/{id}/reviews/{review}/dismiss",
             .permission = Permission::kPropose,
             .id = "dismissReview",
             .summary = "Takes back that somebody approved a pull request or asked for changes; for approvers.",
             .request = "DismissRequest",
             .answer = "Review"},
            bind(dismiss_review));
  table.add({.method = "POST",
             .pattern = "/api/v1/repos/{repo}/pulls/{id}/merge",
             .permission = Permission::kPush,
             .id = "mergePull",
             .summary = "Puts a pull request onto its base branch, if the branch's rules allow it.",
             .request = "MergeRequest",
             .answer = "Pull"},
            bind(merge));
}

}  // namespace weir::api
