#include "access/tokens.h"

#include <mutex>

#include "io/file.h"
#include "types/event.h"

namespace weir::access {
namespace {

// Who makes tokens that nobody asked for.
constexpr std::string_view kSelf = "weir";
constexpr std::string_view kAdminName = "admin";

constexpr std::string_view kHowToAsk =
    "ask an admin for one (`weir token create NAME --role developer`), or unset WEIR_TOKEN to use the one in "
    "<state>/keys";

Result<void> check_name(std::string_view name) {
  const bool odd = name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._@-") !=
                   std::string_view::npos;
  if (name.empty() || name.size() > 64 || odd || name == kSelf || name == "anonymous") {
    return fail(
        Code::kInvalidArgument,
        "\"{}\" cannot name a token: 1 to 64 letters, digits, \".\", \"_\", \"@\" or \"-\", and neither \"weir\" "
        "nor \"anonymous\"",
        name);
  }
  return {};
}

std::string environments_text(std::span<const std::string> environments) {
  json::array array;
  for (const auto& environment : environments) array.emplace_back(environment);
  return json::serialize(array);
}

std::vector<std::string> read_environments(std::string_view text) {
  std::vector<std::string> environments;
  const auto parsed = parse_json(text, "environments of a token");
  if (!parsed || !parsed->is_array()) return environments;
  for (const auto& one : parsed->get_array()) {
    if (one.is_string()) environments.emplace_back(one.get_string());
  }
  return environments;
}

// Scopes that cannot be read give nothing.
std::optional<types::TokenScopes> read_scopes(std::string_view text) {
  if (text.empty()) return std::nullopt;
  const auto parsed = parse_json(text, "scopes of a token");
  if (!parsed) return types::TokenScopes{};
  return types::token_scopes_from_json(*parsed).value_or(types::TokenScopes{});
}

}  // namespace

Result<void> TokenBook::load() {
  std::unordered_map<std::string, Entry> entries;
  WEIR_TRY(db_.read([&](store::Reader& reader) {
    return reader.query(
        "SELECT hash, id, name, role, expires_at, job_id, run_id, environments, scopes, is_foreign "
        "FROM access_tokens",
        {}, [&](const store::Row& row) {
          Entry entry;
          entry.id = row.integer(1);
          entry.identity.name = row.string(2);
          entry.identity.role = static_cast<types::Role>(row.integer(3));
          if (!row.is_null(4)) entry.expires_at = row.time(4);
          entry.identity.job_id = row.integer_or_null(5);
          entry.identity.run_id = row.integer_or_null(6);
          entry.identity.environments = read_environments(row.text(7));
          entry.identity.scopes = read_scopes(row.text(8));
          entry.identity.foreign = row.boolean(9);
          entries.emplace(row.string(0), std::move(entry));
        });
  }));
  const std::unique_lock lock(mutex_);
  entries_ = std::move(entries);
  return {};
}

Result<void> TokenBook::ensure_admin_file(const std::filesystem::path& file, Log& log) {
  const auto existing = WEIR_TRY(db_.load<std::optional<std::int64_t>>([&](store::Reader& reader) {
    return reader.integer("SELECT max(id) FROM access_tokens WHERE created_by = ? AND name = ? AND role = ?",
                          {kSelf, kAdminName, static_cast<int>(types::Role::kAdmin)});
  }));
  const bool file_there = std::filesystem::exists(file);
  // Once made, a token that was revoked on purpose stays revoked: only a missing file asks for a new one.
  const bool made_before =
      existing || WEIR_TRY(db_.load<std::int64_t>([](store::Reader& reader) -> Result<std::int64_t> {
                    return WEIR_TRY(reader.integer("SELECT last FROM series WHERE name = 'token'", {})).value_or(0);
                  })) > 0;
  if (file_there && made_before) return {};
  const types::Identity self{.name = std::string(kSelf)};
  if (existing) WEIR_TRY(revoke(*existing, self));
  const auto made = WEIR_TRY(create(kAdminName, types::Role::kAdmin, std::nullopt, self));
  WEIR_TRY(io::write_file_atomic(file, made.secret + "\n", 0600));
  log.info("made an admin token in {}", file.string());
  return {};
}

Result<types::Identity> TokenBook::authenticate(std::string_view token) const {
  // Anything longer was never given out; hashing it would only cost time.
  if (token.size() > 256) return fail(Code::kUnauthenticated, "the token is not one of weir's: {}", kHowToAsk);
  const std::string hash = keys_.hash_token(token);
  const std::shared_lock lock(mutex_);
  const auto found = entries_.find(hash);
  if (found == entries_.end()) {
    return fail(Code::kUnauthenticated, "the token is unknown or was revoked: {}", kHowToAsk);
  }
  const Entry& entry = found->second;
  if (entry.expires_at && *entry.expires_at <= clock_.now()) {
    return fail(Code::kUnauthenticated, "the token of {} expired at {}: {}", entry.identity.name,
                to_iso8601(*entry.expires_at), kHowToAsk);
  }
  return entry.identity;
}

Result<Access::NewToken> TokenBook::create(std::string_view name, types::Role role, std::optional<TimePoint> expires_at,
                                           const types::Identity& actor) {
  WEIR_TRY(check_name(name));
  if (expires_at && *expires_at <= clock_.now()) {
    return fail(Code::kInvalidArgument, "the token of {} would have expired already at {}", name,
                to_iso8601(*expires_at));
  }
  Access::NewToken made;
  made.secret = new_token();
  const std::string hash = keys_.hash_token(made.secret);
  made.token = WEIR_TRY(db_.write_with<Token>([&](store::Transaction& tx) -> Result<Token> {
    Token token{.name = std::string(name),
                .role = role,
                .created_at = tx.now(),
                .created_by = actor.name,
                .expires_at = expires_at};
    token.id = WEIR_TRY(tx.next_id("token"));
    WEIR_TRY(tx.execute(
        "INSERT INTO access_tokens(id, hash, name, role, created_at, created_by, expires_at, environments) "
        "VALUES(?, ?, ?, ?, ?, ?, ?, '[]')",
        {token.id, hash, token.name, static_cast<int>(role), token.created_at, token.created_by, expires_at}));
    json::object payload{{"name", token.name}, {"role", role_name(role)}};
    if (expires_at) payload["expires_at"] = to_iso8601(*expires_at);
    WEIR_TRY(tx.append({.type = std::string(types::event_type::kTokenCreated),
                        .actor = actor.name,
                        .subject = fmt::format("token/{}", token.id),
                        .payload = std::move(payload)}));
    return token;
  }));
  remember(hash, {made.token.id, {.name = made.token.name, .role = role}, expires_at});
  return made;
}

Result<void> TokenBook::revoke(std::int64_t id, const types::Identity& actor) {
  WEIR_TRY(db_.write([&](store::Transaction& tx) -> Result<void> {
    const auto name = WEIR_TRY(tx.first<std::string>("SELECT name FROM access_tokens WHERE id = ? AND job_id IS NULL",
                                                     {id}, [](const store::Row& row) { return row.string(0); }));
    if (!name) return fail(Code::kNotFound, "there is no token {}; `weir token list` shows them", id);
    WEIR_TRY(tx.execute("DELETE FROM access_tokens WHERE id = ?", {id}));
    WEIR_TRY(tx.append({.type = std::string(types::event_type::kTokenRevoked),
                        .actor = actor.name,
                        .subject = fmt::format("token/{}", id),
                        .payload = {{"name", *name}}}));
    return {};
  }));
  forget(id);
  return {};
}

Result<std::vector<Token>> TokenBook::list() {
  return db_.load<std::vector<Token>>([](store::Reader& reader) {
    return reader.all<Token>(
        "SELECT id, name, role, created_at, created_by, expires_at FROM access_tokens WHERE job_id IS NULL ORDER BY id",
        {}, [](const store::Row& row) {
          Token token{.id = row.integer(0),
                      .name = row.string(1),
                      .role = static_cast<types::Role>(row.integer(2)),
                      .created_at = row.time(3),
                      .created_by = row.string(4)};
          if (!row.is_null(5)) token.expires_at = row.time(5);
          return token;
        });
  });
}

Result<std::string> TokenBook::issue_for_job(store::Transaction& tx, const types::JobGrant& grant) {
  std::string secret = new_token();
  const std::string hash = keys_.hash_token(secret);
  Entry entry;
  entry.id = WEIR_TRY(tx.next_id("job token"));
  // Job tokens count downwards, so that they never share a number with a person's.
  entry.id = -entry.id;
  const auto role = grant.foreign ? types::Role::kViewer : types::Role::kDeveloper;
  entry.identity = {.name = fmt::format("job:{}", grant.job_id),
                    .role = role,
                    .foreign = grant.foreign,
                    .job_id = grant.job_id,
                    .run_id = grant.run_id,
                    .environments = grant.environments,
                    .scopes = grant.scopes};
  WEIR_TRY(tx.execute(
      "INSERT INTO access_tokens(id, hash, name, role, created_at, created_by, job_id, run_id, environments, scopes, "
      "is_foreign) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      {entry.id, hash, entry.identity.name, static_cast<int>(role), tx.now(), kSelf, grant.job_id, grant.run_id,
       environments_text(grant.environments), grant.scopes ? json::serialize(to_json(*grant.scopes)) : std::string(),
       grant.foreign}));
  // Known before the commit: should that fail, the caller drops a token that nobody else ever saw.
  remember(hash, std::move(entry));
  return secret;
}

Result<void> TokenBook::revoke_for_job(store::Transaction& tx, std::int64_t job_id) {
  WEIR_TRY(tx.execute("DELETE FROM access_tokens WHERE job_id = ?", {job_id}));
  const std::unique_lock lock(mutex_);
  std::erase_if(entries_, [&](const auto& one) { return one.second.identity.job_id == job_id; });
  return {};
}

void TokenBook::remember(const std::string& hash, Entry entry) {
  const std::unique_lock lock(mutex_);
  entries_.insert_or_assign(hash, std::move(entry));
}

void TokenBook::forget(std::int64_t id) {
  const std::unique_lock lock(mutex_);
  std::erase_if(entries_, [&](const auto& one) { return one.second.id == id; });
}

}  // namespace weir::access
