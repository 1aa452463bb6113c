#include "access/access.h"

#include "access/approvals.h"
#include "access/keys.h"
#include "access/tokens.h"
#include "access/vault.h"

namespace weir::access {
namespace {

// Ties the parts to one set of keys.
class LocalAccess final : public Access {
 public:
  LocalAccess(store::Database& db, const Clock& clock, Keys keys, Options options)
      : db_(db),
        tokens_required_(options.tokens_required),
        keys_(std::move(keys)),
        tokens_(db, clock, keys_),
        vault_(db, keys_),
        approvals_(db, keys_, clock, std::move(options.config)) {}

  TokenBook& token_book() { return tokens_; }

  Result<types::Identity> authenticate(std::string_view bearer) const override {
    if (!bearer.empty()) return tokens_.authenticate(bearer);
    if (!tokens_required_) return types::Identity{};
    return fail(
        Code::kUnauthenticated,
        "this server listens beyond loopback and answers to tokens only: send \"Authorization: Bearer <token>\", or "
        "set WEIR_TOKEN (MLFLOW_TRACKING_TOKEN for mlflow)");
  }

  Result<void> allow(const types::Identity& identity, Permission permission, std::string_view object) const override {
    return access::allow(identity, permission, object);
  }

  Result<NewToken> create_token(std::string_view name, types::Role role, std::optional<TimePoint> expires_at,
                                const types::Identity& actor) override {
    return tokens_.create(name, role, expires_at, actor);
  }
  Result<void> revoke_token(std::int64_t id, const types::Identity& actor) override {
    return tokens_.revoke(id, actor);
  }
  Result<std::vector<Token>> tokens() override { return tokens_.list(); }
  Result<std::string> issue_job_token(store::Transaction& tx, const types::JobGrant& grant) override {
    return tokens_.issue_for_job(tx, grant);
  }
  Result<void> revoke_job_token(store::Transaction& tx, std::int64_t job_id) override {
    return tokens_.revoke_for_job(tx, job_id);
  }

  Result<void> set_secret(std::string_view name, std::string_view value, const Scope& scope,
                          const types::Identity& actor) override {
    return vault_.set_secret(name, value, scope, actor);
  }
  Result<void> delete_secret(std::string_view name, const Scope& scope, const types::Identity& actor) override {
    return vault_.delete_secret(name, scope, actor);
  }
  Result<std::vector<SecretName>> secret_names() override { return vault_.secret_names(); }
  Result<std::map<std::string, std::string>> secrets(store::Reader& reader, const Place& place) override {
    return vault_.secrets(reader, place);
  }
  Result<void> set_variable(std::string_view name, std::string_view value, const Scope& scope,
                            const types::Identity& actor) override {
    return vault_.set_variable(name, value, scope, actor);
  }
  Result<void> delete_variable(std::string_view name, const Scope& scope, const types::Identity& actor) override {
    return vault_.delete_variable(name, scope, actor);
  }
  Result<std::map<std::string, std::string>> variables(store::Reader& reader, const Place& place) override {
    return vault_.variables(reader, place);
  }

  Result<Approval> request_approval(store::Transaction& tx, const ApprovalRequest& request) override {
    return approvals_.request(tx, request);
  }
  Result<Approval> grant(std::int64_t id, const types::Identity& identity, std::string_view comment) override {
    return approvals_.grant(id, identity, comment);
  }
  Result<Approval> reject(std::int64_t id, const types::Identity& identity, std::string_view comment) override {
    return approvals_.reject(id, identity, comment);
  }
  Result<void> expire(store::Transaction& tx, std::int64_t id, std::string_view reason, std::int64_t cause) override {
    return approvals_.expire(tx, id, reason, cause);
  }
  Result<std::optional<TimePoint>> settle(store::Transaction& tx) override { return approvals_.settle(tx); }
  Result<std::string> approval_link(const Approval& approval, std::string_view reviewer) override {
    return approvals_.link(approval, reviewer);
  }
  Result<Link> read_link(std::string_view link) override {
    return db_.load<Link>([&](store::Reader& reader) { return approvals_.read_link(reader, link); });
  }
  Result<Approval> decide_by_link(std::string_view link, bool grant, std::string_view comment) override {
    return approvals_.decide_by_link(link, grant, comment);
  }
  Result<Approval> approval(std::int64_t id) override {
    return db_.load<Approval>([&](store::Reader& reader) { return approvals_.get(reader, id); });
  }
  Result<Approval> approval(store::Reader& reader, std::int64_t id) override { return approvals_.get(reader, id); }
  Result<std::vector<Approval>> approvals(const ApprovalFilter& filter) override { return approvals_.list(filter); }

 private:
  store::Database& db_;
  bool tokens_required_;
  Keys keys_;
  TokenBook tokens_;
  Vault vault_;
  ApprovalDesk approvals_;
};

}  // namespace

Result<std::unique_ptr<Access>> Access::open(store::Database& db, const Clock& clock, Log& log, Options options) {
  const auto keys_dir = options.keys_dir;
  Keys keys = WEIR_TRY(Keys::open(db, keys_dir, log));
  auto access = std::make_unique<LocalAccess>(db, clock, std::move(keys), std::move(options));
  WEIR_TRY(access->token_book().load());
  WEIR_TRY(access->token_book().ensure_admin_file(keys_dir / "admin.token", log));
  return access;
}

}  // namespace weir::access
