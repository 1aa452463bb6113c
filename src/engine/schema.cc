#include "engine/schema.h"

#include <array>

namespace weir::engine {

std::span<const store::Migration> migrations() {
  // Large texts stand last in a row, so that listing need not read them. A run's rows are found by its id, unfinished
  // runs and runs with folders by indexes that hold little else, so no cost grows with history.
  static constexpr std::array kMigrations{store::Migration{"engine/001-runs", R"(
CREATE TABLE engine_workflow_texts(sha256 TEXT PRIMARY KEY, text TEXT NOT NULL);

CREATE TABLE engine_runs(
  id BIGINT PRIMARY KEY, number BIGINT NOT NULL, attempt BIGINT NOT NULL, repo TEXT NOT NULL, path TEXT NOT NULL,
  workflow TEXT NOT NULL, event TEXT NOT NULL, ref TEXT NOT NULL, commit_id TEXT NOT NULL, title TEXT NOT NULL,
  actor TEXT NOT NULL, state BIGINT NOT NULL, conclusion BIGINT, created_at BIGINT NOT NULL, started_at BIGINT,
  completed_at BIGINT, reason TEXT NOT NULL, problem TEXT NOT NULL, cause BIGINT NOT NULL,
  created_event BIGINT NOT NULL, triggering_actor TEXT NOT NULL, cancel_requested BIGINT NOT NULL,
  cancel_reason TEXT NOT NULL, group_name TEXT NOT NULL, group_held BIGINT NOT NULL, folders BIGINT NOT NULL,
  head_ref TEXT NOT NULL, base_ref TEXT NOT NULL, requirements_hash TEXT NOT NULL, workflow_sha256 TEXT NOT NULL,
  options TEXT NOT NULL, inputs TEXT NOT NULL, payload TEXT NOT NULL);
CREATE INDEX engine_runs_state ON engine_runs(state, id);
CREATE INDEX engine_runs_repo ON engine_runs(repo, id);
CREATE INDEX engine_runs_path ON engine_runs(path, id);
CREATE INDEX engine_runs_folders ON engine_runs(folders, id);

CREATE TABLE engine_jobs(
  id BIGINT PRIMARY KEY, run BIGINT NOT NULL, attempt BIGINT NOT NULL, position BIGINT NOT NULL, job_key TEXT NOT NULL,
  name TEXT NOT NULL, needs TEXT NOT NULL, planned BIGINT NOT NULL, leg BIGINT NOT NULL, legs BIGINT NOT NULL,
  fail_fast BIGINT NOT NULL, max_parallel BIGINT NOT NULL, state BIGINT NOT NULL, conclusion BIGINT, allowed_to_fail BIGINT NOT NULL, environment TEXT NOT NULL,
  approval BIGINT NOT NULL, group_name TEXT NOT NULL, group_cancels BIGINT NOT NULL, group_held BIGINT NOT NULL,
  labels TEXT NOT NULL, timeout_s BIGINT NOT NULL, cancel_requested BIGINT NOT NULL, waiting_for TEXT NOT NULL,
  created_at BIGINT NOT NULL, queued_at BIGINT, started_at BIGINT, completed_at BIGINT, origin BIGINT NOT NULL,
  layer TEXT NOT NULL, error TEXT NOT NULL, layers TEXT NOT NULL, matrix TEXT NOT NULL, outputs TEXT NOT NULL);
CREATE INDEX engine_jobs_run ON engine_jobs(run, attempt, position);

CREATE TABLE engine_job_results(
  job BIGINT PRIMARY KEY, steps TEXT NOT NULL, annotations TEXT NOT NULL, summary TEXT NOT NULL);

CREATE TABLE engine_layers(
  repo TEXT NOT NULL, requirements_hash TEXT NOT NULL, layers TEXT NOT NULL, recorded_at BIGINT NOT NULL,
  PRIMARY KEY(repo, requirements_hash));
)"},
                                          store::Migration{"engine/002-environment-url", R"(
ALTER TABLE engine_jobs ADD COLUMN environment_url TEXT NOT NULL DEFAULT '';
)"},
                                          store::Migration{"engine/003-calls", R"(
ALTER TABLE engine_runs ADD COLUMN called TEXT NOT NULL DEFAULT '{}';
ALTER TABLE engine_jobs ADD COLUMN parent BIGINT NOT NULL DEFAULT 0;
ALTER TABLE engine_jobs ADD COLUMN calls TEXT NOT NULL DEFAULT '';
ALTER TABLE engine_jobs ADD COLUMN call_inputs TEXT NOT NULL DEFAULT '{}';
ALTER TABLE engine_jobs ADD COLUMN group_queues BIGINT NOT NULL DEFAULT 0;
ALTER TABLE engine_jobs ADD COLUMN cancel_limit_s BIGINT NOT NULL DEFAULT 300;
ALTER TABLE engine_jobs ADD COLUMN deployment BIGINT NOT NULL DEFAULT 1;
)"},
                                          store::Migration{"engine/004-places", R"(
ALTER TABLE engine_jobs ADD COLUMN gpus TEXT NOT NULL DEFAULT '[]';
ALTER TABLE engine_jobs ADD COLUMN preemptions BIGINT NOT NULL DEFAULT 0;
)"},
                                          store::Migration{"engine/005-reuse", R"(
ALTER TABLE engine_jobs ADD COLUMN may_reuse BIGINT NOT NULL DEFAULT 0;
ALTER TABLE engine_jobs ADD COLUMN reason TEXT NOT NULL DEFAULT '';
ALTER TABLE engine_job_results ADD COLUMN inputs TEXT NOT NULL DEFAULT '';
CREATE INDEX engine_runs_commit ON engine_runs(commit_id, id);
)"},
                                          store::Migration{"engine/006-heads", R"(
ALTER TABLE engine_runs ADD COLUMN head_sha TEXT NOT NULL DEFAULT '';
UPDATE engine_runs SET head_sha = commit_id;
CREATE INDEX engine_runs_head ON engine_runs(head_sha, id);
)"},
                                          store::Migration{"engine/007-comparisons", R"(
CREATE TABLE engine_job_comparisons(
  job BIGINT PRIMARY KEY, compared BIGINT NOT NULL, count BIGINT NOT NULL, differences TEXT NOT NULL);
)"},
                                          store::Migration{"engine/008-cache-mode", R"(
ALTER TABLE engine_jobs ADD COLUMN cache_mode BIGINT NOT NULL DEFAULT 3;
)"}};
  return kMigrations;
}

}  // namespace weir::engine
