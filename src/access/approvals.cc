#include "access/approvals.h"

#include <algorithm>
#include <charconv>

#include "base/hash.h"
#include "types/event.h"

namespace weir::access {
namespace {

namespace event_type = types::event_type;

constexpr std::string_view kSelf = "weir";
constexpr std::string_view kLinkPurpose = "approval-link";
constexpr std::size_t kLinkBytesMax = 1'000;

constexpr std::string_view kColumns =
    "id, state, environment, subject, summary, requested_by, requested_at, ref, run_id, job_id, reviewers, "
    "self_review, "
    "wait_until, reviewed_by, decided_at, comment, bypassed, event, expires_at, repository";

Approval read_approval(const store::Row& row) {
  Approval approval;
  approval.id = row.integer(0);
  approval.state = static_cast<ApprovalState>(row.integer(1));
  approval.environment = row.string(2);
  approval.subject = row.string(3);
  approval.summary = row.string(4);
  approval.requested_by = row.string(5);
  approval.requested_at = row.time(6);
  approval.ref = row.string(7);
  approval.run_id = row.integer_or_null(8);
  approval.job_id = row.integer_or_null(9);
  if (const auto names = parse_json(row.text(10), "reviewers"); names && names->is_array()) {
    for (const auto& name : names->get_array()) approval.reviewers.emplace_back(name.as_string());
  }
  approval.self_review = row.boolean(11);
  if (!row.is_null(12)) approval.wait_until = row.time(12);
  approval.reviewed_by = row.string_or_null(13);
  if (!row.is_null(14)) approval.decided_at = row.time(14);
  approval.comment = row.string(15);
  approval.bypassed = row.boolean(16);
  approval.event = row.integer(17);
  approval.expires_at = row.time(18);
  approval.repository = row.string(19);
  return approval;
}

json::array names_json(const std::vector<std::string>& names) {
  json::array array;
  for (const auto& name : names) array.emplace_back(name);
  return array;
}

Result<void> insert(store::Transaction& tx, const Approval& approval) {
  WEIR_TRY(tx.execute(
      "INSERT INTO access_approvals(id, state, environment, subject, summary, requested_by, requested_at, ref, run_id, "
      "job_id, reviewers, self_review, wait_until, comment, bypassed, event, expires_at, repository) "
      "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', 0, ?, ?, ?)",
      {approval.id, static_cast<int>(approval.state), approval.environment, approval.subject, approval.summary,
       approval.requested_by, approval.requested_at, approval.ref, approval.run_id, approval.job_id,
       json::serialize(names_json(approval.reviewers)), approval.self_review, approval.wait_until, approval.event,
       approval.expires_at, approval.repository}));
  return {};
}

Result<void> update(store::Transaction& tx, const Approval& approval) {
  WEIR_TRY(
      tx.execute("UPDATE access_approvals SET state = ?, reviewed_by = ?, decided_at = ?, comment = ?, bypassed = ?, "
                 "event = ? WHERE id = ?",
                 {static_cast<int>(approval.state), approval.reviewed_by, approval.decided_at, approval.comment,
                  approval.bypassed, approval.event, approval.id}));
  return {};
}

// What every approval.* event tells.
json::object payload_of(const Approval& approval) {
  json::object payload{{"environment", approval.environment},
                       {"subject", approval.subject},
                       {"summary", approval.summary},
                       {"requested_by", approval.requested_by},
                       {"reviewers", names_json(approval.reviewers)}};
  if (!approval.repository.empty()) payload["repository"] = approval.repository;
  if (approval.run_id) payload["run"] = *approval.run_id;
  if (approval.job_id) payload["job"] = *approval.job_id;
  return payload;
}

// Closes `approval` as `state`, with its event caused by the newest one about it.
Result<void> decide(store::Transaction& tx, Approval& approval, ApprovalState state, std::string_view actor,
                    std::int64_t cause, bool by_link = false) {
  approval.state = state;
  approval.decided_at = tx.now();
  auto payload = payload_of(approval);
  if (approval.reviewed_by) payload["by"] = *approval.reviewed_by;
  if (!approval.comment.empty()) payload[state == ApprovalState::kExpired ? "reason" : "comment"] = approval.comment;
  if (approval.bypassed) payload["bypassed"] = true;
  if (by_link) payload["via"] = "link";
  const std::string_view type = state == ApprovalState::kGranted    ? event_type::kApprovalGranted
                                : state == ApprovalState::kRejected ? event_type::kApprovalRejected
                                                                    : event_type::kApprovalExpired;
  approval.event = WEIR_TRY(tx.append({.type = std::string(type),
                                       .actor = std::string(actor),
                                       .subject = fmt::format("approval/{}", approval.id),
                                       .cause = cause != 0 ? cause : approval.event,
                                       .payload = std::move(payload)}));
  return update(tx, approval);
}

std::string either_of(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i > 0) text += i + 1 == names.size() ? " or " : ", ";
    text += names[i];
  }
  return text;
}

bool is_reviewer(const Approval& approval, std::string_view name) {
  return std::find(approval.reviewers.begin(), approval.reviewers.end(), name) != approval.reviewers.end();
}

Result<void> check_pending(const Approval& approval) {
  if (approval.state == ApprovalState::kPending) return {};
  return fail(Code::kFailedPrecondition, "approval {} ({} to {}) was {} already{}", approval.id, approval.summary,
              approval.environment, approval_state_name(approval.state),
              approval.reviewed_by ? " by " + *approval.reviewed_by : "");
}

// An own request, where the environment does not allow self-review.
bool is_own(const Approval& approval, std::string_view name) {
  return name == approval.requested_by && !approval.self_review;
}

// May `identity` decide? Whom weir.yaml names may, whatever role their token has: that it was let into the default
// branch says so. The value tells whether it takes an admin's power to pass the rules by.
Result<bool> may_decide(const Approval& approval, const types::Identity& identity, bool granting) {
  const bool is_person = identity.role && !identity.job_id;
  if (!is_person) WEIR_TRY(allow(identity, Permission::kApprove, fmt::format("approval/{}", approval.id)));
  const bool admin = identity.role == types::Role::kAdmin;
  const bool listed = is_reviewer(approval, identity.name);
  const bool own = granting && is_own(approval, identity.name);
  if (listed && !own) return false;
  if (admin) return true;
  if (!listed) {
    return fail(Code::kPermissionDenied, "{} is not a reviewer of {}: {} may decide approval {}", identity.name,
                approval.environment, approval.reviewers.empty() ? "an admin" : either_of(approval.reviewers),
                approval.id);
  }
  return fail(Code::kPermissionDenied,
              "{} asked for approval {} and may not grant it: {} does not allow self-review. {} may, or an admin",
              identity.name, approval.id, approval.environment, either_of(approval.reviewers));
}

Result<void> check_branch(const config::Environment& environment, std::string_view ref) {
  static constexpr std::string_view kHeads = "refs/heads/";
  if (environment.branches.empty() || ref.empty()) return {};
  if (ref.starts_with(kHeads)) {
    const auto branch = ref.substr(kHeads.size());
    for (const auto& pattern : environment.branches) {
      if (branch_matches(branch, pattern)) return {};
    }
  }
  return fail(Code::kFailedPrecondition, "environment {} takes branch {} only, and this comes from {}",
              environment.name, either_of(environment.branches), ref);
}

std::int64_t number_of(std::string_view digits) {
  std::int64_t number = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return number;
}

std::string text_of_hex(std::string_view digits) {
  std::string text;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    unsigned byte = 0;
    std::from_chars(digits.data() + i, digits.data() + i + 2, byte, 16);
    text += static_cast<char>(byte);
  }
  return text;
}

}  // namespace

bool branch_matches(std::string_view branch, std::string_view pattern) {
  if (pattern.empty()) return branch.empty();
  if (pattern.starts_with("**")) {
    const auto rest = pattern.substr(
        pattern.find_first_not_of('*') == std::string_view::npos ? pattern.size() : pattern.find_first_not_of('*'));
    if (rest.empty()) return true;
    for (std::size_t i = 0; i <= branch.size(); ++i) {
      if (branch_matches(branch.substr(i), rest)) return true;
    }
    return false;
  }
  if (pattern.front() == '*') {
    for (std::size_t i = 0;; ++i) {
      if (branch_matches(branch.substr(i), pattern.substr(1))) return true;
      if (i == branch.size() || branch[i] == '/') return false;
    }
  }
  if (branch.empty()) return false;
  if (pattern.front() == '?' ? branch.front() == '/' : branch.front() != pattern.front()) return false;
  return branch_matches(branch.substr(1), pattern.substr(1));
}

Result<Approval> ApprovalDesk::request(store::Transaction& tx, const ApprovalRequest& request) {
  Approval approval;
  approval.repository = request.repository;
  approval.environment = request.environment;
  approval.subject = request.subject;
  approval.summary = request.summary;
  approval.requested_by = request.requested_by;
  approval.requested_at = tx.now();
  approval.ref = request.ref;
  approval.run_id = request.run_id;
  approval.job_id = request.job_id;
  Duration expires = config::Environment{}.expires;
  const auto config = config_ ? config_() : nullptr;
  if (const auto* environment = config ? config->environment_of(request.repository, request.environment) : nullptr) {
    WEIR_TRY(check_branch(*environment, request.ref));
    approval.reviewers = environment->reviewers;
    approval.self_review = environment->self_review;
    expires = environment->expires;
    if (environment->wait.count() > 0) approval.wait_until = tx.now() + environment->wait;
  }
  approval.expires_at = tx.now() + expires;
  approval.id = WEIR_TRY(tx.next_id("approval"));
  approval.event = WEIR_TRY(tx.append({.type = std::string(event_type::kApprovalRequested),
                                       .actor = request.requested_by,
                                       .subject = fmt::format("approval/{}", approval.id),
                                       .cause = request.cause,
                                       .payload = payload_of(approval)}));
  WEIR_TRY(insert(tx, approval));
  if (approval.reviewers.empty() && !approval.wait_until) {
    WEIR_TRY(decide(tx, approval, ApprovalState::kGranted, kSelf, 0));
  }
  return approval;
}

Result<Approval> ApprovalDesk::grant(std::int64_t id, const types::Identity& identity, std::string_view comment) {
  return db_.write_with<Approval>(
      [&](store::Transaction& tx) { return grant_in(tx, id, identity, comment, Via::kToken); });
}

Result<Approval> ApprovalDesk::reject(std::int64_t id, const types::Identity& identity, std::string_view comment) {
  return db_.write_with<Approval>(
      [&](store::Transaction& tx) { return reject_in(tx, id, identity, comment, Via::kToken); });
}

Result<Approval> ApprovalDesk::grant_in(store::Transaction& tx, std::int64_t id, const types::Identity& identity,
                                        std::string_view comment, Via via) {
  Approval approval = WEIR_TRY(get(tx, id));
  WEIR_TRY(check_pending(approval));
  const bool bypass = WEIR_TRY(may_decide(approval, identity, true));
  const bool waits = approval.wait_until && *approval.wait_until > tx.now();
  const bool agreed_before = approval.reviewed_by.has_value();
  if (agreed_before && !bypass) {
    return fail(Code::kFailedPrecondition, "{} granted approval {} already; it waits until {}", *approval.reviewed_by,
                id, to_iso8601(approval.wait_until.value_or(tx.now())));
  }
  approval.reviewed_by = identity.name;
  approval.comment = comment;
  approval.bypassed = bypass;
  // Only an admin cuts a wait short, by agreeing where nothing but time is missing.
  if (waits && !agreed_before && !approval.reviewers.empty()) {
    WEIR_TRY(update(tx, approval));
    return approval;
  }
  WEIR_TRY(decide(tx, approval, ApprovalState::kGranted, identity.name, 0, via == Via::kLink));
  return approval;
}

Result<Approval> ApprovalDesk::reject_in(store::Transaction& tx, std::int64_t id, const types::Identity& identity,
                                         std::string_view comment, Via via) {
  Approval approval = WEIR_TRY(get(tx, id));
  WEIR_TRY(check_pending(approval));
  approval.bypassed = WEIR_TRY(may_decide(approval, identity, false));
  approval.reviewed_by = identity.name;
  approval.comment = comment;
  WEIR_TRY(decide(tx, approval, ApprovalState::kRejected, identity.name, 0, via == Via::kLink));
  return approval;
}

// "<approval>.<expiry in seconds>.<reviewer as hex>.<signature>"
Result<std::string> ApprovalDesk::link(const Approval& approval, std::string_view reviewer) {
  WEIR_TRY(check_pending(approval));
  if (!is_reviewer(approval, reviewer)) {
    return fail(Code::kFailedPrecondition, "{} is not a reviewer of approval {}", reviewer, approval.id);
  }
  if (is_own(approval, reviewer)) {
    return fail(Code::kFailedPrecondition, "{} asked for approval {}: {} does not allow self-review", reviewer,
                approval.id, approval.environment);
  }
  const auto seconds = std::chrono::floor<std::chrono::seconds>(approval.expires_at.time_since_epoch()).count();
  const std::string told = fmt::format("{}.{}.{}", approval.id, seconds, hex_encode(reviewer));
  return told + "." + keys_.sign(kLinkPurpose, told);
}

Result<Access::Link> ApprovalDesk::read_link(store::Reader& reader, std::string_view link) {
  const auto refuse = [] {
    return fail(Code::kPermissionDenied, "this is no link that weir made for an approval; copy the whole of it");
  };
  const auto end = link.rfind('.');
  if (end == std::string_view::npos || link.size() > kLinkBytesMax) return refuse();
  const std::string_view told = link.substr(0, end);
  if (!equal_constant_time(keys_.sign(kLinkPurpose, told), link.substr(end + 1))) return refuse();
  // Signed: from here on it is as link() wrote it.
  const auto first = told.find('.');
  const auto second = told.find('.', first + 1);
  const std::int64_t id = number_of(told.substr(0, first));
  const std::int64_t expires = number_of(told.substr(first + 1, second - first - 1));
  Access::Link found{.approval = WEIR_TRY(get(reader, id)), .reviewer = text_of_hex(told.substr(second + 1))};
  WEIR_TRY(check_pending(found.approval));
  if (TimePoint{std::chrono::seconds{expires}} <= clock_.now()) {
    return fail(Code::kFailedPrecondition, "the link has expired, and approval {} with it", id);
  }
  const auto used = WEIR_TRY(reader.integer(
      "SELECT used_at FROM access_approval_links WHERE approval = ? AND reviewer = ?", {id, found.reviewer}));
  if (used) return fail(Code::kFailedPrecondition, "{} has used the link for approval {} already", found.reviewer, id);
  // A token can be revoked; a link ends when weir.yaml no longer names its reviewer.
  const auto config = config_ ? config_() : nullptr;
  const auto* environment =
      config ? config->environment_of(found.approval.repository, found.approval.environment) : nullptr;
  if (environment == nullptr ||
      std::ranges::find(environment->reviewers, found.reviewer) == environment->reviewers.end()) {
    return fail(Code::kFailedPrecondition, "{} is no longer a reviewer of {}", found.reviewer,
                found.approval.environment);
  }
  return found;
}

Result<Approval> ApprovalDesk::decide_by_link(std::string_view link, bool grant, std::string_view comment) {
  return db_.write_with<Approval>([&](store::Transaction& tx) -> Result<Approval> {
    const auto found = WEIR_TRY(read_link(tx, link));
    const types::Identity identity{.name = found.reviewer, .role = types::Role::kApprover};
    Approval decided = grant ? WEIR_TRY(grant_in(tx, found.approval.id, identity, comment, Via::kLink))
                             : WEIR_TRY(reject_in(tx, found.approval.id, identity, comment, Via::kLink));
    WEIR_TRY(tx.execute("INSERT INTO access_approval_links(approval, reviewer, used_at) VALUES(?, ?, ?)",
                        {found.approval.id, found.reviewer, tx.now()}));
    return decided;
  });
}

Result<void> ApprovalDesk::expire(store::Transaction& tx, std::int64_t id, std::string_view reason,
                                  std::int64_t cause) {
  Approval approval = WEIR_TRY(get(tx, id));
  if (approval.state != ApprovalState::kPending) return {};
  approval.comment = reason;
  return decide(tx, approval, ApprovalState::kExpired, kSelf, cause);
}

Result<std::optional<TimePoint>> ApprovalDesk::settle(store::Transaction& tx) {
  auto pending =
      WEIR_TRY(tx.all<Approval>(fmt::format("SELECT {} FROM access_approvals WHERE state = ? ORDER BY id", kColumns),
                                {static_cast<int>(ApprovalState::kPending)}, read_approval));
  std::optional<TimePoint> next;
  const auto wake_at = [&](TimePoint time) { next = next ? std::min(*next, time) : time; };
  for (auto& approval : pending) {
    const bool waits = approval.wait_until && *approval.wait_until > tx.now();
    const bool nothing_else_missing = approval.wait_until && (approval.reviewed_by || approval.reviewers.empty());
    if (nothing_else_missing && !waits) {
      WEIR_TRY(decide(tx, approval, ApprovalState::kGranted, approval.reviewed_by.value_or(std::string(kSelf)), 0));
    } else if (!nothing_else_missing && approval.expires_at <= tx.now()) {
      approval.comment =
          fmt::format("nobody decided within {}", format_duration(approval.expires_at - approval.requested_at));
      WEIR_TRY(decide(tx, approval, ApprovalState::kExpired, kSelf, 0));
    } else {
      // The end of a wait matters also before anybody agreed: somebody may until then.
      wake_at(waits && nothing_else_missing ? *approval.wait_until
              : waits                       ? std::min(*approval.wait_until, approval.expires_at)
                                            : approval.expires_at);
    }
  }
  return next;
}

Result<Approval> ApprovalDesk::get(store::Reader& reader, std::int64_t id) {
  auto found = WEIR_TRY(reader.first<Approval>(fmt::format("SELECT {} FROM access_approvals WHERE id = ?", kColumns),
                                               {id}, read_approval));
  if (!found) return fail(Code::kNotFound, "there is no approval {}; `weir approve` shows what waits", id);
  return *std::move(found);
}

Result<std::vector<Approval>> ApprovalDesk::list(const ApprovalFilter& filter) {
  std::string where;
  std::vector<store::Value> values;
  if (filter.state) {
    where += " AND state = ?";
    values.emplace_back(static_cast<int>(*filter.state));
  }
  if (filter.subject) {
    where += " AND subject = ?";
    values.emplace_back(*filter.subject);
  }
  values.emplace_back(filter.limit);
  return db_.load<std::vector<Approval>>([&](store::Reader& reader) -> Result<std::vector<Approval>> {
    std::vector<Approval> approvals;
    WEIR_TRY(reader.query(
        fmt::format("SELECT {} FROM access_approvals WHERE 1 = 1{} ORDER BY id DESC LIMIT ?", kColumns, where), values,
        [&](const store::Row& row) { approvals.push_back(read_approval(row)); }));
    return approvals;
  });
}

std::string_view approval_state_name(ApprovalState state) {
  switch (state) {
    case ApprovalState::kPending: return "pending";
    case ApprovalState::kGranted: return "granted";
    case ApprovalState::kRejected: return "rejected";
    case ApprovalState::kExpired: return "expired";
  }
  return "?";
}

Result<ApprovalState> parse_approval_state(std::string_view name) {
  for (const auto state :
       {ApprovalState::kPending, ApprovalState::kGranted, ApprovalState::kRejected, ApprovalState::kExpired}) {
    if (approval_state_name(state) == name) return state;
  }
  return fail(Code::kInvalidArgument, "\"{}\" is no state of an approval: pending, granted, rejected or expired", name);
}

json::object to_json(const Approval& approval) {
  json::object object{{"id", approval.id},
                      {"repository", approval.repository},
                      {"environment", approval.environment},
                      {"subject", approval.subject},
                      {"summary", approval.summary},
                      {"requested_by", approval.requested_by},
                      {"requested_at", to_iso8601(approval.requested_at)},
                      {"state", approval_state_name(approval.state)},
                      {"reviewers", names_json(approval.reviewers)},
                      {"self_review", approval.self_review},
                      {"comment", approval.comment},
                      {"bypassed", approval.bypassed},
                      {"event", approval.event}};
  const auto time = [](const std::optional<TimePoint>& at) -> json::value {
    return at ? json::value(to_iso8601(*at)) : json::value();
  };
  object["ref"] = approval.ref;
  object["run"] = approval.run_id ? json::value(*approval.run_id) : json::value();
  object["job"] = approval.job_id ? json::value(*approval.job_id) : json::value();
  object["wait_until"] = time(approval.wait_until);
  object["expires_at"] = to_iso8601(approval.expires_at);
  object["reviewed_by"] = approval.reviewed_by ? json::value(*approval.reviewed_by) : json::value();
  object["decided_at"] = time(approval.decided_at);
  return object;
}

}  // namespace weir::access
