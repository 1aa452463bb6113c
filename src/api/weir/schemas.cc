#include "api/weir/openapi.h"

namespace weir::api {
namespace {

// Requests list what they need in "required". Answers always have all members, unless "required" says which.

constexpr std::string_view kBasics = R"json({
"Error": {"type": "object", "properties": {
    "error": {"type": "string", "enum": ["invalid_argument", "not_found", "already_exists", "permission_denied",
        "unauthenticated", "failed_precondition", "resource_exhausted", "unavailable", "internal", "cancelled",
        "deadline_exceeded", "corrupt", "unimplemented"]},
    "message": {"type": "string"}},
  "examples": [{"error": "not_found", "message": "there is no run 7"}]},
"Time": {"type": "string", "format": "date-time", "examples": ["2013-07-01T12:00:00.000000Z"]},
"TimeOrNull": {"type": ["string", "null"], "format": "date-time"},
"IdOrNull": {"type": ["integer", "null"], "minimum": 1},
"NumberOrNull": {"type": ["number", "null"]},
"TextOrNull": {"type": ["string", "null"]},
"Texts": {"type": "array", "items": {"type": "string"}},
"OpenApi": {"type": "object", "required": ["openapi", "info", "paths"], "properties": {
    "openapi": {"type": "string"}, "info": {"type": "object"}, "paths": {"type": "object"},
    "servers": {"type": "array"}, "components": {"type": "object"}}}
})json";

constexpr std::string_view kPulls = R"json({
"MirrorRequest": {"type": "object", "required": ["url"], "properties": {
    "url": {"type": "string", "description": "https, http, ssh, git@host:path or file:///path"},
    "every": {"type": "string", "description": "how often it is fetched, as 5m; when asked unless given"},
    "token_secret": {"type": "string", "description": "name of the secret that holds the token to fetch with"}},
  "examples": [{"url": "https://github.com/me/flights.git", "every": "5m"}]},
"Mirror": {"type": "object", "properties": {
    "repo": {"type": "string"}, "url": {"type": "string"}, "every": {"type": ["string", "null"]},
    "token_secret": {"type": ["string", "null"]}, "fetched_at": {"$ref": "#/components/schemas/TimeOrNull"},
    "problem": {"type": "string", "description": "of the last time; empty if all went well"}}},
"MirrorList": {"type": "object", "properties": {
    "mirrors": {"type": "array", "items": {"$ref": "#/components/schemas/Mirror"}}}},
"MirrorName": {"type": "object", "properties": {"repo": {"type": "string"}}},
"Schedule": {"type": "object", "properties": {
    "repo": {"type": "string"}, "path": {"type": "string", "description": "of the workflow file"},
    "cron": {"type": "string"}, "timezone": {"type": "string"},
    "last_fired": {"$ref": "#/components/schemas/Time"}, "next": {"$ref": "#/components/schemas/TimeOrNull"}}},
"WatchedData": {"type": "object", "properties": {
    "repo": {"type": "string"}, "name": {"type": "string", "description": "as its weir.yaml names it"},
    "watch": {"type": "string", "description": "the path or address"},
    "kind": {"type": "string", "enum": ["files", "address", "dvc"]},
    "settle": {"type": "string"}, "every": {"type": "string"},
    "state": {"type": "string", "enum": ["new", "watching", "absent", "changing", "problem"]},
    "noticed": {"type": "boolean", "description": "the machine tells of changes at once; else it is looked at from time to time"},
    "seen": {"type": ["object", "null"], "additionalProperties": true, "description": "as in the event's `after`"},
    "looked_at": {"$ref": "#/components/schemas/TimeOrNull"},
    "changing_since": {"$ref": "#/components/schemas/TimeOrNull"},
    "changed_at": {"$ref": "#/components/schemas/TimeOrNull"},
    "event": {"$ref": "#/components/schemas/IdOrNull"},
    "problem": {"type": "string", "description": "empty if all is well"}},
  "examples": [{"repo": "flights", "name": "arrivals", "watch": "/srv/flights/arrivals", "kind": "files", "settle": "1m",
    "every": "1m", "state": "watching", "noticed": true, "seen": {"files": 12, "size": 4096,
    "newest": "2026-01-01T00:00:00.000000Z", "digest": "5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9"},
    "looked_at": "2026-01-01T00:01:00.000000Z", "changing_since": null, "changed_at": null, "event": null, "problem": ""}]},
"Triggers": {"type": "object", "properties": {
    "schedules": {"type": "array", "items": {"$ref": "#/components/schemas/Schedule"}},
    "data": {"type": "array", "items": {"$ref": "#/components/schemas/WatchedData"}}}},
"User": {"type": ["object", "null"], "additionalProperties": true, "required": ["login"], "properties": {
    "login": {"type": "string", "description": "of a job: job:9"},
    "name": {"type": "string", "description": "of a job, for people: weir · Train / report"},
    "run": {"type": "integer", "minimum": 1, "description": "of a job"}, "job": {"type": "integer", "minimum": 1}}},
"Side": {"type": "object", "required": ["ref", "sha", "label"], "properties": {
    "ref": {"type": "string"}, "sha": {"type": "string"}, "label": {"type": "string"},
    "repo": {"type": "object", "description": "of the head of one who may not push: fork is true", "properties": {
      "fork": {"type": "boolean"}}}}},
"PullRequest": {"type": "object", "required": ["head"], "properties": {
    "head": {"type": "string", "description": "branch that is to be merged"},
    "base": {"type": "string", "description": "branch that it goes into; the default branch unless given"},
    "title": {"type": "string", "description": "the first line of its newest commit unless given"},
    "body": {"type": "string"}, "draft": {"type": "boolean"}},
  "examples": [{"head": "better-features", "title": "Better features"}]},
"PullChange": {"type": "object", "required": [], "properties": {
    "title": {"type": "string"}, "body": {"type": "string"}, "state": {"type": "string", "enum": ["open", "closed"]},
    "base": {"type": "string"}, "draft": {"type": "boolean"}},
  "examples": [{"state": "closed"}]},
"Pull": {"type": "object", "additionalProperties": true, "required": ["number", "state", "merge", "waits_for_you"],
  "properties": {
    "number": {"type": "integer", "minimum": 1}, "repo": {"type": "string"},
    "state": {"type": "string", "enum": ["open", "closed"]},
    "title": {"type": "string"}, "body": {"type": "string", "description": "Markdown; not to be trusted"},
    "author": {"type": "string"},
    "draft": {"type": "boolean"}, "merged": {"type": "boolean"},
    "foreign": {"type": "boolean", "description": "by somebody who may not push: its jobs get no secrets"},
    "head": {"$ref": "#/components/schemas/Side"}, "base": {"$ref": "#/components/schemas/Side"},
    "conflicts": {"$ref": "#/components/schemas/Texts"},
    "waits_for_you": {"type": "boolean", "description": "for the caller's review"},
    "reviews": {"type": "array", "items": {"$ref": "#/components/schemas/Review"},
      "description": "when one is asked for, as are the next"},
    "comments": {"type": "array", "items": {"$ref": "#/components/schemas/Comment"}},
    "runs": {"type": "array", "items": {"$ref": "#/components/schemas/Run"}, "description": "of its merge commit; their jobs without steps"},
    "checks": {"type": "array", "description": "what others said of its newest commit", "items": {"type": "object",
      "properties": {"name": {"type": "string"}, "state": {"type": "string"}, "description": {"type": "string"},
        "url": {"type": "string"}}}},
    "merge": {"type": "object", "properties": {
      "allowed": {"type": "boolean"}, "reasons": {"$ref": "#/components/schemas/Texts"}}}}},
"PullList": {"type": "object", "properties": {
    "pulls": {"type": "array", "items": {"$ref": "#/components/schemas/Pull"}}}},
"AllPulls": {"type": "object", "properties": {
    "pulls": {"type": "array", "items": {"$ref": "#/components/schemas/Pull"}},
    "repos": {"$ref": "#/components/schemas/Texts", "description": "that have pull requests"}}},
"CommentRequest": {"type": "object", "required": ["body"], "properties": {"body": {"type": "string"},
    "key": {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._/ -]{0,99}$",
      "description": "the caller's comment with this key is changed, if there is one; jobs share theirs"}},
  "examples": [{"body": "Nice curve."}]},
"Comment": {"type": "object", "additionalProperties": true, "required": ["id", "body"], "properties": {
    "id": {"type": "integer"}, "body": {"type": "string", "description": "Markdown; not to be trusted"},
    "hidden": {"type": "string", "description": "why it was folded away; left out if it was not",
      "enum": ["abuse", "duplicate", "off_topic", "outdated", "resolved", "spam"]},
    "user": {"$ref": "#/components/schemas/User"}}},
"Attachment": {"type": "object", "properties": {
    "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"}, "name": {"type": "string"},
    "size_bytes": {"type": "integer"}, "content_type": {"type": "string", "description": "by its first bytes"},
    "picture": {"type": "boolean", "description": "a browser may show it in its place; others are downloaded"},
    "path": {"type": "string", "description": "for Markdown: ![ROC](path)"}}},
"ReviewRequest": {"type": "object", "required": ["state"], "properties": {
    "state": {"type": "string", "enum": ["approve", "request-changes", "comment"]}, "body": {"type": "string"}},
  "examples": [{"state": "approve"}]},
"Review": {"type": "object", "additionalProperties": true, "required": ["id", "state"], "properties": {
    "id": {"type": "integer"},
    "state": {"type": "string", "enum": ["APPROVED", "CHANGES_REQUESTED", "COMMENTED", "DISMISSED"]},
    "user": {"$ref": "#/components/schemas/User"}, "commit_id": {"type": "string"},
    "dismissed_by": {"$ref": "#/components/schemas/TextOrNull"},
    "dismissal_message": {"$ref": "#/components/schemas/TextOrNull"}}},
"DismissRequest": {"type": "object", "required": ["message"], "properties": {
    "message": {"type": "string", "description": "why"}},
  "examples": [{"message": "The data has changed since."}]},
"MergeRequest": {"type": "object", "required": [], "properties": {
    "method": {"type": "string", "enum": ["merge", "squash", "rebase"]}, "message": {"type": "string"},
    "head": {"type": "string", "description": "the commit that it must still have"}},
  "examples": [{"method": "squash"}]}
})json";

constexpr std::string_view kFiles = R"json({
"Digest": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
"Blob": {"type": "object", "properties": {
    "sha256": {"$ref": "#/components/schemas/Digest"}, "size_bytes": {"type": "integer"}}},
"BlobFile": {"type": "object", "required": ["file"], "properties": {
    "file": {"type": "string", "pattern": "^[0-9a-f]{32}$"}}},
"File": {"type": "object", "properties": {"path": {"type": "string"}, "size_bytes": {"type": "integer"}}},
"Artifact": {"type": "object", "properties": {
    "id": {"type": "integer"}, "run_id": {"type": "integer"},
    "attempt": {"type": "integer", "minimum": 1, "description": "of the run, in which it was made"},
    "name": {"type": "string"},
    "sha256": {"$ref": "#/components/schemas/Digest"}, "size_bytes": {"type": "integer"},
    "format": {"type": "string", "enum": ["zip", "raw", "tar.zst"]},
    "files": {"type": "array", "items": {"$ref": "#/components/schemas/File"}},
    "created_at": {"$ref": "#/components/schemas/Time"}, "expires_at": {"$ref": "#/components/schemas/TimeOrNull"}}},
"ArtifactList": {"type": "object", "properties": {
    "artifacts": {"type": "array", "items": {"$ref": "#/components/schemas/Artifact"}}}},
"ArtifactRequest": {"type": "object", "required": ["name", "sha256"], "properties": {
    "name": {"type": "string"}, "sha256": {"$ref": "#/components/schemas/Digest"}, "size_bytes": {"type": "integer"},
    "format": {"type": "string", "enum": ["zip", "raw", "tar.zst"]},
    "files": {"type": "array", "items": {"$ref": "#/components/schemas/File"}, "description": "read out of a zip"},
    "retention_days": {"type": "integer"},
    "overwrite": {"type": "boolean", "description": "take the place of an artifact of that name and attempt"}}},
"CacheLookup": {"type": "object", "required": ["key"], "properties": {
    "key": {"type": "string"},
    "restore_keys": {"$ref": "#/components/schemas/Texts"},
    "version": {"type": "string", "description": "a cache of another version never fits"}},
  "examples": [{"key": "pip-1f2e", "restore_keys": ["pip-"], "version": "paths-9a"}]},
"Cache": {"type": "object", "properties": {
    "key": {"type": "string"}, "sha256": {"$ref": "#/components/schemas/Digest"}, "size_bytes": {"type": "integer"}}},
"CacheRequest": {"type": "object", "required": ["key", "sha256"], "properties": {
    "key": {"type": "string"}, "version": {"type": "string"}, "sha256": {"$ref": "#/components/schemas/Digest"},
    "size_bytes": {"type": "integer"}}},
"CacheSaved": {"type": "object", "properties": {"key": {"type": "string"}}}
})json";

constexpr std::string_view kAccess = R"json({
"Approval": {"type": "object", "properties": {
    "id": {"type": "integer", "minimum": 1},
    "repository": {"type": "string", "description": "whose environment it is"}, "environment": {"type": "string"},
    "subject": {"type": "string", "description": "what waits: `job/42`, `endpoint/flights@production`"},
    "summary": {"type": "string"}, "requested_by": {"type": "string"},
    "requested_at": {"$ref": "#/components/schemas/Time"},
    "state": {"type": "string", "enum": ["pending", "granted", "rejected", "expired"]},
    "reviewers": {"$ref": "#/components/schemas/Texts"},
    "self_review": {"type": "boolean", "description": "who asked may decide"},
    "comment": {"type": "string"},
    "bypassed": {"type": "boolean", "description": "an admin decided who is no reviewer"},
    "event": {"type": "integer", "description": "sequence of the event that asked"},
    "ref": {"type": "string"},
    "run": {"$ref": "#/components/schemas/IdOrNull"}, "job": {"$ref": "#/components/schemas/IdOrNull"},
    "wait_until": {"$ref": "#/components/schemas/TimeOrNull"},
    "reviewed_by": {"$ref": "#/components/schemas/TextOrNull"},
    "expires_at": {"$ref": "#/components/schemas/Time", "description": "nobody decides it after this"},
    "decided_at": {"$ref": "#/components/schemas/TimeOrNull"}},
  "examples": [{"id": 3, "repository": "flights", "environment": "production", "subject": "job/42", "summary": "deploy (ML Pipeline #3)",
    "requested_by": "carol", "requested_at": "2026-01-01T00:00:00.000000Z", "state": "pending", "reviewers": ["alice"],
    "self_review": false, "comment": "", "bypassed": false, "event": 120, "ref": "refs/heads/main", "run": 7, "job": 42,
    "wait_until": null, "expires_at": "2026-01-31T00:00:00.000000Z", "reviewed_by": null, "decided_at": null}]},
"ApprovalList": {"type": "object", "properties": {
    "approvals": {"type": "array", "items": {"$ref": "#/components/schemas/Approval"}}}},
"Decision": {"type": "object", "required": [], "properties": {"comment": {"type": "string"}},
  "examples": [{"comment": "checked the April numbers"}]},
"Role": {"type": "string", "enum": ["viewer", "developer", "approver", "admin"]},
"Token": {"type": "object", "properties": {
    "id": {"type": "integer", "minimum": 1}, "name": {"type": "string"}, "role": {"$ref": "#/components/schemas/Role"},
    "created_at": {"$ref": "#/components/schemas/Time"}, "created_by": {"type": "string"},
    "expires_at": {"$ref": "#/components/schemas/TimeOrNull"}}},
"TokenList": {"type": "object", "properties": {
    "tokens": {"type": "array", "items": {"$ref": "#/components/schemas/Token"}}}},
"TokenRequest": {"type": "object", "required": ["name"], "properties": {
    "name": {"type": "string"}, "role": {"$ref": "#/components/schemas/Role"},
    "expires_in": {"type": "string", "description": "`90d`; never unless given"}},
  "examples": [{"name": "alice", "role": "approver", "expires_in": "90d"}]},
"CreatedToken": {"type": "object", "properties": {
    "id": {"type": "integer", "minimum": 1}, "name": {"type": "string"}, "role": {"$ref": "#/components/schemas/Role"},
    "created_at": {"$ref": "#/components/schemas/Time"}, "created_by": {"type": "string"},
    "expires_at": {"$ref": "#/components/schemas/TimeOrNull"},
    "token": {"type": "string", "description": "the secret, shown this once"}}},
"SecretList": {"type": "object", "properties": {"secrets": {"type": "array", "items": {"type": "object", "properties": {
    "name": {"type": "string"}, "repository": {"type": "string", "description": "empty for all"},
    "environment": {"type": "string", "description": "empty for every job"},
    "updated_at": {"$ref": "#/components/schemas/Time"}, "updated_by": {"type": "string"}}}}}},
"NamedValue": {"type": "object", "required": ["value"], "properties": {
    "value": {"type": "string"},
    "repository": {"type": "string", "description": "only for its jobs; for those of all unless given"},
    "environment": {"type": "string", "description": "only for jobs of it; for every job unless given"}},
  "examples": [{"value": "s3cret", "repository": "flights", "environment": "production"}]},
"Identity": {"type": "object", "required": ["name", "role"], "properties": {
    "name": {"type": "string"},
    "role": {"type": ["string", "null"], "description": "null for a caller without a token"},
    "foreign": {"type": "boolean", "description": "of a job whose code is of somebody who may not push: it only reads"}},
  "examples": [{"name": "alice", "role": "approver"}]},
"Config": {"type": "object", "description": "the keys of weir.yaml", "properties": {
    "endpoints": {"type": "object", "additionalProperties": {"type": "object"}},
    "environments": {"type": "object", "additionalProperties": {"type": "object"}},
    "gates": {"type": "object", "additionalProperties": {"$ref": "#/components/schemas/Texts"}},
    "monitors": {"type": "object", "additionalProperties": {"type": "object"}},
    "retrain": {"type": "object", "additionalProperties": {"type": "object"}},
    "notify": {"type": "array", "items": {"type": "object"}},
    "runners": {"type": "object", "additionalProperties": {"type": "object"}},
    "branches": {"type": "object", "additionalProperties": {"type": "object"}},
    "data": {"type": "object", "additionalProperties": {"type": "object"}},
    "schedules": {"type": "object", "additionalProperties": {"type": "string"}},
    "keep": {"type": "object", "properties": {"runs": {"type": "integer"}, "workspaces": {"type": "string"},
      "logs": {"type": "string"}, "artifacts": {"type": "string"}, "caches": {"type": "string"}}},
    "strict": {"type": "boolean"}}}
})json";

constexpr std::string_view kInsight = R"json({
"Event": {"type": "object", "description": "A row of the event log, as a CloudEvent", "properties": {
    "specversion": {"type": "string", "const": "1.0"}, "id": {"type": "string"}, "sequence": {"type": "integer"},
    "source": {"type": "string", "const": "weir"}, "type": {"type": "string"}, "subject": {"type": "string"},
    "time": {"$ref": "#/components/schemas/Time"}, "actor": {"type": "string"},
    "cause": {"type": ["integer", "null"], "description": "sequence of the event that led to it"},
    "data": {"type": "object", "additionalProperties": true},
    "chain_hash": {"type": "string", "description": "of this event and all before it"}},
  "examples": [{"specversion": "1.0", "id": "120", "sequence": 120, "source": "weir", "type": "approval.requested",
    "subject": "approval/3", "time": "2026-01-01T00:00:00.000000Z", "actor": "carol", "cause": 112, "data": {},
    "chain_hash": "5f2c"}]},
"EventList": {"type": "object", "properties": {
    "events": {"type": "array", "items": {"$ref": "#/components/schemas/Event"}}}},
"Link": {"type": "object", "properties": {
    "kind": {"type": "string"}, "title": {"type": "string"}, "time": {"$ref": "#/components/schemas/TimeOrNull"},
    "actor": {"type": "string"}, "subject": {"type": "string"}, "event": {"$ref": "#/components/schemas/IdOrNull"},
    "details": {"type": "object", "additionalProperties": {"type": "string"}},
    "causes": {"type": "array", "items": {"$ref": "#/components/schemas/Link"}}}},
"Why": {"type": "object", "properties": {
    "subject": {"type": "string"}, "answer": {"type": "string", "description": "in one sentence"},
    "chain": {"$ref": "#/components/schemas/Link"}, "text": {"type": "string", "description": "all of it for a terminal"}}},
"Dora": {"type": "object", "properties": {
    "environment": {"type": "string"},
    "from": {"$ref": "#/components/schemas/Time"}, "to": {"$ref": "#/components/schemas/Time"},
    "deployments": {"type": "integer"}, "rollbacks": {"type": "integer"}, "deployments_per_day": {"type": "number"},
    "lead_time_seconds": {"$ref": "#/components/schemas/NumberOrNull", "description": "median from commit to live"},
    "lead_time_known": {"type": "integer", "description": "deployments whose commit time is known"},
    "failed": {"type": "integer"},
    "change_failure_rate": {"$ref": "#/components/schemas/NumberOrNull"},
    "time_to_restore_seconds": {"$ref": "#/components/schemas/NumberOrNull", "description": "median"},
    "unrestored": {"type": "integer"},
    "list": {"type": "array", "items": {"type": "object", "properties": {
      "time": {"$ref": "#/components/schemas/Time"}, "endpoint": {"type": "string"}, "model": {"type": "string"},
      "version": {"type": "string"}, "commit": {"type": "string"},
      "lead_time_seconds": {"$ref": "#/components/schemas/NumberOrNull"}, "failed": {"type": "boolean"},
      "restored_after_seconds": {"$ref": "#/components/schemas/NumberOrNull"}, "event": {"type": "integer"}}}},
    "text": {"type": "string"}}},
"GateRequest": {"type": "object", "required": [], "properties": {
    "model": {"type": "string", "description": "may be left out by a job whose run names one"},
    "version": {"type": ["string", "integer"]},
    "run_id": {"type": "string", "description": "of an experiment"},
    "rules": {"$ref": "#/components/schemas/Texts"},
    "metrics": {"type": "object", "additionalProperties": {"type": "number"}}},
  "examples": [{"model": "flight-delay", "metrics": {"auc": 0.71}, "rules": ["auc >= 0.60"]}]},
"Verdict": {"type": "object", "properties": {
    "passed": {"type": "boolean"}, "model": {"type": "string"},
    "candidate": {"$ref": "#/components/schemas/Judged"},
    "champion": {"anyOf": [{"$ref": "#/components/schemas/Judged"}, {"type": "null"}],
      "description": "null: this is the first release"},
    "findings": {"type": "array", "items": {"type": "object", "properties": {
      "rule": {"type": "string"}, "metric": {"type": "string"}, "passed": {"type": "boolean"}, "reason": {"type": "string"},
      "candidate": {"$ref": "#/components/schemas/NumberOrNull"}, "champion": {"$ref": "#/components/schemas/NumberOrNull"},
      "limit": {"$ref": "#/components/schemas/NumberOrNull"}, "comparison": {"type": "string"}}}},
    "warnings": {"$ref": "#/components/schemas/Texts"},
    "text": {"type": "string", "description": "table for a log"},
    "markdown": {"type": "string", "description": "table for a summary"}},
  "examples": [{"passed": false, "model": "flight-delay", "candidate": {"version": "", "run_id": ""}, "champion": null,
    "findings": [{"rule": "auc >= 0.60", "metric": "auc", "passed": false, "reason": "auc is 0.51, at least 0.6 is wanted",
      "candidate": 0.51, "champion": null, "limit": 0.6, "comparison": ">="}],
    "warnings": [], "text": "", "markdown": ""}]},
"ReportRequest": {"type": "object", "required": [], "properties": {
    "model": {"type": "string", "description": "may be left out where one gate tells it, or nobody gave it a name"},
    "version": {"type": ["string", "integer"]},
    "run_id": {"type": "string", "description": "of an experiment"},
    "workflow_run": {"type": "integer", "description": "the newest experiment run that it made; a job's own unless given"},
    "metrics": {"type": "object", "additionalProperties": {"type": "number"}},
    "compare": {"type": "string",
      "description": "champion, a version, a branch or an experiment run; unless given the champion, or the default branch where there is none"},
    "repo": {"type": "string", "description": "whose branches are meant"}},
  "examples": [{"model": "flight-delay", "workflow_run": 7, "compare": "main"}]},
"Report": {"type": "object", "properties": {
    "model": {"type": "string"}, "candidate": {"type": "string"},
    "base": {"type": "string", "description": "what it is compared with; empty: there is nothing yet"},
    "metrics": {"type": "array", "items": {"type": "object", "properties": {
      "name": {"type": "string"}, "value": {"$ref": "#/components/schemas/NumberOrNull"},
      "base": {"$ref": "#/components/schemas/NumberOrNull"}, "difference": {"$ref": "#/components/schemas/NumberOrNull"},
      "change": {"type": "string", "enum": ["", "same", "better", "worse", "changed"]}}}},
    "params": {"type": "array", "description": "that differ", "items": {"type": "object", "properties": {
      "name": {"type": "string"}, "value": {"$ref": "#/components/schemas/TextOrNull"},
      "base": {"$ref": "#/components/schemas/TextOrNull"}}}},
    "gate": {"anyOf": [{"$ref": "#/components/schemas/Verdict"}, {"type": "null"}],
      "description": "what it would say; nothing is recorded. null: there are no rules"},
    "warnings": {"$ref": "#/components/schemas/Texts"}, "markdown": {"type": "string"}, "text": {"type": "string"}}},
"Judged": {"type": "object", "properties": {"version": {"type": "string"}, "run_id": {"type": "string"}}},
"Severity": {"type": "string", "enum": ["info", "warning", "page"]},
"Notification": {"type": "object", "required": ["message"], "properties": {
    "severity": {"$ref": "#/components/schemas/Severity"}, "title": {"type": "string"}, "message": {"type": "string"},
    "to": {"type": "string", "description": "a webhook that takes Slack's messages, and that `notify` of weir.yaml, a secret or a variable holds; those of weir.yaml unless given"}},
  "examples": [{"severity": "warning", "title": "Nightly", "message": "only 10 rows came"}]},
"Queued": {"type": "object", "properties": {"queued": {"type": "boolean"}}},
"NotificationTest": {"type": "object", "required": [], "properties": {
    "to": {"type": "string", "description": "`to` of a target as it stands in weir.yaml; all of them unless given"}},
  "examples": [{"to": "mailto:ml@example.com"}]},
"NotificationNumbers": {"type": "object", "properties": {
    "notifications": {"type": "array", "items": {"type": "integer"}}}},
"NotificationState": {"type": "object", "properties": {
    "id": {"type": "integer"}, "subject": {"type": "string", "description": "`alert/7/fired`, `event/120`, `message/…`"},
    "target": {"type": "string", "description": "as in weir.yaml, without secrets"},
    "text": {"type": "string"}, "severity": {"$ref": "#/components/schemas/Severity"},
    "state": {"type": "string", "enum": ["waiting", "held", "retrying", "sent", "given_up", "merged"],
      "description": "held: until quiet hours end; merged: sent with others as one message, `digest`"},
    "attempts": {"type": "integer"},
    "possibly_repeated": {"type": "boolean", "description": "more than one copy may have arrived, marked so"},
    "problem": {"type": "string", "description": "why the last attempt failed"},
    "created_at": {"$ref": "#/components/schemas/Time"},
    "last_attempt_at": {"$ref": "#/components/schemas/TimeOrNull"},
    "next_attempt_at": {"$ref": "#/components/schemas/TimeOrNull"},
    "digest": {"$ref": "#/components/schemas/IdOrNull"},
    "event": {"type": "string", "description": "what it tells of; `message` and `test` are of people and jobs"},
    "repo": {"type": "string"}}},
"NotificationList": {"type": "object", "properties": {
    "notifications": {"type": "array", "items": {"$ref": "#/components/schemas/NotificationState"}},
    "counts": {"type": "object", "additionalProperties": {"type": "integer"}, "description": "how many by state"}}}
})json";

constexpr std::string_view kServing = R"json({
"ModelList": {"type": "object", "properties": {"models": {"type": "array", "items": {"type": "object", "properties": {
    "name": {"type": "string"}, "description": {"type": "string"}, "versions": {"type": "integer", "description": "how many"},
    "aliases": {"type": "object", "additionalProperties": {"type": "integer"}},
    "live": {"type": "object", "additionalProperties": {"type": "integer"}, "description": "place to version"}},
  "examples": [{"name": "flight-delay", "description": "", "versions": 3, "aliases": {"champion": 2},
    "live": {"flights@production": 2}}]}}}},
"Model": {"type": "object", "properties": {
    "name": {"type": "string"},
    "versions": {"type": "array", "items": {"$ref": "#/components/schemas/Version"}}}},
"Version": {"type": "object", "properties": {
    "version": {"type": "string"}, "run_id": {"type": "string", "description": "of the experiment"},
    "workflow_run": {"$ref": "#/components/schemas/IdOrNull"}, "commit": {"type": "string"},
    "stage": {"type": "string", "enum": ["None", "Staging", "Production", "Archived"]},
    "aliases": {"$ref": "#/components/schemas/Texts"}, "user": {"type": "string"},
    "created_at": {"$ref": "#/components/schemas/Time"},
    "metrics": {"type": "object", "additionalProperties": {"type": ["number", "null"]}},
    "gate": {"anyOf": [{"$ref": "#/components/schemas/Verdict"}, {"type": "null"}], "description": "the last verdict"},
    "live_in": {"$ref": "#/components/schemas/Texts"}}},
"EndpointList": {"type": "object", "properties": {
    "endpoints": {"type": "array", "items": {"$ref": "#/components/schemas/Endpoint"}}}},
"Endpoint": {"type": "object", "properties": {
    "name": {"type": "string"},
    "environments": {"type": "array", "items": {"$ref": "#/components/schemas/EndpointEnvironment"}},
    "monitor": {"anyOf": [{"$ref": "#/components/schemas/MonitorStatus"}, {"type": "null"}]}}},
"EndpointEnvironment": {"type": "object", "properties": {
    "name": {"type": "string"},
    "wish": {"type": "object", "description": "what weir.yaml's reference means now", "properties": {
      "reference": {"type": "string"}, "model": {"type": "string"}, "version": {"$ref": "#/components/schemas/IdOrNull"},
      "state": {"type": "string", "enum": ["none", "waiting", "preparing", "live", "refused"]},
      "reason": {"type": "string"}, "actor": {"type": "string"}, "approval": {"$ref": "#/components/schemas/IdOrNull"},
      "changed_at": {"$ref": "#/components/schemas/Time"}}},
    "live": {"description": "what serves", "anyOf": [{"type": "null"}, {"type": "object", "properties": {
      "model": {"type": "string"}, "version": {"type": "integer"}, "since": {"$ref": "#/components/schemas/Time"},
      "event": {"type": "integer"}, "loaded": {"type": "boolean"}}}]},
    "previous": {"description": "what a rollback brings back", "anyOf": [{"type": "null"}, {"type": "object",
      "properties": {"model": {"type": "string"}, "version": {"type": "integer"}, "loaded": {"type": "boolean"}}}]},
    "workers": {"type": "integer"}, "workers_ready": {"type": "integer"}, "requests": {"type": "integer"},
    "errors": {"type": "integer"}, "p50_ms": {"type": "number"}, "p95_ms": {"type": "number"}}},
"MonitorStatus": {"type": "object", "properties": {
    "environment": {"type": "string"}, "model": {"type": "string"}, "version": {"type": "string"},
    "labels": {"type": "integer", "description": "behind accuracy_7d"}, "reference_rows": {"type": "integer"},
    "problem": {"type": "string"},
    "watermark": {"$ref": "#/components/schemas/TimeOrNull", "description": "newest event time seen"},
    "drift": {"$ref": "#/components/schemas/NumberOrNull"}, "prediction_drift": {"$ref": "#/components/schemas/NumberOrNull"},
    "accuracy_7d": {"$ref": "#/components/schemas/NumberOrNull"}, "data_end": {"$ref": "#/components/schemas/TimeOrNull"}}},
"DriftColumn": {"type": "object", "properties": {
    "name": {"type": "string"}, "kind": {"type": "string"}, "count": {"type": "number"}, "missing": {"type": "number"},
    "unseen": {"type": "number"}, "psi": {"type": "number"}, "psi_raw": {"type": "number"},
    "psi_expected": {"type": "number"}, "clustered": {"type": "boolean"}, "p": {"type": "number"},
    "p_adjusted": {"type": "number"}, "evidence": {"type": "number", "description": "for drift, gathered over the windows of this version"}, "drifted": {"type": "boolean"},
    "ks": {"$ref": "#/components/schemas/NumberOrNull"}, "chi2": {"$ref": "#/components/schemas/NumberOrNull"}}},
"DriftWindows": {"type": "object", "properties": {
    "endpoint": {"type": "string"}, "environment": {"type": "string"},
    "windows": {"type": "array", "items": {"type": "object", "properties": {
      "start": {"$ref": "#/components/schemas/Time"}, "end": {"$ref": "#/components/schemas/Time"},
      "model": {"type": "string"}, "version": {"type": "string"}, "rows": {"type": "integer"},
      "labels": {"type": "integer"}, "labels_due": {"type": "integer"},
      "columns": {"type": "array", "items": {"$ref": "#/components/schemas/DriftColumn"}},
      "prediction": {"anyOf": [{"$ref": "#/components/schemas/DriftColumn"}, {"type": "null"}]},
      "note": {"type": "string"}, "score": {"$ref": "#/components/schemas/NumberOrNull"},
      "prediction_psi": {"$ref": "#/components/schemas/NumberOrNull"},
      "accuracy_7d": {"$ref": "#/components/schemas/NumberOrNull"}}}}}},
"Alert": {"type": "object",
  "required": ["id", "endpoint", "environment", "rule", "alert", "severity", "state", "value", "limit", "message",
    "version", "fired_at", "resolved_at", "event"],
  "properties": {
    "id": {"type": "integer"}, "endpoint": {"type": "string"}, "environment": {"type": "string"},
    "rule": {"type": "string"}, "alert": {"type": "string", "description": "the rule, as in its event"},
    "severity": {"$ref": "#/components/schemas/Severity"}, "state": {"type": "string", "enum": ["firing", "resolved"]},
    "value": {"type": "number"}, "limit": {"type": "number"}, "message": {"type": "string"}, "version": {"type": "string"},
    "event_time": {"$ref": "#/components/schemas/Time"}, "fired_at": {"$ref": "#/components/schemas/Time"},
    "resolved_at": {"$ref": "#/components/schemas/TimeOrNull"}, "event": {"type": "integer"}}},
"AlertList": {"type": "object", "properties": {
    "alerts": {"type": "array", "items": {"$ref": "#/components/schemas/Alert"}}}},
"RetrainingList": {"type": "object", "properties": {"retrainings": {"type": "array", "items": {"type": "object",
  "properties": {
    "id": {"type": "integer"}, "model": {"type": "string"}, "endpoint": {"type": "string"}, "version": {"type": "string"},
    "reasons": {"type": "string"}, "data_until": {"type": "string"},
    "event_time": {"$ref": "#/components/schemas/Time"}, "triggered_at": {"$ref": "#/components/schemas/Time"},
    "event": {"type": "integer"}, "state": {"type": "string"}, "note": {"type": "string"},
    "run": {"$ref": "#/components/schemas/IdOrNull"}}}}}},
"DeployRequest": {"type": "object", "required": ["version"], "properties": {
    "version": {"type": "string"}, "environment": {"type": "string", "description": "production unless given"}},
  "examples": [{"version": "3", "environment": "staging"}]},
"Deployment": {"type": "object", "properties": {
    "endpoint": {"type": "string"}, "version": {"type": "integer"},
    "state": {"type": "string", "enum": ["none", "waiting", "preparing", "live", "refused"]},
    "approval": {"$ref": "#/components/schemas/IdOrNull"}, "message": {"type": "string"}}},
"RollbackRequest": {"type": "object", "required": [], "properties": {
    "environment": {"type": "string", "description": "production unless given"}, "reason": {"type": "string"}},
  "examples": [{"reason": "too many false alarms"}]},
"RolledBack": {"type": "object", "properties": {
    "endpoint": {"type": "string"}, "version": {"type": "integer"}, "message": {"type": "string"}}}
})json";

// Writes out what "all members are always there" means.
void require_members(json::value& value) {
  if (auto* list = value.if_array()) {
    for (auto& element : *list) require_members(element);
    return;
  }
  auto* object = value.if_object();
  if (object == nullptr) return;
  for (auto& [name, member] : *object) {
    if (name != "examples") require_members(member);
  }
  const auto* properties = object->if_contains("properties");
  if (properties == nullptr || !properties->is_object() || object->contains("required")) return;
  json::array names;
  for (const auto& [name, member] : properties->get_object()) names.emplace_back(name);
  (*object)["required"] = std::move(names);
}

}  // namespace

json::object schemas() {
  json::object all;
  for (const auto part : {kBasics, run_schemas(), kPulls, kFiles, kAccess, kInsight, kServing}) {
    auto parsed = parse_json(part, "schemas");
    if (!parsed) continue;  // a test reads every part
    for (auto& [name, schema] : parsed->as_object()) {
      auto& kept = all[name] = std::move(schema);
      require_members(kept);
      // An empty list of what is needed says nothing.
      if (const auto* required = json_find(kept, "required"); required != nullptr && required->get_array().empty()) {
        kept.as_object().erase("required");
      }
    }
  }
  return all;
}

}  // namespace weir::api
