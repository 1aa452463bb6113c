#pragma once

#include <memory>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "access/access.h"
#include "access/keys.h"

namespace weir::access {

// All tokens that are good, in memory by their hash, with the table behind it. Any thread.
class TokenBook {
 public:
  TokenBook(store::Database& db, const Clock& clock, const Keys& keys) : db_(db), clock_(clock), keys_(keys) {}

  // Reads the table; once, before anything else.
  Result<void> load();
  // The admin token of the state's owner: made on the first start, and anew if its file was removed.
  Result<void> ensure_admin_file(const std::filesystem::path& file, Log& log);

  Result<types::Identity> authenticate(std::string_view token) const;
  Result<Access::NewToken> create(std::string_view name, types::Role role, std::optional<TimePoint> expires_at,
                                  const types::Identity& actor);
  Result<void> revoke(std::int64_t id, const types::Identity& actor);
  Result<std::vector<Token>> list();
  Result<std::string> issue_for_job(store::Transaction& tx, const types::JobGrant& grant);
  Result<void> revoke_for_job(store::Transaction& tx, std::int64_t job_id);

 private:
  struct Entry {
    std::int64_t id = 0;
    types::Identity identity;
    std::optional<TimePoint> expires_at;
  };
  void remember(const std::string& hash, Entry entry);
  void forget(std::int64_t id);

  store::Database& db_;
  const Clock& clock_;
  const Keys& keys_;
  mutable std::shared_mutex mutex_;
  std::unordered_map<std::string, Entry> entries_;  // guarded by mutex_
};

}  // namespace weir::access
