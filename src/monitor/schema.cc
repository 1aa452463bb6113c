#include "monitor/schema.h"

#include <array>

namespace weir::monitor {

std::span<const store::Migration> migrations() {
  static constexpr std::array kMigrations = {
      store::Migration{"monitor/001-start", R"(
CREATE TABLE monitor_rows(
  id BIGINT PRIMARY KEY,
  endpoint TEXT NOT NULL,
  environment TEXT NOT NULL,
  model TEXT NOT NULL,
  version TEXT NOT NULL,
  request_id TEXT NOT NULL,
  row_index BIGINT NOT NULL,
  key_value TEXT NOT NULL,
  event_time BIGINT,
  arrival_time BIGINT NOT NULL,
  features TEXT NOT NULL,
  prediction TEXT NOT NULL,
  score DOUBLE PRECISION,
  label TEXT,
  label_time BIGINT,
  correct BIGINT);
CREATE INDEX monitor_rows_time ON monitor_rows(endpoint, environment, event_time);
CREATE INDEX monitor_rows_request ON monitor_rows(endpoint, environment, request_id);
CREATE INDEX monitor_rows_key ON monitor_rows(endpoint, environment, key_value);
CREATE INDEX monitor_rows_arrival ON monitor_rows(endpoint, environment, arrival_time);

CREATE TABLE monitor_early_labels(
  id BIGINT PRIMARY KEY,
  endpoint TEXT NOT NULL,
  environment TEXT NOT NULL,
  request_id TEXT NOT NULL,
  row_index BIGINT,
  key_value TEXT NOT NULL,
  label TEXT NOT NULL,
  label_time BIGINT NOT NULL,
  arrival_time BIGINT NOT NULL);
CREATE INDEX monitor_early_labels_row ON monitor_early_labels(endpoint, environment, request_id, key_value);
CREATE INDEX monitor_early_labels_arrival ON monitor_early_labels(arrival_time);

CREATE TABLE monitor_windows(
  endpoint TEXT NOT NULL,
  environment TEXT NOT NULL,
  start_time BIGINT NOT NULL,
  end_time BIGINT NOT NULL,
  model TEXT NOT NULL,
  version TEXT NOT NULL,
  row_count BIGINT NOT NULL,
  drift DOUBLE PRECISION,
  prediction_drift DOUBLE PRECISION,
  detail TEXT NOT NULL,
  closed_at BIGINT NOT NULL,
  PRIMARY KEY(endpoint, environment, start_time));

CREATE TABLE monitor_days(
  endpoint TEXT NOT NULL,
  environment TEXT NOT NULL,
  day BIGINT NOT NULL,
  version TEXT NOT NULL,
  accuracy DOUBLE PRECISION,
  label_count BIGINT NOT NULL,
  due_count BIGINT NOT NULL,
  PRIMARY KEY(endpoint, environment, day));

CREATE TABLE monitor_alerts(
  id BIGINT PRIMARY KEY,
  endpoint TEXT NOT NULL,
  environment TEXT NOT NULL,
  rule TEXT NOT NULL,
  severity BIGINT NOT NULL,
  version TEXT NOT NULL,
  value DOUBLE PRECISION NOT NULL,
  limit_value DOUBLE PRECISION NOT NULL,
  message TEXT NOT NULL,
  event_time BIGINT,
  fired_at BIGINT NOT NULL,
  fired_event BIGINT NOT NULL,
  resolved_at BIGINT);
CREATE INDEX monitor_alerts_rule ON monitor_alerts(endpoint, environment, rule, resolved_at);

CREATE TABLE monitor_retrainings(
  id BIGINT PRIMARY KEY,
  model TEXT NOT NULL,
  endpoint TEXT NOT NULL,
  version TEXT NOT NULL,
  reasons TEXT NOT NULL,
  data_until TEXT NOT NULL,
  event_time BIGINT NOT NULL,
  triggered_at BIGINT NOT NULL,
  event BIGINT NOT NULL,
  state BIGINT NOT NULL,
  run_id BIGINT,
  note TEXT NOT NULL);
CREATE INDEX monitor_retrainings_model ON monitor_retrainings(model, id);

CREATE TABLE monitor_notifications(
  id BIGINT PRIMARY KEY,
  subject TEXT NOT NULL,
  target TEXT NOT NULL,
  severity BIGINT NOT NULL,
  message TEXT NOT NULL,
  state BIGINT NOT NULL,
  attempts BIGINT NOT NULL,
  next_attempt_at BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  note TEXT NOT NULL,
  UNIQUE(subject, target));
CREATE INDEX monitor_notifications_due ON monitor_notifications(state, next_attempt_at);

CREATE TABLE monitor_cursors(
  name TEXT PRIMARY KEY,
  sequence BIGINT NOT NULL);
)"},
      store::Migration{"monitor/002-attempts", R"(
ALTER TABLE monitor_notifications ADD COLUMN sending BIGINT NOT NULL DEFAULT 0;
ALTER TABLE monitor_notifications ADD COLUMN unsure BIGINT NOT NULL DEFAULT 0;
)"},
      store::Migration{"monitor/003-reviewers", R"(
ALTER TABLE monitor_notifications ADD COLUMN approval BIGINT NOT NULL DEFAULT 0;
ALTER TABLE monitor_notifications ADD COLUMN reviewer TEXT NOT NULL DEFAULT '';
)"},
      store::Migration{"monitor/004-routes", R"(
ALTER TABLE monitor_notifications ADD COLUMN about TEXT NOT NULL DEFAULT '{}';
ALTER TABLE monitor_notifications ADD COLUMN template TEXT NOT NULL DEFAULT '';
ALTER TABLE monitor_notifications ADD COLUMN format BIGINT NOT NULL DEFAULT 1;
ALTER TABLE monitor_notifications ADD COLUMN secret TEXT NOT NULL DEFAULT '';
ALTER TABLE monitor_notifications ADD COLUMN held BIGINT NOT NULL DEFAULT 0;
ALTER TABLE monitor_notifications ADD COLUMN digest BIGINT NOT NULL DEFAULT 0;
ALTER TABLE monitor_notifications ADD COLUMN patience_from BIGINT NOT NULL DEFAULT 0;
ALTER TABLE monitor_notifications ADD COLUMN last_attempt_at BIGINT NOT NULL DEFAULT 0;
)"},
  };
  return kMigrations;
}

}  // namespace weir::monitor
