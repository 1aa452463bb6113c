#include "engine/cache_access.h"

#include <gtest/gtest.h>

namespace weir::engine {
namespace {

using types::CacheMode;

RunRow run_of(std::string event, std::string ref, std::string before = {}) {
  RunRow run;
  run.event = std::move(event);
  run.ref = std::move(ref);
  run.payload = {{"repository", json::object{{"default_branch", "main"}}}};
  if (!before.empty()) run.payload["workflow_run"] = json::object{{"event", before}};
  return run;
}

TEST(CacheAccess, WhatThePeopleOfARepositoryStartMaySave) {
  for (const auto* event :
       {"push", "schedule", "workflow_dispatch", "repository_dispatch", "delete", "registry_package", "page_build"}) {
    EXPECT_EQ(default_cache_mode(run_of(event, "refs/heads/main")), CacheMode::kWrite) << event;
  }
}

TEST(CacheAccess, WhatAnybodyCanStartOnlyReadsTheDefaultBranchsCaches) {
  for (const auto* event : {"issue_comment", "issues", "discussion", "pull_request_target", "watch", "fork", "status",
                            "check_run", "deployment_status"}) {
    EXPECT_EQ(default_cache_mode(run_of(event, "refs/heads/main")), CacheMode::kRead) << event;
  }
  EXPECT_EQ(default_cache_mode(run_of("pull_request_target", "refs/heads/release")), CacheMode::kRead);
}

TEST(CacheAccess, OtherRefsHaveCachesOfTheirOwn) {
  EXPECT_EQ(default_cache_mode(run_of("pull_request", "refs/pull/7/merge")), CacheMode::kWrite);
  EXPECT_EQ(default_cache_mode(run_of("release", "refs/tags/v1")), CacheMode::kWrite);
  EXPECT_EQ(default_cache_mode(run_of("create", "refs/heads/feature")), CacheMode::kWrite);
}

TEST(CacheAccess, ARunThatAnotherStartsIsTrustedAsThatOneWas) {
  EXPECT_EQ(default_cache_mode(run_of("workflow_run", "refs/heads/main", "schedule")), CacheMode::kWrite);
  EXPECT_EQ(default_cache_mode(run_of("workflow_run", "refs/heads/main", "pull_request")), CacheMode::kRead);
  EXPECT_EQ(default_cache_mode(run_of("workflow_run", "refs/heads/main", "workflow_run")), CacheMode::kRead);
  EXPECT_EQ(default_cache_mode(run_of("workflow_run", "refs/heads/main")), CacheMode::kRead);
}

TEST(CacheAccess, APayloadWithoutADefaultBranchMakesEachOneIt) {
  auto run = run_of("issues", "refs/heads/feature");
  EXPECT_EQ(default_cache_mode(run), CacheMode::kWrite);
  run.payload.clear();
  EXPECT_EQ(default_cache_mode(run), CacheMode::kRead);
}

}  // namespace
}  // namespace weir::engine
