#include "access/permission.h"

#include <array>

namespace weir::access {
namespace {

using types::Role;
using Level = types::TokenScopes::Level;

struct Row {
  Permission permission;
  std::string_view name;
  Role role;       // the least that holds it
  bool anonymous;  // also loopback without a token
  bool job;        // also a job's token
  // Also the token of a job whose code is of somebody who may not push. Whatever changes anything is not: what is new
  // here is refused until somebody has thought about it.
  bool foreign = false;
  // A job whose workflow says `permissions` needs this level of this scope; "": none, as GitHub's run-time services do
  std::string_view scope;
  Level level = Level::kWrite;
};

constexpr std::array kTable = {
    Row{Permission::kRead, "read", Role::kViewer, true, true, true},
    Row{Permission::kInvoke, "invoke", Role::kViewer, true, true, false},
    Row{Permission::kLogExperiments, "log_experiments", Role::kDeveloper, true, true, false},
    Row{Permission::kCreateVersion, "create_version", Role::kDeveloper, true, true, false},
    Row{Permission::kDeleteExperiments, "delete_experiments", Role::kDeveloper, false, true, false},
    Row{Permission::kEvaluateGate, "evaluate_gate", Role::kDeveloper, false, true, false},
    Row{Permission::kUploadArtifact, "upload_artifact", Role::kDeveloper, false, true, true},
    Row{Permission::kSendNotification, "send_notification", Role::kDeveloper, false, true, false},
    Row{Permission::kDispatchRun, "dispatch_run", Role::kDeveloper, false, true, false, "actions"},
    Row{Permission::kCancelRun, "cancel_run", Role::kDeveloper, false, true, false, "actions"},
    Row{Permission::kFetch, "fetch", Role::kViewer, true, true, true, "contents", Level::kRead},
    Row{Permission::kPropose, "propose", Role::kViewer, false, true, false, "pull-requests"},
    Row{Permission::kPush, "push", Role::kDeveloper, false, true, false, "contents"},
    Row{Permission::kMoveAlias, "move_alias", Role::kDeveloper, false, true, false, "deployments"},
    Row{Permission::kDeploy, "deploy", Role::kDeveloper, false, true, false, "deployments"},
    Row{Permission::kDeleteVersion, "delete_version", Role::kApprover, false, false, false},
    Row{Permission::kRollback, "rollback", Role::kApprover, false, false, false},
    Row{Permission::kApprove, "approve", Role::kApprover, false, false, false},
    // weir.yaml applies from the default branch: pushing there can change gates and reviewers.
    Row{Permission::kPushProtected, "push_protected", Role::kApprover, false, false, false},
    Row{Permission::kConfigure, "configure", Role::kAdmin, false, false, false},
    Row{Permission::kManageTokens, "manage_tokens", Role::kAdmin, false, false, false},
    Row{Permission::kManageSecrets, "manage_secrets", Role::kAdmin, false, false, false},
};

constexpr std::array kRoles = {Role::kViewer, Role::kDeveloper, Role::kApprover, Role::kAdmin};

const Row& row_of(Permission permission) {
  return kTable[static_cast<std::size_t>(permission)];
}

consteval bool table_is_in_order() {
  for (std::size_t i = 0; i < kTable.size(); ++i) {
    if (static_cast<std::size_t>(kTable[i].permission) != i) return false;
  }
  return true;
}
static_assert(table_is_in_order(), "row_of() finds a permission by its number");

std::string how_to_get(Role role) {
  return fmt::format(
      "`weir token create NAME --role {}` makes one, run by an admin; weir's commands take it from --token, "
      "$WEIR_TOKEN or <state>/keys/admin.token, other programs send \"Authorization: Bearer <token>\"",
      role_name(role));
}

}  // namespace

std::string_view permission_name(Permission permission) {
  return row_of(permission).name;
}

std::span<const Permission> all_permissions() {
  static constexpr auto kAll = [] {
    std::array<Permission, kTable.size()> all{};
    for (std::size_t i = 0; i < kTable.size(); ++i) all[i] = kTable[i].permission;
    return all;
  }();
  return kAll;
}

types::Role required_role(Permission permission) {
  return row_of(permission).role;
}
bool anonymous_may(Permission permission) {
  return row_of(permission).anonymous;
}
bool job_may(Permission permission) {
  return row_of(permission).job;
}

std::string_view role_name(Role role) {
  switch (role) {
    case Role::kViewer: return "viewer";
    case Role::kDeveloper: return "developer";
    case Role::kApprover: return "approver";
    case Role::kAdmin: return "admin";
  }
  return "?";
}

Result<Role> parse_role(std::string_view name) {
  for (const auto role : kRoles) {
    if (role_name(role) == name) return role;
  }
  return fail(Code::kInvalidArgument, "\"{}\" is no role; there are viewer, developer, approver and admin", name);
}

Result<void> allow(const types::Identity& identity, Permission permission, std::string_view object) {
  const Row& row = row_of(permission);
  if (identity.job_id) {
    if (identity.foreign && row.job && !row.foreign) {
      return fail(Code::kPermissionDenied,
                  "{} may not {} {}: it runs what somebody brought who may not push, so its token only reads",
                  identity.name, row.name, object);
    }
    if (row.job && !row.scope.empty() && identity.scopes && identity.scopes->of(row.scope) < row.level) {
      return fail(Code::kPermissionDenied,
                  "{} may not {} {}: the `permissions` of its workflow give it {}: {}; write `{}: {}` there",
                  identity.name, row.name, object, row.scope, types::level_name(identity.scopes->of(row.scope)),
                  row.scope, types::level_name(row.level));
    }
    if (row.job) return {};
    return fail(Code::kPermissionDenied,
                "{} may not {} {}: a job's token never may. Let a person with role {} or more do it: {}", identity.name,
                row.name, object, role_name(row.role), how_to_get(row.role));
  }
  if (!identity.role) {
    if (row.anonymous) return {};
    return fail(Code::kUnauthenticated, "{} {} needs a token of role {} or more, and none was given: {}", row.name,
                object, role_name(row.role), how_to_get(row.role));
  }
  if (*identity.role >= row.role) return {};
  return fail(Code::kPermissionDenied, "{} has role {} and may not {} {}: that needs role {} or more. {}",
              identity.name, role_name(*identity.role), row.name, object, role_name(row.role), how_to_get(row.role));
}

}  // namespace weir::access
