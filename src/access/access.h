#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "access/permission.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "config/config.h"
#include "store/database.h"
#include "types/identity.h"

namespace weir::access {

// What is known of a token; never the token itself.
struct Token {
  std::int64_t id = 0;
  std::string name;  // "alice"
  types::Role role = types::Role::kViewer;
  TimePoint created_at;
  std::string created_by;
  std::optional<TimePoint> expires_at;
};

// Persisted.
enum class ApprovalState : std::uint8_t { kPending = 1, kGranted = 2, kRejected = 3, kExpired = 4 };
std::string_view approval_state_name(ApprovalState state);  // "pending", "granted", "rejected", "expired"
Result<ApprovalState> parse_approval_state(std::string_view name);

// Somebody wants to enter an environment.
struct ApprovalRequest {
  std::string repository;    // whose weir.yaml says what the environment asks for
  std::string environment;   // "production"
  std::string subject;       // what enters: "job/42", "endpoint/flights@production"
  std::string summary;       // for the reviewer: "flight-delay version 3 (was 2)"
  std::string requested_by;  // the person behind it, as self-review compares names: who pushed, not "job:42"
  std::string ref;           // "refs/heads/main"; "" where no branch is involved
  std::int64_t cause = 0;    // event that led here
  std::optional<std::int64_t> run_id;
  std::optional<std::int64_t> job_id;
};

struct Approval {
  std::int64_t id = 0;
  ApprovalState state = ApprovalState::kPending;
  std::string repository;  // "" of one from before environments were a repository's own
  std::string environment;
  std::string subject;
  std::string summary;
  std::string requested_by;
  TimePoint requested_at;
  std::string ref;
  std::optional<std::int64_t> run_id;
  std::optional<std::int64_t> job_id;
  std::vector<std::string> reviewers;  // as they were when it was requested; empty = none needed
  bool self_review = false;
  std::optional<TimePoint> wait_until;     // not granted before
  TimePoint expires_at;                    // nobody decides it after this
  std::optional<std::string> reviewed_by;  // also set while a reviewed approval waits for its time
  std::optional<TimePoint> decided_at;
  std::string comment;
  bool bypassed = false;   // an admin agreed without being a reviewer, or to an own request
  std::int64_t event = 0;  // newest approval.* event about it: the cause of what follows
};

// {"id","environment","subject","summary","requested_by","requested_at","state","reviewers",…} as GET
// /api/v1/approvals.
json::object to_json(const Approval& approval);

struct ApprovalFilter {
  std::optional<ApprovalState> state;
  std::optional<std::string> subject;
  std::int64_t limit = 100;
};

// Where a secret or variable holds.
struct Scope {
  std::string repository;   // "" = in all
  std::string environment;  // "" = in all, and outside of them
};

// Whose values a job gets.
struct Place {
  std::string repository;
  std::string environment;  // "" = none
  // With what all repositories share for the environment: not where one that asks for reviewers shares it.
  bool shared = true;
};

// Identities, tokens, roles, secrets, and environments with their reviewers: who may do what.
//
// Any thread may call everything. Functions with a Transaction run on the writer's thread inside the caller's
// transaction; those without write one of their own and must not be called from there. authenticate() and allow() use
// memory only and never wait for the database.
class Access {
 public:
  struct Options {
    std::filesystem::path keys_dir;  // <state>/keys: made with mode 0700, its files 0600
    bool tokens_required = false;    // listens beyond loopback: nothing is anonymous
    // The live configuration; null before the first one. Environments that it does not name are unprotected.
    std::function<std::shared_ptr<const config::Config>()> config;
  };

  // Makes what is missing in keys_dir (pepper, master key; on the first start the admin token's file admin.token) and
  // loads tokens into memory. `db` holds migrations() and outlives this, as clock and log do.
  // kCorrupt if a key file was damaged or the stored tokens and secrets belong to other keys.
  static Result<std::unique_ptr<Access>> open(store::Database& db, const Clock& clock, Log& log, Options options);
  virtual ~Access() = default;

  // --- identities
  // Who holds `bearer` (the token alone, without "Bearer "). "" is anonymous, or kUnauthenticated if tokens are
  // required; a wrong, revoked or expired token is kUnauthenticated.
  virtual Result<types::Identity> authenticate(std::string_view bearer) const = 0;
  // access::allow() with this server's rules.
  virtual Result<void> allow(const types::Identity& identity, Permission permission, std::string_view object) const = 0;

  struct NewToken {
    std::string secret;  // "weir_…", shown once
    Token token;
  };
  // kInvalidArgument for an empty or odd name; names need not be unique. Event token.created.
  virtual Result<NewToken> create_token(std::string_view name, types::Role role, std::optional<TimePoint> expires_at,
                                        const types::Identity& actor) = 0;
  virtual Result<void> revoke_token(std::int64_t id, const types::Identity& actor) = 0;
  virtual Result<std::vector<Token>> tokens() = 0;

  // A token for one job: name "job:<id>", role developer, limited by job_may() and the grant's scopes. It is good at
  // once and until revoke_job_token; it survives restarts, as the job does.
  virtual Result<std::string> issue_job_token(store::Transaction& tx, const types::JobGrant& grant) = 0;
  virtual Result<void> revoke_job_token(store::Transaction& tx, std::int64_t job_id) = 0;

  // --- secrets and variables
  // Names as GitHub has them: letters, digits and _, no digit first, no GITHUB_; stored in capitals.
  // kInvalidArgument names the rule that is broken. Event secret.set, without the value.
  virtual Result<void> set_secret(std::string_view name, std::string_view value, const Scope& scope,
                                  const types::Identity& actor) = 0;
  virtual Result<void> delete_secret(std::string_view name, const Scope& scope, const types::Identity& actor) = 0;
  struct SecretName {
    std::string name;
    Scope scope;
    TimePoint updated_at;
    std::string updated_by;
  };
  virtual Result<std::vector<SecretName>> secret_names() = 0;
  // All values that hold there: a repository's win over those of all, an environment's over both. Keep them off logs
  // and events.
  virtual Result<std::map<std::string, std::string>> secrets(store::Reader& reader, const Place& place) = 0;

  // Plain values for `vars.X`, with the same rules.
  virtual Result<void> set_variable(std::string_view name, std::string_view value, const Scope& scope,
                                    const types::Identity& actor) = 0;
  virtual Result<void> delete_variable(std::string_view name, const Scope& scope, const types::Identity& actor) = 0;
  virtual Result<std::map<std::string, std::string>> variables(store::Reader& reader, const Place& place) = 0;

  // --- environments and approvals
  // Opens an approval with event approval.requested. Without reviewers and wait it is granted at once (a second event,
  // approval.granted by "weir"). kFailedPrecondition if the environment does not take `ref`'s branch.
  virtual Result<Approval> request_approval(store::Transaction& tx, const ApprovalRequest& request) = 0;
  // Grants, by a reviewer, whatever the role of their token, or an admin (which is recorded as a bypass). Before
  // wait_until it stays pending with reviewed_by set. kPermissionDenied says who may; kFailedPrecondition if it was
  // decided already.
  virtual Result<Approval> grant(std::int64_t id, const types::Identity& identity, std::string_view comment) = 0;
  virtual Result<Approval> reject(std::int64_t id, const types::Identity& identity, std::string_view comment) = 0;
  // Closes a pending approval whose subject went away (a cancelled run, a newer rollout): state expired. Fine if it was
  // decided already.
  virtual Result<void> expire(store::Transaction& tx, std::int64_t id, std::string_view reason, std::int64_t cause) = 0;
  // Grants what was only waiting for its time and expires what nobody decided in its environment's time. Gives the time
  // of the next change, if there is one. Call it at start and then (see ApprovalTimer).
  virtual Result<std::optional<TimePoint>> settle(store::Transaction& tx) = 0;

  // The last part of an address by which `reviewer` alone decides `approval` alone, without a login and once; it is
  // good until the approval expires. It is a secret: keep it off logs, events and the database. kFailedPrecondition if
  // there is nothing to decide, or not by `reviewer`: nobody gets one for an own request without self-review.
  virtual Result<std::string> approval_link(const Approval& approval, std::string_view reviewer) = 0;
  struct Link {
    Approval approval;
    std::string reviewer;
  };
  // What a link is about; changes nothing. kPermissionDenied if weir did not make it, kFailedPrecondition if it was
  // used, expired, or its approval was decided or withdrawn from its reviewer.
  virtual Result<Link> read_link(std::string_view link) = 0;
  // Grants or rejects as the link's reviewer, who has an approver's rights and no more. The event says {"via": "link"}.
  virtual Result<Approval> decide_by_link(std::string_view link, bool grant, std::string_view comment) = 0;

  virtual Result<Approval> approval(std::int64_t id) = 0;
  virtual Result<Approval> approval(store::Reader& reader, std::int64_t id) = 0;
  virtual Result<std::vector<Approval>> approvals(const ApprovalFilter& filter) = 0;  // newest first
  Result<std::vector<Approval>> pending() { return approvals({.state = ApprovalState::kPending}); }
};

}  // namespace weir::access
