#include "forge/schema.h"

#include <array>

namespace weir::forge {

std::span<const store::Migration> migrations() {
  // Issues and pull requests of a repository share their numbers, as on GitHub; what both have is in forge_issues.
  static constexpr std::array kMigrations{store::Migration{"forge/001-start", R"(
CREATE TABLE forge_issues(
  repo TEXT NOT NULL, number BIGINT NOT NULL, is_pull BIGINT NOT NULL, open BIGINT NOT NULL, title TEXT NOT NULL,
  author TEXT NOT NULL, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL, closed_at BIGINT,
  closed_by TEXT NOT NULL, labels TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY(repo, number));
CREATE INDEX forge_issues_open ON forge_issues(repo, is_pull, open, number);

CREATE TABLE forge_pulls(
  repo TEXT NOT NULL, number BIGINT NOT NULL, head_ref TEXT NOT NULL, head_sha TEXT NOT NULL, base_ref TEXT NOT NULL,
  base_sha TEXT NOT NULL, merge_sha TEXT NOT NULL, conflicts TEXT NOT NULL, draft BIGINT NOT NULL,
  is_foreign BIGINT NOT NULL, merged_at BIGINT, merged_by TEXT NOT NULL, merged_sha TEXT NOT NULL,
  PRIMARY KEY(repo, number));
CREATE INDEX forge_pulls_head ON forge_pulls(repo, head_ref);

CREATE TABLE forge_comments(
  id BIGINT PRIMARY KEY, repo TEXT NOT NULL, subject TEXT NOT NULL, author TEXT NOT NULL, path TEXT NOT NULL,
  line BIGINT, commit_id TEXT NOT NULL, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL, body TEXT NOT NULL);
CREATE INDEX forge_comments_subject ON forge_comments(repo, subject, id);

CREATE TABLE forge_reviews(
  id BIGINT PRIMARY KEY, repo TEXT NOT NULL, number BIGINT NOT NULL, author TEXT NOT NULL, state BIGINT NOT NULL,
  commit_id TEXT NOT NULL, submitted_at BIGINT NOT NULL, body TEXT NOT NULL);
CREATE INDEX forge_reviews_pull ON forge_reviews(repo, number, id);

CREATE TABLE forge_statuses(
  id BIGINT PRIMARY KEY, repo TEXT NOT NULL, commit_id TEXT NOT NULL, context TEXT NOT NULL, state TEXT NOT NULL,
  description TEXT NOT NULL, target_url TEXT NOT NULL, creator TEXT NOT NULL, created_at BIGINT NOT NULL);
CREATE INDEX forge_statuses_commit ON forge_statuses(repo, commit_id, id);

CREATE TABLE forge_checks(
  id BIGINT PRIMARY KEY, repo TEXT NOT NULL, commit_id TEXT NOT NULL, name TEXT NOT NULL, status TEXT NOT NULL,
  conclusion TEXT NOT NULL, details_url TEXT NOT NULL, external_id TEXT NOT NULL, creator TEXT NOT NULL,
  started_at BIGINT NOT NULL, completed_at BIGINT, title TEXT NOT NULL, summary TEXT NOT NULL, body TEXT NOT NULL,
  annotations TEXT NOT NULL);
CREATE INDEX forge_checks_commit ON forge_checks(repo, commit_id, id);
)"},
                                          store::Migration{"forge/002-releases", R"(
CREATE TABLE forge_releases(
  id BIGINT PRIMARY KEY, repo TEXT NOT NULL, tag TEXT NOT NULL, target TEXT NOT NULL, name TEXT NOT NULL,
  draft BIGINT NOT NULL, prerelease BIGINT NOT NULL, author TEXT NOT NULL, created_at BIGINT NOT NULL,
  published_at BIGINT, body TEXT NOT NULL);
CREATE INDEX forge_releases_repo ON forge_releases(repo, tag);

CREATE TABLE forge_release_assets(
  id BIGINT PRIMARY KEY, release BIGINT NOT NULL, name TEXT NOT NULL, label TEXT NOT NULL, content_type TEXT NOT NULL,
  sha256 TEXT NOT NULL, size_bytes BIGINT NOT NULL, uploader TEXT NOT NULL, created_at BIGINT NOT NULL);
CREATE UNIQUE INDEX forge_release_assets_name ON forge_release_assets(release, name);
)"},
                                          store::Migration{"forge/003-attachments", R"(
CREATE TABLE forge_attachments(
  repo TEXT NOT NULL, sha256 TEXT NOT NULL, size_bytes BIGINT NOT NULL, content_type TEXT NOT NULL, name TEXT NOT NULL,
  uploader TEXT NOT NULL, created_at BIGINT NOT NULL, PRIMARY KEY(repo, sha256));
CREATE INDEX forge_attachments_file ON forge_attachments(sha256);
)"},
                                          store::Migration{"forge/004-deployments", R"(
CREATE TABLE forge_deployments(
  id BIGINT PRIMARY KEY, repo TEXT NOT NULL, commit_id TEXT NOT NULL, ref TEXT NOT NULL, full_ref TEXT NOT NULL,
  task TEXT NOT NULL, environment TEXT NOT NULL, original_environment TEXT NOT NULL, description TEXT NOT NULL,
  payload TEXT NOT NULL, transient BIGINT NOT NULL, production BIGINT NOT NULL, state TEXT NOT NULL,
  creator TEXT NOT NULL, job BIGINT NOT NULL, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL);
CREATE INDEX forge_deployments_repo ON forge_deployments(repo, environment, id);
CREATE INDEX forge_deployments_job ON forge_deployments(job);

CREATE TABLE forge_deployment_statuses(
  id BIGINT PRIMARY KEY, deployment BIGINT NOT NULL, state TEXT NOT NULL, environment TEXT NOT NULL,
  description TEXT NOT NULL, environment_url TEXT NOT NULL, log_url TEXT NOT NULL, creator TEXT NOT NULL,
  created_at BIGINT NOT NULL);
CREATE INDEX forge_deployment_statuses_deployment ON forge_deployment_statuses(deployment, id);

CREATE TABLE forge_cursors(name TEXT PRIMARY KEY, sequence BIGINT NOT NULL);
)"},
                                          store::Migration{"forge/005-reviews", R"(
ALTER TABLE forge_reviews ADD COLUMN dismissed_by TEXT NOT NULL DEFAULT '';
ALTER TABLE forge_reviews ADD COLUMN dismissal TEXT NOT NULL DEFAULT '';
ALTER TABLE forge_pulls ADD COLUMN requested TEXT NOT NULL DEFAULT '[]';
)"},
                                          store::Migration{"forge/006-labels", R"(
CREATE TABLE forge_labels(
  repo TEXT NOT NULL, folded TEXT NOT NULL, name TEXT NOT NULL, color TEXT NOT NULL, description TEXT NOT NULL,
  PRIMARY KEY(repo, folded));

CREATE TABLE forge_reactions(
  id BIGINT PRIMARY KEY, repo TEXT NOT NULL, subject TEXT NOT NULL, content TEXT NOT NULL, author TEXT NOT NULL,
  created_at BIGINT NOT NULL);
CREATE INDEX forge_reactions_subject ON forge_reactions(repo, subject, id);
)"},
                                          store::Migration{"forge/007-standing", R"(
ALTER TABLE forge_issues ADD COLUMN author_rank BIGINT NOT NULL DEFAULT -1;
ALTER TABLE forge_comments ADD COLUMN author_rank BIGINT NOT NULL DEFAULT -1;
ALTER TABLE forge_reviews ADD COLUMN author_rank BIGINT NOT NULL DEFAULT -1;
)"},
                                          store::Migration{"forge/008-hidden-comments", R"(
CREATE TABLE forge_hidden_comments(
  comment BIGINT PRIMARY KEY, reason TEXT NOT NULL, hidden_by TEXT NOT NULL, hidden_at BIGINT NOT NULL);
)"},
                                          store::Migration{"forge/009-issue-events", R"(
ALTER TABLE forge_issues ADD COLUMN assignees TEXT NOT NULL DEFAULT '[]';
CREATE TABLE forge_issue_events(
  id BIGINT PRIMARY KEY, repo TEXT NOT NULL, number BIGINT NOT NULL, actor TEXT NOT NULL, event TEXT NOT NULL,
  detail TEXT NOT NULL, created_at BIGINT NOT NULL);
CREATE INDEX forge_issue_events_issue ON forge_issue_events(repo, number, id);
)"}};
  return kMigrations;
}

}  // namespace weir::forge
