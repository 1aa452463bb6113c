// Reviews of pull requests, and whom they ask for one: https://docs.github.com/en/rest/pulls/reviews
#include <algorithm>

#include "api/github/answers.h"
#include "api/github/needs.h"

namespace weir::api::github {
namespace {

using access::Permission;
using forge::Pull;
using forge::Review;

constexpr Need kReads = needs::kReadPulls;
constexpr Need kWrites = needs::kWritePulls;
constexpr Need kAsks{"pull-requests", Level::kWrite, Permission::kPush};
constexpr std::string_view kNoPending = "weir keeps no pending reviews";

Result<Pull> pull_of(const Call& call) {
  return call.services().pulls->find(call.repo, WEIR_TRY(call.number("number")));
}

}  // namespace

json::object review_json(const Call& call, std::int64_t pull, const Review& review) {
  auto object = forge::to_json(review);
  object["node_id"] = call.node_id("review", fmt::format("{}/{}", pull, review.id));
  object["user"] = user_json(call, review.author);
  object["html_url"] = call.page_url(fmt::format("/pulls/{}/{}", call.repo, pull));
  object["pull_request_url"] = call.api_url(fmt::format("/pulls/{}", pull));
  if (const auto* standing = call.services().issues->standing()) {
    standing->put(object, {call.repo, review.author, review.author_rank});
  }
  return object;
}

namespace {

Result<io::HttpResponse> list_reviews(Call& call) {
  const auto pull = WEIR_TRY(pull_of(call));
  const auto reviews = WEIR_TRY(call.services().pulls->reviews(call.repo, pull.issue.number));
  return paged(call, reviews, [&](const Review& review) { return review_json(call, pull.issue.number, review); });
}

Result<io::HttpResponse> create_review(Call& call) {
  const auto pull = WEIR_TRY(pull_of(call));
  WEIR_TRY(
      refuse_member(call.body, "comments", "weir takes comments on lines one by one, at /pulls/{number}/comments"));
  const auto event = json_string_or(call.body, "event", "");
  forge::ReviewState state{};
  if (event == "APPROVE") {
    state = forge::ReviewState::kApproved;
    // An approval counts: it is for those who may push themselves.
    WEIR_TRY(call.services().access->allow(call.identity(), Permission::kPush, "repo/" + call.repo));
  } else if (event == "REQUEST_CHANGES") {
    state = forge::ReviewState::kChangesRequested;
  } else if (event == "COMMENT") {
    state = forge::ReviewState::kCommented;
  } else {
    return fail(Code::kInvalidArgument, "event must be APPROVE, REQUEST_CHANGES or COMMENT, not \"{}\": {}",
                event.substr(0, 80), kNoPending);
  }
  const auto review = WEIR_TRY(call.services().pulls->review(call.repo, pull.issue.number, state,
                                                             json_string_or(call.body, "body", ""), call.identity()));
  return io::json_response(200, review_json(call, pull.issue.number, review));
}

Result<io::HttpResponse> get_review(Call& call) {
  const auto number = WEIR_TRY(call.number("number"));
  const auto review = call.services().pulls->find_review(call.repo, number, WEIR_TRY(call.number("id")));
  return io::json_response(200, review_json(call, number, WEIR_TRY(review)));
}

Result<io::HttpResponse> change_review(Call& call) {
  const auto number = WEIR_TRY(call.number("number"));
  const auto review =
      call.services().pulls->change_review(call.repo, number, WEIR_TRY(call.number("id")),
                                           WEIR_TRY(json_require_string(call.body, "body")), call.identity());
  return io::json_response(200, review_json(call, number, WEIR_TRY(review)));
}

Result<io::HttpResponse> dismiss_review(Call& call) {
  const auto number = WEIR_TRY(call.number("number"));
  const auto review =
      call.services().pulls->dismiss_review(call.repo, number, WEIR_TRY(call.number("id")),
                                            WEIR_TRY(json_require_string(call.body, "message")), call.identity());
  return io::json_response(200, review_json(call, number, WEIR_TRY(review)));
}

// Deleting and submitting are for reviews that are pending, which none ever is.
Result<io::HttpResponse> refuse_pending(Call& call) {
  const auto id = WEIR_TRY(call.number("id"));
  WEIR_TRY(call.services().pulls->find_review(call.repo, WEIR_TRY(call.number("number")), id));
  return fail(Code::kFailedPrecondition, "review {} was submitted: {}", id, kNoPending);
}

Result<std::vector<std::string>> reviewers_in(const Call& call) {
  WEIR_TRY(refuse_member(call.body, "team_reviewers", "weir has no teams"));
  auto names = WEIR_TRY(names_in(call.body, "reviewers"));
  if (!names) return fail(Code::kInvalidArgument, "reviewers must be an array of names");
  return *std::move(names);
}

Result<io::HttpResponse> list_requested(Call& call) {
  const auto pull = WEIR_TRY(pull_of(call));
  return io::json_response(200, json::object{{"users", people_json(call, pull.requested)}, {"teams", json::array()}});
}

// Only who may review what counts can be asked for it: those who hold a token that may push.
Result<void> check_collaborators(const Call& call, const std::vector<std::string>& names) {
  const auto tokens = WEIR_TRY(call.services().access->tokens());
  const auto least = access::required_role(Permission::kPush);
  for (const auto& name : names) {
    const bool known =
        std::ranges::any_of(tokens, [&](const auto& token) { return token.name == name && token.role >= least; });
    if (known) continue;
    return fail(Code::kInvalidArgument,
                "Reviews may only be requested from collaborators. One or more of the users or teams you specified is "
                "not a collaborator of the {} repository: {}",
                call.full_name(), name.substr(0, 80));
  }
  return {};
}

Result<io::HttpResponse> request_reviewers(Call& call) {
  const auto names = WEIR_TRY(reviewers_in(call));
  WEIR_TRY(check_collaborators(call, names));
  const auto pull =
      call.services().pulls->request_reviewers(call.repo, WEIR_TRY(call.number("number")), names, call.identity());
  return io::json_response(201, pull_json(call, WEIR_TRY(pull)));
}

Result<io::HttpResponse> withdraw_requests(Call& call) {
  const auto names = WEIR_TRY(reviewers_in(call));
  const auto pull =
      call.services().pulls->withdraw_requests(call.repo, WEIR_TRY(call.number("number")), names, call.identity());
  return io::json_response(200, pull_json(call, WEIR_TRY(pull)));
}

}  // namespace

void add_review_routes(Routes& routes) {
  routes.repo("GET", "/pulls/{number}/reviews", kReads, list_reviews);
  routes.repo("POST", "/pulls/{number}/reviews", kWrites, create_review);
  routes.repo("GET", "/pulls/{number}/reviews/{id}", kReads, get_review);
  routes.repo("PUT", "/pulls/{number}/reviews/{id}", kWrites, change_review);
  routes.repo("DELETE", "/pulls/{number}/reviews/{id}", kWrites, refuse_pending);
  routes.repo("PUT", "/pulls/{number}/reviews/{id}/dismissals", kWrites, dismiss_review);
  routes.repo("POST", "/pulls/{number}/reviews/{id}/events", kWrites, refuse_pending);
  routes.repo("GET", "/pulls/{number}/requested_reviewers", kReads, list_requested);
  routes.repo("POST", "/pulls/{number}/requested_reviewers", kAsks, request_reviewers);
  routes.repo("DELETE", "/pulls/{number}/requested_reviewers", kAsks, withdraw_requests);
}

}  // namespace weir::api::github
