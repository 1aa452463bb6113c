#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/json.h"

namespace weir::types {

// One row of the event log: a CloudEvents 1.0 record (id = sequence, source = "weir") with a cause and a hash chain.
struct Event {
  std::int64_t sequence = 0;
  TimePoint time;
  std::string type;        // one of `event_type`, e.g. "run.completed"
  std::string actor;       // who did it: "alice", "job:42", "weir"
  std::string subject;     // what it is about: "run/7", "model/flight-delay/3", "endpoint/flights"
  std::int64_t cause = 0;  // sequence of the event that led to it; 0 = none
  json::object payload;
  std::string payload_hash;  // SHA-256 of the payload's text; stays when a payload is erased
  std::string chain_hash;    // SHA-256 over the row before's chain_hash and this row's fields
};

// What a change writes; the writer adds sequence, time and hashes.
struct EventDraft {
  std::string type;
  std::string actor;
  std::string subject;
  std::int64_t cause = 0;
  json::object payload;
};

// Every type of event there is. Persisted: a name is never reused for something else.
namespace event_type {
inline constexpr std::string_view kRepoPushed = "repo.pushed";        // repo/<name> {ref, before, after}
inline constexpr std::string_view kConfigApplied = "config.applied";  // repo/<name> {commit, config}
inline constexpr std::string_view kConfigRefused = "config.refused";  // repo/<name> {commit, problems}
inline constexpr std::string_view kRunCreated = "run.created";        // run/<id> {workflow, event, commit, ref, repo}
inline constexpr std::string_view kRunStarted = "run.started";
inline constexpr std::string_view kRunCompleted = "run.completed";  // {conclusion}
inline constexpr std::string_view kJobQueued = "job.queued";        // job/<id> {run, key, name}
inline constexpr std::string_view kJobStarted = "job.started";
inline constexpr std::string_view kJobPreempted = "job.preempted";  // made room for another one; job.queued follows
inline constexpr std::string_view kJobCompleted = "job.completed";  // {run, key, conclusion}
inline constexpr std::string_view kApprovalRequested = "approval.requested";  // approval/<id> {environment, what}
inline constexpr std::string_view kApprovalGranted = "approval.granted";
inline constexpr std::string_view kApprovalRejected = "approval.rejected";
inline constexpr std::string_view kApprovalExpired =
    "approval.expired";                                         // {reason}: nobody decided, or its subject went away
inline constexpr std::string_view kGatePassed = "gate.passed";  // model/<name> {verdict table}
inline constexpr std::string_view kGateRefused = "gate.refused";
inline constexpr std::string_view kVersionCreated = "version.created";  // model/<name>/<version>
inline constexpr std::string_view kVersionDeleted = "version.deleted";
inline constexpr std::string_view kAliasSet = "alias.set";  // model/<name> {alias, version}
inline constexpr std::string_view kAliasDeleted = "alias.deleted";
inline constexpr std::string_view kStageSet = "stage.set";  // model/<name>/<version> {stage}
inline constexpr std::string_view kRolloutStarted =
    "rollout.started";  // endpoint/<name>@<environment> {model, version}
inline constexpr std::string_view kRolloutWaiting = "rollout.waiting";    // for approval
inline constexpr std::string_view kRolloutRefused = "rollout.refused";    // {reason}: smoke test or reviewer said no
inline constexpr std::string_view kRolloutSwitched = "rollout.switched";  // {version, previous}
inline constexpr std::string_view kRolloutRolledBack = "rollout.rolled_back";  // {version, previous, reason}
inline constexpr std::string_view kDriftDetected = "drift.detected";           // endpoint/<name> {columns, window}
inline constexpr std::string_view kAlertFired = "alert.fired";                 // endpoint/<name> {alert, value, limit}
inline constexpr std::string_view kAlertResolved = "alert.resolved";
inline constexpr std::string_view kRetrainTriggered = "retrain.triggered";  // model/<name> {reasons, data_until}
inline constexpr std::string_view kTokenCreated = "token.created";          // token/<id> {name, role}
inline constexpr std::string_view kTokenRevoked = "token.revoked";
inline constexpr std::string_view kSecretSet = "secret.set";  // secret/<name>; never its value
inline constexpr std::string_view kSecretDeleted = "secret.deleted";
inline constexpr std::string_view kVariableSet = "variable.set";  // variable/<name> {environment, value}
inline constexpr std::string_view kVariableDeleted = "variable.deleted";
inline constexpr std::string_view kMirrorSet = "mirror.set";  // repo/<name> {url, every}
inline constexpr std::string_view kMirrorRemoved = "mirror.removed";
inline constexpr std::string_view kDataChanged = "data.changed";  // data/<repo>/<name> {repo, name, before, after}
inline constexpr std::string_view kDataUnreadable = "data.unreadable";  // {repo, name, problem}; once until it is well
inline constexpr std::string_view kIssueOpened = "issue.opened";        // issue/<repo>/<number> {title}
inline constexpr std::string_view kIssueUpdated = "issue.updated";
inline constexpr std::string_view kIssueClosed = "issue.closed";
inline constexpr std::string_view kPullOpened = "pull.opened";  // pull/<repo>/<number> {title, head, base}
inline constexpr std::string_view kPullUpdated = "pull.updated";
inline constexpr std::string_view kPullReviewed = "pull.reviewed";  // {state}
inline constexpr std::string_view kPullMerged = "pull.merged";      // {commit}
inline constexpr std::string_view kPullClosed = "pull.closed";
inline constexpr std::string_view kCommentCreated = "comment.created";  // pull/…, issue/… or commit/…
inline constexpr std::string_view kCommentUpdated = "comment.updated";
inline constexpr std::string_view kCommentDeleted = "comment.deleted";
inline constexpr std::string_view kStatusSet = "status.set";  // repo/<repo> {commit, context, state}
inline constexpr std::string_view kCheckSet = "check.set";    // repo/<repo> {commit, name, status, conclusion}
inline constexpr std::string_view kReleaseChanged = "release.changed";  // repo/<repo> {release, tag, action}
inline constexpr std::string_view kDeploymentCreated =
    "deployment.created";  // deployment/<repo>/<id> {environment, ref, commit, task}
inline constexpr std::string_view kDeploymentStatus = "deployment.status";  // {environment, state}
inline constexpr std::string_view kDeploymentDeleted = "deployment.deleted";
inline constexpr std::string_view kLabelChanged = "label.changed";  // repo/<repo> {label, action}
}  // namespace event_type

// All of them, e.g. to check names that users write. A new one joins this list.
inline constexpr std::array kEventTypes = {
    event_type::kRepoPushed,        event_type::kConfigApplied,     event_type::kConfigRefused,
    event_type::kRunCreated,        event_type::kRunStarted,        event_type::kRunCompleted,
    event_type::kJobQueued,         event_type::kJobStarted,        event_type::kJobPreempted,
    event_type::kJobCompleted,      event_type::kApprovalRequested, event_type::kApprovalGranted,
    event_type::kApprovalRejected,  event_type::kApprovalExpired,   event_type::kGatePassed,
    event_type::kGateRefused,       event_type::kVersionCreated,    event_type::kVersionDeleted,
    event_type::kAliasSet,          event_type::kAliasDeleted,      event_type::kStageSet,
    event_type::kRolloutStarted,    event_type::kRolloutWaiting,    event_type::kRolloutRefused,
    event_type::kRolloutSwitched,   event_type::kRolloutRolledBack, event_type::kDriftDetected,
    event_type::kAlertFired,        event_type::kAlertResolved,     event_type::kRetrainTriggered,
    event_type::kTokenCreated,      event_type::kTokenRevoked,      event_type::kSecretSet,
    event_type::kSecretDeleted,     event_type::kVariableSet,       event_type::kVariableDeleted,
    event_type::kMirrorSet,         event_type::kMirrorRemoved,     event_type::kIssueOpened,
    event_type::kIssueUpdated,      event_type::kIssueClosed,       event_type::kPullOpened,
    event_type::kPullUpdated,       event_type::kPullReviewed,      event_type::kPullMerged,
    event_type::kPullClosed,        event_type::kCommentCreated,    event_type::kCommentUpdated,
    event_type::kCommentDeleted,    event_type::kStatusSet,         event_type::kCheckSet,
    event_type::kReleaseChanged,    event_type::kDataChanged,       event_type::kDataUnreadable,
    event_type::kDeploymentCreated, event_type::kDeploymentStatus,  event_type::kDeploymentDeleted,
    event_type::kLabelChanged,
};

}  // namespace weir::types
