#include "event/schema.h"

#include <array>

namespace weir::event {

std::span<const store::Migration> migrations() {
  static constexpr std::array kMigrations{store::Migration{"event/001-triggers", R"(
CREATE TABLE event_refs(
  repo TEXT NOT NULL, ref TEXT NOT NULL, object_id TEXT NOT NULL, event BIGINT NOT NULL, PRIMARY KEY(repo, ref));

CREATE TABLE event_schedules(
  repo TEXT NOT NULL, path TEXT NOT NULL, cron TEXT NOT NULL, last_fired BIGINT NOT NULL,
  PRIMARY KEY(repo, path, cron));
)"},
                                          store::Migration{"event/002-listeners", R"(
CREATE TABLE event_listeners(
  repo TEXT NOT NULL, path TEXT NOT NULL, event TEXT NOT NULL, since BIGINT NOT NULL, PRIMARY KEY(repo, path, event));

CREATE TABLE event_cursors(name TEXT PRIMARY KEY, sequence BIGINT NOT NULL);
)"},
                                          store::Migration{"event/003-time-zones", R"(
CREATE TABLE event_zoned_schedules(
  repo TEXT NOT NULL, path TEXT NOT NULL, cron TEXT NOT NULL, timezone TEXT NOT NULL, last_fired BIGINT NOT NULL,
  PRIMARY KEY(repo, path, cron, timezone));
INSERT INTO event_zoned_schedules(repo, path, cron, timezone, last_fired)
  SELECT repo, path, cron, '', last_fired FROM event_schedules;
DROP TABLE event_schedules;
ALTER TABLE event_zoned_schedules RENAME TO event_schedules;
)"}};
  return kMigrations;
}

}  // namespace weir::event
