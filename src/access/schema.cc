#include "access/schema.h"

#include <array>

namespace weir::access {

std::span<const store::Migration> migrations() {
  static constexpr std::array kMigrations = {
      store::Migration{"access/001-start", R"(
CREATE TABLE access_keys(
  name TEXT PRIMARY KEY,
  fingerprint TEXT NOT NULL);

CREATE TABLE access_tokens(
  id BIGINT PRIMARY KEY,
  hash TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  role BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  expires_at BIGINT,
  job_id BIGINT,
  run_id BIGINT,
  environments TEXT NOT NULL);
CREATE INDEX access_tokens_job ON access_tokens(job_id);

CREATE TABLE access_secrets(
  environment TEXT NOT NULL,
  name TEXT NOT NULL,
  sealed TEXT NOT NULL,
  updated_at BIGINT NOT NULL,
  updated_by TEXT NOT NULL,
  PRIMARY KEY(environment, name));

CREATE TABLE access_variables(
  environment TEXT NOT NULL,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  updated_at BIGINT NOT NULL,
  updated_by TEXT NOT NULL,
  PRIMARY KEY(environment, name));

CREATE TABLE access_configs(
  repository TEXT PRIMARY KEY,
  commit_id TEXT NOT NULL,
  text TEXT NOT NULL,
  variables TEXT NOT NULL,
  applied_at BIGINT NOT NULL);

CREATE TABLE access_approvals(
  id BIGINT PRIMARY KEY,
  state BIGINT NOT NULL,
  environment TEXT NOT NULL,
  subject TEXT NOT NULL,
  summary TEXT NOT NULL,
  requested_by TEXT NOT NULL,
  requested_at BIGINT NOT NULL,
  ref TEXT NOT NULL,
  run_id BIGINT,
  job_id BIGINT,
  reviewers TEXT NOT NULL,
  self_review BIGINT NOT NULL,
  wait_until BIGINT,
  reviewed_by TEXT,
  decided_at BIGINT,
  comment TEXT NOT NULL,
  bypassed BIGINT NOT NULL,
  event BIGINT NOT NULL);
CREATE INDEX access_approvals_state ON access_approvals(state, id);
CREATE INDEX access_approvals_subject ON access_approvals(subject, id);
)"},
      store::Migration{"access/002-token-scopes", R"(
ALTER TABLE access_tokens ADD COLUMN scopes TEXT NOT NULL DEFAULT '';
)"},
      store::Migration{"access/003-approval-expiry", R"(
ALTER TABLE access_approvals ADD COLUMN expires_at BIGINT NOT NULL DEFAULT 0;
UPDATE access_approvals SET expires_at = requested_at + 2592000000000;
)"},
      store::Migration{"access/004-approval-links", R"(
CREATE TABLE access_approval_links(
  approval BIGINT NOT NULL,
  reviewer TEXT NOT NULL,
  used_at BIGINT NOT NULL,
  PRIMARY KEY(approval, reviewer));
)"},
      store::Migration{"access/005-repositories", R"(
CREATE TABLE access_secrets_of_all(
  repository TEXT NOT NULL,
  environment TEXT NOT NULL,
  name TEXT NOT NULL,
  sealed TEXT NOT NULL,
  updated_at BIGINT NOT NULL,
  updated_by TEXT NOT NULL,
  PRIMARY KEY(repository, environment, name));
INSERT INTO access_secrets_of_all(repository, environment, name, sealed, updated_at, updated_by)
  SELECT '', environment, name, sealed, updated_at, updated_by FROM access_secrets;
DROP TABLE access_secrets;
ALTER TABLE access_secrets_of_all RENAME TO access_secrets;

CREATE TABLE access_variables_of_all(
  repository TEXT NOT NULL,
  environment TEXT NOT NULL,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  updated_at BIGINT NOT NULL,
  updated_by TEXT NOT NULL,
  PRIMARY KEY(repository, environment, name));
INSERT INTO access_variables_of_all(repository, environment, name, value, updated_at, updated_by)
  SELECT '', environment, name, value, updated_at, updated_by FROM access_variables;
DROP TABLE access_variables;
ALTER TABLE access_variables_of_all RENAME TO access_variables;

ALTER TABLE access_approvals ADD COLUMN repository TEXT NOT NULL DEFAULT '';

CREATE TABLE access_refused_configs(
  repository TEXT PRIMARY KEY,
  commit_id TEXT NOT NULL,
  problems TEXT NOT NULL);
)"},
      store::Migration{"access/006-foreign-tokens", R"(
ALTER TABLE access_tokens ADD COLUMN is_foreign BIGINT NOT NULL DEFAULT 0;
)"},
  };
  return kMigrations;
}

}  // namespace weir::access
