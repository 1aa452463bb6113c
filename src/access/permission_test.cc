#include "access/permission.h"

#include <gtest/gtest.h>

namespace weir::access {
namespace {

using types::Identity;
using types::Role;

// One row a permission: who may, in the order anonymous, job, viewer, developer, approver, admin.
TEST(Permission, TheTableOfRolesIsAsDocumented) {
  struct Row {
    Permission permission;
    const char* may;
  };
  const Row rows[] = {
      {Permission::kRead, "yyyyyy"},
      {Permission::kInvoke, "yyyyyy"},
      {Permission::kLogExperiments, "yy-yyy"},
      {Permission::kCreateVersion, "yy-yyy"},
      {Permission::kDeleteExperiments, "-y-yyy"},
      {Permission::kEvaluateGate, "-y-yyy"},
      {Permission::kUploadArtifact, "-y-yyy"},
      {Permission::kSendNotification, "-y-yyy"},
      {Permission::kDispatchRun, "-y-yyy"},
      {Permission::kCancelRun, "-y-yyy"},
      {Permission::kFetch, "yyyyyy"},
      {Permission::kPropose, "-yyyyy"},
      {Permission::kPush, "-y-yyy"},
      {Permission::kMoveAlias, "-y-yyy"},
      {Permission::kDeploy, "-y-yyy"},
      {Permission::kDeleteVersion, "----yy"},
      {Permission::kRollback, "----yy"},
      {Permission::kApprove, "----yy"},
      {Permission::kPushProtected, "----yy"},
      {Permission::kConfigure, "-----y"},
      {Permission::kManageTokens, "-----y"},
      {Permission::kManageSecrets, "-----y"},
  };
  const Identity callers[] = {
      {},
      {.name = "job:42", .role = Role::kDeveloper, .job_id = 42, .run_id = 7},
      {.name = "vera", .role = Role::kViewer},
      {.name = "dan", .role = Role::kDeveloper},
      {.name = "alice", .role = Role::kApprover},
      {.name = "root", .role = Role::kAdmin},
  };
  ASSERT_EQ(std::size(rows), all_permissions().size());
  for (const auto& [permission, may] : rows) {
    std::string got;
    for (const auto& caller : callers) got += allow(caller, permission, "x").has_value() ? 'y' : '-';
    EXPECT_EQ(got, may) << permission_name(permission);
  }
}

TEST(Permission, AJobMayWhatThePermissionsOfItsWorkflowSay) {
  Identity job{.name = "job:42", .role = Role::kDeveloper, .job_id = 42, .run_id = 7};
  job.scopes = types::TokenScopes::from_workflow({{"contents", "read"}});
  EXPECT_TRUE(allow(job, Permission::kFetch, "repo/flights"));
  // What GitHub's scopes do not speak of stays.
  EXPECT_TRUE(allow(job, Permission::kLogExperiments, "experiments"));
  EXPECT_TRUE(allow(job, Permission::kUploadArtifact, "artifacts"));
  EXPECT_FALSE(allow(job, Permission::kDispatchRun, "repo/flights"));
  EXPECT_FALSE(allow(job, Permission::kDeploy, "endpoint/flights"));
  const auto denied = allow(job, Permission::kPush, "repo/flights");
  ASSERT_FALSE(denied);
  EXPECT_EQ(denied.error().message,
            "job:42 may not push repo/flights: the `permissions` of its workflow give it contents: read; write "
            "`contents: write` there");
  job.scopes = types::TokenScopes::from_workflow({{"*", "write-all"}});
  EXPECT_TRUE(allow(job, Permission::kPush, "repo/flights"));
  EXPECT_FALSE(allow(job, Permission::kPushProtected, "repo/flights"));
  job.scopes = types::TokenScopes{};
  EXPECT_FALSE(allow(job, Permission::kFetch, "repo/flights"));
}

TEST(Permission, TheTokenOfAForeignJobReadsAndKeepsTheFilesOfItsRun) {
  Identity job{.name = "job:42", .role = Role::kViewer, .foreign = true, .job_id = 42, .run_id = 7};
  // Whatever its workflow asks for.
  for (const auto* level : {"write-all", "read-all"}) {
    job.scopes = types::TokenScopes::from_workflow({{"*", level}});
    for (const auto permission : all_permissions()) {
      const bool may = permission == Permission::kRead || permission == Permission::kFetch ||
                       permission == Permission::kUploadArtifact;
      EXPECT_EQ(allow(job, permission, "x").has_value(), may) << permission_name(permission) << " with " << level;
    }
  }
  EXPECT_EQ(allow(job, Permission::kLogExperiments, "experiments").error().message,
            "job:42 may not log_experiments experiments: it runs what somebody brought who may not push, so its token "
            "only reads");
}

TEST(Permission, AJobWithAHigherRoleIsStillAJob) {
  const Identity job{.name = "job:1", .role = Role::kAdmin, .job_id = 1};
  const auto denied = allow(job, Permission::kApprove, "approval/5");
  ASSERT_FALSE(denied);
  EXPECT_EQ(denied.error().code, Code::kPermissionDenied);
  EXPECT_NE(denied.error().message.find("job:1 may not approve approval/5: a job's token never may"),
            std::string::npos);
}

TEST(Permission, ARefusalSaysWhoWhatIsNeededAndHowToGetIt) {
  const auto anonymous = allow({}, Permission::kDeploy, "endpoint/flights@production");
  ASSERT_FALSE(anonymous);
  EXPECT_EQ(anonymous.error().code, Code::kUnauthenticated);
  EXPECT_NE(
      anonymous.error().message.find("deploy endpoint/flights@production needs a token of role developer or more"),
      std::string::npos);
  EXPECT_NE(anonymous.error().message.find("weir token create NAME --role developer"), std::string::npos);

  const auto dan = allow({.name = "dan", .role = Role::kDeveloper}, Permission::kRollback, "endpoint/flights");
  ASSERT_FALSE(dan);
  EXPECT_EQ(dan.error().code, Code::kPermissionDenied);
  EXPECT_NE(dan.error().message.find("dan has role developer and may not rollback endpoint/flights"),
            std::string::npos);
  EXPECT_NE(dan.error().message.find("<state>/keys/admin.token"), std::string::npos);
}

TEST(Permission, RolesAreReadByName) {
  for (const auto role : {Role::kViewer, Role::kDeveloper, Role::kApprover, Role::kAdmin}) {
    EXPECT_EQ(parse_role(role_name(role)), role);
  }
  EXPECT_FALSE(parse_role("root"));
}

}  // namespace
}  // namespace weir::access
