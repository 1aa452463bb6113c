#include "rollout/schema.h"

#include <array>

namespace weir::rollout {

std::span<const store::Migration> migrations() {
  static constexpr std::array kMigrations = {
      store::Migration{"rollout/001-environments", R"(
CREATE TABLE rollout_environments(
  endpoint TEXT NOT NULL,
  environment TEXT NOT NULL,
  wish_model TEXT NOT NULL,
  wish_version BIGINT NOT NULL,
  wish_reference TEXT NOT NULL,
  wish_state BIGINT NOT NULL,
  wish_reason TEXT NOT NULL,
  wish_actor TEXT NOT NULL,
  wish_cause BIGINT NOT NULL,
  wish_approval BIGINT NOT NULL,
  wish_changed_at BIGINT NOT NULL,
  live_model TEXT NOT NULL,
  live_version BIGINT NOT NULL,
  live_since BIGINT NOT NULL,
  live_event BIGINT NOT NULL,
  history TEXT NOT NULL,
  PRIMARY KEY(endpoint, environment));
CREATE INDEX rollout_environments_live ON rollout_environments(live_model, environment);
)"},
  };
  return kMigrations;
}

}  // namespace weir::rollout
