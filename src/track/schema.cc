#include "track/schema.h"

#include <array>

namespace weir::track {
namespace {

// Runs and metric names are integers inside, so that a point of a metric is five numbers: millions of them fit, and the
// primary key over all of them makes a repeated batch a no-op. is_nan stands beside a value of 0, because NULL and NaN
// are not equal to themselves in a key. The newest point of each metric is kept apart for search and run pages.
constexpr std::string_view kStart = R"(
CREATE TABLE track_experiments(
  experiment BIGINT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  artifact_location TEXT NOT NULL,
  deleted BIGINT NOT NULL,
  created_ms BIGINT NOT NULL,
  updated_ms BIGINT NOT NULL);
CREATE TABLE track_experiment_tags(
  experiment BIGINT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,
  PRIMARY KEY(experiment, key));

CREATE TABLE track_runs(
  run BIGINT PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  experiment BIGINT NOT NULL,
  name TEXT NOT NULL,
  user_id TEXT NOT NULL,
  status BIGINT NOT NULL,
  start_ms BIGINT NOT NULL,
  end_ms BIGINT,
  deleted BIGINT NOT NULL,
  artifact_uri TEXT NOT NULL,
  workflow_run BIGINT,
  job BIGINT,
  actor TEXT NOT NULL);
CREATE INDEX track_runs_experiment ON track_runs(experiment, deleted, start_ms, id);
CREATE INDEX track_runs_workflow_run ON track_runs(workflow_run);

CREATE TABLE track_metric_names(
  metric BIGINT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE);
CREATE TABLE track_metrics(
  run BIGINT NOT NULL, metric BIGINT NOT NULL, step BIGINT NOT NULL, timestamp_ms BIGINT NOT NULL,
  value DOUBLE PRECISION NOT NULL, is_nan BIGINT NOT NULL,
  PRIMARY KEY(run, metric, step, timestamp_ms, value, is_nan));
CREATE TABLE track_latest_metrics(
  run BIGINT NOT NULL, metric BIGINT NOT NULL, step BIGINT NOT NULL, timestamp_ms BIGINT NOT NULL,
  value DOUBLE PRECISION NOT NULL, is_nan BIGINT NOT NULL,
  dataset_name TEXT NOT NULL, dataset_digest TEXT NOT NULL, model_id TEXT NOT NULL,
  PRIMARY KEY(run, metric));

CREATE TABLE track_params(
  run BIGINT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,
  PRIMARY KEY(run, key));
CREATE TABLE track_tags(
  run BIGINT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,
  PRIMARY KEY(run, key));

CREATE TABLE track_datasets(
  dataset BIGINT PRIMARY KEY,
  experiment BIGINT NOT NULL,
  name TEXT NOT NULL,
  digest TEXT NOT NULL,
  source_type TEXT NOT NULL,
  source TEXT NOT NULL,
  schema_json TEXT,
  profile_json TEXT,
  UNIQUE(experiment, name, digest));
CREATE INDEX track_datasets_digest ON track_datasets(digest);
CREATE TABLE track_inputs(
  input BIGINT PRIMARY KEY,
  run BIGINT NOT NULL,
  dataset BIGINT NOT NULL,
  workflow_run BIGINT,
  job BIGINT,
  UNIQUE(run, dataset));
CREATE INDEX track_inputs_dataset ON track_inputs(dataset);
CREATE TABLE track_input_tags(
  input BIGINT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,
  PRIMARY KEY(input, key));

CREATE TABLE track_run_models(
  run BIGINT NOT NULL, is_output BIGINT NOT NULL, model_id TEXT NOT NULL, step BIGINT NOT NULL,
  PRIMARY KEY(run, is_output, model_id));
CREATE TABLE track_models(
  model BIGINT PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  experiment BIGINT NOT NULL,
  name TEXT NOT NULL,
  type TEXT NOT NULL,
  source_run TEXT NOT NULL,
  status BIGINT NOT NULL,
  status_message TEXT NOT NULL,
  artifact_uri TEXT NOT NULL,
  deleted BIGINT NOT NULL,
  created_ms BIGINT NOT NULL,
  updated_ms BIGINT NOT NULL,
  workflow_run BIGINT,
  job BIGINT);
CREATE INDEX track_models_experiment ON track_models(experiment, deleted, created_ms);
CREATE INDEX track_models_source_run ON track_models(source_run);
CREATE TABLE track_model_params(
  model BIGINT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,
  PRIMARY KEY(model, key));
CREATE TABLE track_model_tags(
  model BIGINT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,
  PRIMARY KEY(model, key));
CREATE TABLE track_model_metrics(
  model_id TEXT NOT NULL, metric BIGINT NOT NULL, timestamp_ms BIGINT NOT NULL, step BIGINT NOT NULL,
  run TEXT NOT NULL, dataset_name TEXT NOT NULL, dataset_digest TEXT NOT NULL,
  value DOUBLE PRECISION NOT NULL, is_nan BIGINT NOT NULL,
  PRIMARY KEY(model_id, metric, timestamp_ms, step, run, dataset_name, dataset_digest));

CREATE TABLE track_artifacts(
  folder TEXT NOT NULL,
  name TEXT NOT NULL,
  is_folder BIGINT NOT NULL,
  blob TEXT NOT NULL,
  size_bytes BIGINT NOT NULL,
  created_ms BIGINT NOT NULL,
  PRIMARY KEY(folder, name));
CREATE INDEX track_artifacts_blob ON track_artifacts(blob);
)";

}  // namespace

std::span<const store::Migration> migrations() {
  static constexpr std::array kMigrations = {store::Migration{"track/001-start", kStart}};
  return kMigrations;
}

}  // namespace weir::track
