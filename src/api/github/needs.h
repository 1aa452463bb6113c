#pragma once

#include "api/github/call.h"

// What calls need, as GitHub documents it; the REST routes and what GraphQL resolves go by the same.
namespace weir::api::github::needs {

using access::Permission;

// What a repository's name says: everybody's.
inline constexpr Need kSeeRepository{"", Level::kRead, Permission::kRead};
// Pull requests are issues, too: either scope does.
inline constexpr Need kReadIssues{"issues", Level::kRead, Permission::kRead, "pull-requests"};
inline constexpr Need kWriteIssues{"issues", Level::kWrite, Permission::kPropose, "pull-requests"};
inline constexpr Need kOpenIssues{"issues", Level::kWrite, Permission::kPropose};
inline constexpr Need kWriteLabels{"issues", Level::kWrite, Permission::kPush, "pull-requests"};
inline constexpr Need kReadPulls{"pull-requests", Level::kRead, Permission::kRead};
inline constexpr Need kWritePulls{"pull-requests", Level::kWrite, Permission::kPropose};
inline constexpr Need kReadContents{"contents", Level::kRead, Permission::kFetch};
inline constexpr Need kWriteContents{"contents", Level::kWrite, Permission::kPush};
inline constexpr Need kCommentCommits{"contents", Level::kWrite, Permission::kPropose, "pull-requests"};

}  // namespace weir::api::github::needs
