#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/error.h"
#include "types/identity.h"

namespace weir::access {

enum class Permission : std::uint8_t {
  kRead,               // everything that is shown, except secrets and tokens
  kInvoke,             // ask a served model, send feedback
  kLogExperiments,     // runs, params, metrics, tags, artifacts of experiments
  kCreateVersion,      // registered models and their versions
  kDeleteExperiments,  // experiments, runs, logged models and their artifacts
  kEvaluateGate,
  kUploadArtifact,  // artifacts and caches of workflow runs
  kSendNotification,
  kDispatchRun,  // start or rerun a workflow
  kCancelRun,
  kFetch,      // the contents of repositories by git
  kPropose,    // open a pull request, comment, review
  kPush,       // to branches that are not protected
  kMoveAlias,  // aliases and stages: the wish; the environment's reviewers still decide
  kDeploy,     // the same, asked for by name of endpoint
  kDeleteVersion,
  kRollback,       // back to the version before, at once
  kApprove,        // review deployments; of what waits, whom weir.yaml names decides with any role, or an admin
  kPushProtected,  // to the default branch and other protected ones
  kConfigure,      // environments, gates, endpoints, variables, deletion of runs
  kManageTokens,
  kManageSecrets,
};

std::string_view permission_name(Permission permission);  // "move_alias"
std::span<const Permission> all_permissions();

// The least role that holds a permission. Anonymous callers and jobs have less than a role: see below.
types::Role required_role(Permission permission);
// What loopback may do without a token.
bool anonymous_may(Permission permission);
// What a job's token may do at most: never approve, configure, push to protected branches (but for what
// app/push_rules.h says of the default one), touch tokens or secrets.
bool job_may(Permission permission);

std::string_view role_name(types::Role role);  // "viewer", "developer", "approver", "admin"
Result<types::Role> parse_role(std::string_view name);

// Decides by the tables above. kUnauthenticated without a token where one is needed, kPermissionDenied otherwise; the
// message says who asks, for what on `object` ("endpoint/flights@production"), which role is needed and how to get a
// token.
Result<void> allow(const types::Identity& identity, Permission permission, std::string_view object);

}  // namespace weir::access
