#pragma once

#include <functional>
#include <memory>

#include "access/access.h"
#include "rollout/ports.h"
#include "store/database.h"

namespace weir::rollout {

// The journal in the database: rows of rollout_environments, the registry's aliases and stages, approvals and events,
// all of a step in one transaction. Any thread.
class DatabaseJournal final : public Journal {
 public:
  using ConfigSource = std::function<std::shared_ptr<const config::Config>()>;

  // All outlive this. `db` holds migrations() of rollout, registry and access.
  DatabaseJournal(store::Database& db, access::Access& access, ConfigSource config)
      : db_(db), access_(access), config_(std::move(config)) {}

  Result<std::vector<Record>> load() override;
  Result<Observation> observe(const Target& target) override;
  Result<ApprovalView> approval(std::int64_t id) override;
  Result<Record> commit(Change change) override;

 private:
  // Whether the environment has reviewers or a waiting time and `actor` is no job that got in already.
  Result<bool> may_enter(const std::string& actor, const Target& target);
  Result<void> ask(store::Transaction& tx, const Change::Approval& ask, std::int64_t cause, Record& record);

  store::Database& db_;
  access::Access& access_;
  ConfigSource config_;
};

// The version of `model` that serves `environment` ("production") at any endpoint; nothing if none does.
Result<std::optional<std::int64_t>> live_version(store::Reader& reader, std::string_view model,
                                                 std::string_view environment);

}  // namespace weir::rollout
