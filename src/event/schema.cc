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
)"},
                                          store::Migration{"event/004-mirrors", R"(
CREATE TABLE event_mirrors(
  repo TEXT PRIMARY KEY, url TEXT NOT NULL, every_s BIGINT NOT NULL, token_secret TEXT NOT NULL, fetched_at BIGINT,
  problem TEXT NOT NULL);

CREATE TABLE event_deliveries(
  source TEXT NOT NULL, id TEXT NOT NULL, received_at BIGINT NOT NULL, PRIMARY KEY(source, id));
CREATE INDEX event_deliveries_time ON event_deliveries(received_at);
)"},
                                          store::Migration{"event/005-data", R"(
CREATE TABLE event_data(
  repo TEXT NOT NULL, name TEXT NOT NULL, watch TEXT NOT NULL, looked BIGINT NOT NULL, digest TEXT NOT NULL,
  seen TEXT NOT NULL, problem TEXT NOT NULL, changed_at BIGINT, event BIGINT NOT NULL, PRIMARY KEY(repo, name));
)"},
                                          store::Migration{"event/006-upstream-pulls", R"(
CREATE TABLE event_upstream_pulls(
  id BIGINT PRIMARY KEY, repo TEXT NOT NULL, pull TEXT NOT NULL, attempts BIGINT NOT NULL, next_at BIGINT NOT NULL);
)"},
                                          store::Migration{"event/007-upstream-statuses", R"(
CREATE TABLE event_upstream_statuses(
  run BIGINT PRIMARY KEY, repo TEXT NOT NULL, event BIGINT NOT NULL, attempts BIGINT NOT NULL, since BIGINT NOT NULL,
  next_at BIGINT NOT NULL);
)"},
                                          store::Migration{"event/008-pushes-begun", R"(
CREATE TABLE event_pushes_begun(
  repo TEXT NOT NULL, ref TEXT NOT NULL, object_id TEXT NOT NULL, pusher TEXT NOT NULL, job BIGINT,
  begun_at BIGINT NOT NULL, PRIMARY KEY(repo, ref, object_id));
)"}};
  return kMigrations;
}

}  // namespace weir::event
