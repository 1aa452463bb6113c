#include "registry/schema.h"

#include <array>

namespace weir::registry {
namespace {

// A deleted version keeps its row, and a name keeps its last number when its model is deleted or renamed: a number is
// never given to other bytes, since events, endpoints and people remember "flight-delay version 3".
constexpr std::string_view kStart = R"(
CREATE TABLE registry_models(
  model BIGINT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  description TEXT NOT NULL,
  created_ms BIGINT NOT NULL,
  updated_ms BIGINT NOT NULL);
CREATE TABLE registry_numbers(
  name TEXT PRIMARY KEY,
  last_version BIGINT NOT NULL);
CREATE TABLE registry_model_tags(
  model BIGINT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,
  PRIMARY KEY(model, key));
CREATE TABLE registry_versions(
  row_id BIGINT PRIMARY KEY,
  model BIGINT NOT NULL,
  version BIGINT NOT NULL,
  description TEXT NOT NULL,
  user_id TEXT NOT NULL,
  stage BIGINT NOT NULL,
  source TEXT NOT NULL,
  storage_uri TEXT NOT NULL,
  run_id TEXT NOT NULL,
  model_id TEXT NOT NULL,
  run_link TEXT NOT NULL,
  deleted BIGINT NOT NULL,
  created_ms BIGINT NOT NULL,
  updated_ms BIGINT NOT NULL,
  workflow_run BIGINT,
  job BIGINT,
  UNIQUE(model, version));
CREATE INDEX registry_versions_run ON registry_versions(run_id);
CREATE TABLE registry_version_tags(
  version_row BIGINT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,
  PRIMARY KEY(version_row, key));
CREATE TABLE registry_aliases(
  model BIGINT NOT NULL, alias TEXT NOT NULL, version BIGINT NOT NULL,
  PRIMARY KEY(model, alias));
)";

}  // namespace

std::span<const store::Migration> migrations() {
  static constexpr std::array kMigrations = {store::Migration{"registry/001-start", kStart}};
  return kMigrations;
}

}  // namespace weir::registry
