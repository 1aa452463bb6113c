#include "api/weir/routes.h"
#include "event/source.h"

// Pull requests and what is said about them.
namespace weir::api {
namespace {

json::object shown(const Services& services, const forge::Pull& pull) {
  auto object = forge::to_json(pull);
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
                                                   .base = json_string_or(body, "base", ""),
                                                   .title = json_string_or(body, "title", ""),
                                                   .body = json_string_or(body, "body", ""),
                                                   .draft = json_bool_or(body, "draft", false),
                                                   .is_foreign = foreign},
                                                  request.identity));
  return io::json_response(201, shown(services, pull));
}

Result<io::HttpResponse> list_pulls(const Services& services, io::HttpRequest& request) {
  const forge::IssueFilter filter{.open = WEIR_TRY(open_filter(request)),
                                  .before = WEIR_TRY(number_query(request, "before", 0, 0, 1LL << 53)),
                                  .limit = WEIR_TRY(number_query(request, "limit", 30, 1, 100))};
  json::array list;
  for (const auto& pull : WEIR_TRY(services.pulls->list(request.params["repo"], filter))) {
    list.push_back(shown(services, pull));
  }
  return io::json_response(200, json::object{{"pulls", std::move(list)}});
}

Result<io::HttpResponse> show_pull(const Services& services, io::HttpRequest& request) {
  const auto number = WEIR_TRY(id_param(request, "id"));
  const auto pull = WEIR_TRY(services.pulls->find(request.params["repo"], number));
  auto object = shown(services, pull);
  json::array reviews;
  for (const auto& review : WEIR_TRY(services.pulls->reviews(pull.issue.repo, number))) {
    reviews.push_back(forge::to_json(review));
  }
  object["reviews"] = std::move(reviews);
  json::array comments;
  for (const auto& comment :
       WEIR_TRY(services.issues->comments(pull.issue.repo, fmt::format("issue/{}", number), 0, 100))) {
    comments.push_back(forge::to_json(comment));
  }
  object["comments"] = std::move(comments);
  json::array runs;
  for (const auto& run : WEIR_TRY(services.engine->runs({.repo = pull.issue.repo, .commit = pull.merge_sha}))) {
    runs.push_back(engine::to_json(run));
  }
  object["runs"] = pull.merge_sha.empty() ? json::array() : std::move(runs);
  return io::json_response(200, object);
}

Result<io::HttpResponse> change_pull(const Services& services, io::HttpRequest& request) {
  const auto body = WEIR_TRY(body_object(request));
  forge::Pulls::Change change;
  if (auto title = json_string(body, "title")) change.issue.title = *std::move(title);
  if (auto text = json_string(body, "body")) change.issue.body = *std::move(text);
  if (const auto state = json_string(body, "state")) change.issue.open = *state == "open";
  if (auto base = json_string(body, "base")) change.base = *std::move(base);
  if (const auto* draft = json_find(body, "draft"); draft != nullptr && draft->is_bool()) {
    change.draft = draft->get_bool();
  }
  const auto number = WEIR_TRY(id_param(request, "id"));
  const auto before = WEIR_TRY(services.pulls->find(request.params["repo"], number));
  if (before.issue.author != request.identity.name) {
    WEIR_TRY(services.access->allow(request.identity, access::Permission::kPush, "repo/" + before.issue.repo));
  }
  return io::json_response(
      200, shown(services, WEIR_TRY(services.pulls->change(before.issue.repo, number, change, request.identity))));
}

Result<io::HttpResponse> comment(const Services& services, io::HttpRequest& request) {
  const auto body = WEIR_TRY(body_object(request));
  const auto number = WEIR_TRY(id_param(request, "id"));
  const auto made = WEIR_TRY(services.issues->comment({.repo = request.params["repo"],
                                                       .subject = fmt::format("issue/{}", number),
                                                       .body = WEIR_TRY(json_require_string(body, "body"))},
                                                      request.identity));
  return io::json_response(201, forge::to_json(made));
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
  return io::json_response(201, forge::to_json(made));
}

// A branch that asks for something takes what has it from everybody who may push; one without rules only from those
// who may push to it.
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

Result<io::HttpResponse> merge(const Services& services, io::HttpRequest& request) {
  const auto body = WEIR_TRY(body_object(request));
  const auto number = WEIR_TRY(id_param(request, "id"));
  const auto pull = WEIR_TRY(services.pulls->find(request.params["repo"], number));
  WEIR_TRY(may_merge(services, pull, request.identity));
  const auto method = json_string_or(body, "method", "merge");
  if (method != "merge" && method != "squash") {
    return fail(Code::kInvalidArgument, "method must be merge or squash, not \"{}\"", method);
  }
  const auto merged = WEIR_TRY(services.pulls->merge(
      pull.issue.repo, number, method == "squash" ? forge::MergeMethod::kSquash : forge::MergeMethod::kMerge,
      json_string_or(body, "message", ""), json_string_or(body, "head", ""), request.identity));
  return io::json_response(200, shown(services, merged));
}

}  // namespace

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
             .summary = "Says something about a pull request, or an issue.",
             .request = "CommentRequest",
             .answer = "Comment",
             .status = 201},
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
             .pattern = "/api/v1/repos/{repo}/pulls/{id}/merge",
             .permission = Permission::kPush,
             .id = "mergePull",
             .summary = "Puts a pull request onto its base branch, if the branch's rules allow it.",
             .request = "MergeRequest",
             .answer = "Pull"},
            bind(merge));
}

}  // namespace weir::api
