// What people think of a pull request, and whom it asks.
#include <algorithm>

#include "event/occurrence.h"
#include "event/payload.h"
#include "forge/issue_events.h"
#include "forge/pull_rows.h"
#include "types/event.h"

namespace weir::forge {
namespace {

constexpr std::size_t kRequestedMax = 15;  // as many as GitHub asks

bool is_verdict(const Review& review) {
  return review.state == ReviewState::kApproved || review.state == ReviewState::kChangesRequested;
}

// Jobs share what they say, as everything that GitHub's own token writes is by one author.
bool is_own(const Review& review, const types::Identity& identity) {
  return review.author == identity.name || (identity.job_id && review.author.starts_with("job:"));
}

// What a job takes back must not be what keeps a pull request from being merged.
bool may_dismiss(const Review& review, const types::Identity& identity) {
  if (is_own(review, identity)) return true;
  if (identity.job_id) return review.state == ReviewState::kApproved;
  return identity.role && *identity.role >= types::Role::kApprover;
}

}  // namespace

std::string_view review_state_name(ReviewState state) {
  switch (state) {
    case ReviewState::kApproved: return "APPROVED";
    case ReviewState::kChangesRequested: return "CHANGES_REQUESTED";
    case ReviewState::kCommented: return "COMMENTED";
    case ReviewState::kDismissed: return "DISMISSED";
  }
  return "COMMENTED";
}

Result<ReviewState> parse_review_state(std::string_view name) {
  if (name == "APPROVE" || name == "APPROVED" || name == "approve") return ReviewState::kApproved;
  if (name == "REQUEST_CHANGES" || name == "CHANGES_REQUESTED" || name == "request-changes") {
    return ReviewState::kChangesRequested;
  }
  if (name == "COMMENT" || name == "COMMENTED" || name == "comment") return ReviewState::kCommented;
  return fail(Code::kInvalidArgument, "\"{}\" is no review; there are approve, request-changes and comment", name);
}

// Writes a review's coming or change, and starts what listens to it.
Result<void> Pulls::tell_review(const Pull& pull, const Review& review, std::string_view action, json::object changes,
                                const types::Identity& identity,
                                const std::function<Result<void>(store::Transaction&)>& write) {
  json::object payload{{"review", to_json(review)}};
  if (deps_.standing != nullptr) {
    deps_.standing->put(payload["review"].as_object(), {pull.issue.repo, review.author, review.author_rank});
  }
  if (!changes.empty()) payload["changes"] = std::move(changes);
  const auto occurrence =
      occurrence_of(pull, "pull_request_review", action, std::move(payload), identity, deps_.standing);
  WEIR_TRY(deps_.triggers->occurred(pull.issue.repo, {occurrence}, identity,
                                    [&](store::Transaction& tx) -> Result<std::int64_t> {
                                      WEIR_TRY(write(tx));
                                      return tx.append({.type = std::string(types::event_type::kPullReviewed),
                                                        .actor = identity.name,
                                                        .subject = subject_of(pull),
                                                        .payload = {{"state", review_state_name(review.state)},
                                                                    {"commit", review.commit},
                                                                    {"action", action},
                                                                    {"author", review.author}}});
                                    }));
  return {};
}

Result<Review> Pulls::review(const std::string& repo, std::int64_t number, ReviewState state, const std::string& body,
                             const types::Identity& identity) {
  const std::scoped_lock lock(mutex_);
  auto pull = WEIR_TRY(find(repo, number));
  if (!pull.issue.open) return fail(Code::kFailedPrecondition, "pull request #{} is closed", number);
  if (state == ReviewState::kApproved && (identity.name == pull.issue.author || identity.job_id)) {
    return fail(Code::kPermissionDenied, "{} may not approve pull request #{}: somebody other than {} must",
                identity.name, number, pull.issue.author);
  }
  if (state != ReviewState::kApproved && body.empty()) {
    return fail(Code::kInvalidArgument, "a review that does not approve needs a text");
  }
  if (body.size() > kBodyMax) return fail(Code::kInvalidArgument, "the text may have {} bytes", kBodyMax);
  Review review{.id = WEIR_TRY(reserve_number(*deps_.db, "review")),
                .author = identity.name,
                .author_rank = rank_of(identity),
                .state = state,
                .body = body,
                .commit = pull.head_sha};
  review.submitted_at = deps_.clock->now();
  const bool was_asked = std::erase(pull.requested, identity.name) > 0;
  WEIR_TRY(tell_review(pull, review, "submitted", {}, identity, [&](store::Transaction& tx) -> Result<void> {
    if (was_asked) WEIR_TRY(update_pull(tx, pull));
    return insert_review(tx, repo, number, review);
  }));
  return review;
}

Result<std::vector<Review>> Pulls::reviews(const std::string& repo, std::int64_t number) {
  return deps_.db->load<std::vector<Review>>([&](store::Reader& reader) { return load_reviews(reader, repo, number); });
}

Result<std::vector<UnderReview>> Pulls::under_review(const std::string& repo) {
  return deps_.db->load<std::vector<UnderReview>>(
      [&](store::Reader& reader) { return load_under_review(reader, repo); });
}

Result<Review> Pulls::find_review(const std::string& repo, std::int64_t number, std::int64_t id) {
  return deps_.db->load<Review>([&](store::Reader& reader) { return load_review(reader, repo, number, id); });
}

Result<Review> Pulls::change_review(const std::string& repo, std::int64_t number, std::int64_t id,
                                    const std::string& body, const types::Identity& identity) {
  const std::scoped_lock lock(mutex_);
  const auto pull = WEIR_TRY(find(repo, number));
  auto review = WEIR_TRY(find_review(repo, number, id));
  if (!is_own(review, identity)) {
    return fail(Code::kPermissionDenied, "review {} is by {}; {} may not change it", id, review.author, identity.name);
  }
  if (body.empty() && review.state != ReviewState::kApproved) {
    return fail(Code::kInvalidArgument, "a review that does not approve needs a text");
  }
  if (body.size() > kBodyMax) return fail(Code::kInvalidArgument, "the text may have {} bytes", kBodyMax);
  json::object changes{{"body", json::object{{"from", std::exchange(review.body, body)}}}};
  WEIR_TRY(tell_review(pull, review, "edited", std::move(changes), identity,
                       [&](store::Transaction& tx) { return update_review(tx, review); }));
  return review;
}

Result<Review> Pulls::dismiss_review(const std::string& repo, std::int64_t number, std::int64_t id,
                                     const std::string& message, const types::Identity& identity) {
  const std::scoped_lock lock(mutex_);
  const auto pull = WEIR_TRY(find(repo, number));
  auto review = WEIR_TRY(find_review(repo, number, id));
  if (!is_verdict(review)) {
    return fail(Code::kFailedPrecondition,
                "review {} neither approves nor asks for changes: there is nothing to dismiss", id);
  }
  if (!may_dismiss(review, identity)) {
    return fail(Code::kPermissionDenied,
                "{} may not dismiss the review of {}: that is for its author and for approvers", identity.name,
                review.author);
  }
  if (message.find_first_not_of(" \t\r\n") == std::string::npos) {
    return fail(Code::kInvalidArgument, "message: say why the review is dismissed");
  }
  if (message.size() > kTitleMax) return fail(Code::kInvalidArgument, "message may have {} bytes", kTitleMax);
  review.state = ReviewState::kDismissed;
  review.dismissed_by = identity.name;
  review.dismissal = message;
  const IssueEvent event{
      .event = "review_dismissed",
      .detail = {{"dismissed_review",
                  json::object{{"state", "dismissed"}, {"review_id", id}, {"dismissal_message", message}}}}};
  WEIR_TRY(tell_review(pull, review, "dismissed", {}, identity, [&](store::Transaction& tx) -> Result<void> {
    WEIR_TRY(insert_issue_events(tx, pull.issue, identity.name, {event}));
    return update_review(tx, review);
  }));
  return review;
}

Result<Pull> Pulls::request_reviewers(const std::string& repo, std::int64_t number,
                                      const std::vector<std::string>& names, const types::Identity& identity) {
  const std::scoped_lock lock(mutex_);
  auto pull = WEIR_TRY(find(repo, number));
  std::vector<Activity> activities;
  for (const auto& name : names) {
    if (name.empty() || name.size() > 255) return fail(Code::kInvalidArgument, "reviewers: a name has 1 to 255 bytes");
    if (name == pull.issue.author) {
      return fail(Code::kInvalidArgument, "Review cannot be requested from pull request author.");
    }
    if (std::ranges::find(pull.requested, name) != pull.requested.end()) continue;
    pull.requested.push_back(name);
    activities.push_back(
        {.action = "review_requested", .payload = {{"requested_reviewer", event::user_payload(name)}}});
  }
  if (pull.requested.size() > kRequestedMax) {
    return fail(Code::kInvalidArgument, "at most {} people may be asked to review a pull request", kRequestedMax);
  }
  if (activities.empty()) return pull;
  WEIR_TRY(tell(pull, std::move(activities), types::event_type::kPullUpdated, identity,
                [&](store::Transaction& tx) { return update_pull(tx, pull); }));
  return pull;
}

Result<Pull> Pulls::withdraw_requests(const std::string& repo, std::int64_t number,
                                      const std::vector<std::string>& names, const types::Identity& identity) {
  const std::scoped_lock lock(mutex_);
  auto pull = WEIR_TRY(find(repo, number));
  std::vector<Activity> activities;
  for (const auto& name : names) {
    if (std::erase(pull.requested, name) == 0) continue;
    activities.push_back(
        {.action = "review_request_removed", .payload = {{"requested_reviewer", event::user_payload(name)}}});
  }
  if (activities.empty()) return pull;
  WEIR_TRY(tell(pull, std::move(activities), types::event_type::kPullUpdated, identity,
                [&](store::Transaction& tx) { return update_pull(tx, pull); }));
  return pull;
}

json::object to_json(const Review& review) {
  return {{"id", review.id},
          {"user", event::user_payload(review.author)},
          {"author_association", association_of(review.author_rank)},
          {"state", review_state_name(review.state)},
          {"body", review.body},
          {"commit_id", review.commit},
          {"dismissed_by", review.dismissed_by.empty() ? json::value() : json::value(review.dismissed_by)},
          {"dismissal_message", review.dismissal.empty() ? json::value() : json::value(review.dismissal)},
          {"submitted_at", to_iso8601(review.submitted_at)}};
}

}  // namespace weir::forge
