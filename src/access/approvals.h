#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "access/access.h"
#include "access/keys.h"

namespace weir::access {

// Environments' reviewers and what waits for them. Any thread.
class ApprovalDesk {
 public:
  using ConfigSource = std::function<std::shared_ptr<const config::Config>()>;
  ApprovalDesk(store::Database& db, const Keys& keys, const Clock& clock, ConfigSource config)
      : db_(db), keys_(keys), clock_(clock), config_(std::move(config)) {}

  Result<Approval> request(store::Transaction& tx, const ApprovalRequest& request);
  Result<Approval> grant(std::int64_t id, const types::Identity& identity, std::string_view comment);
  Result<Approval> reject(std::int64_t id, const types::Identity& identity, std::string_view comment);
  Result<void> expire(store::Transaction& tx, std::int64_t id, std::string_view reason, std::int64_t cause);
  Result<std::optional<TimePoint>> settle(store::Transaction& tx);
  Result<Approval> get(store::Reader& reader, std::int64_t id);
  Result<std::string> link(const Approval& approval, std::string_view reviewer);
  Result<Access::Link> read_link(store::Reader& reader, std::string_view link);
  Result<Approval> decide_by_link(std::string_view link, bool grant, std::string_view comment);
  Result<std::vector<Approval>> list(const ApprovalFilter& filter);

 private:
  // How somebody decides: by a token of theirs, or by a link.
  enum class Via { kToken, kLink };
  Result<Approval> grant_in(store::Transaction& tx, std::int64_t id, const types::Identity& identity,
                            std::string_view comment, Via via);
  Result<Approval> reject_in(store::Transaction& tx, std::int64_t id, const types::Identity& identity,
                             std::string_view comment, Via via);

  store::Database& db_;
  const Keys& keys_;
  const Clock& clock_;
  ConfigSource config_;
};

// Does `branch` fit `pattern`, as GitHub's environments have it? "*" stands for any characters but "/", "**" for any,
// "?" for one character but "/".
bool branch_matches(std::string_view branch, std::string_view pattern);

}  // namespace weir::access
