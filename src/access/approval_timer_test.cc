#include "access/approval_timer.h"

#include <condition_variable>

#include "access/test_world.h"

namespace weir::access {
namespace {

// Lets the writer finish what was queued before, then the loop run what came of it.
void settle_down(TestWorld& world) {
  for (int i = 0; i < 4; ++i) {
    world.loop.run_ready();
    ASSERT_TRUE(world.db().write([](store::Transaction&) -> Result<void> { return {}; }));
  }
}

class ApprovalTimerTest : public testing::Test {
 protected:
  void SetUp() override {
    auto config = std::make_shared<config::Config>();
    config->environments = {{.name = "production", .reviewers = {"alice"}, .wait = std::chrono::minutes{10}}};
    world.config = config;
    ASSERT_TRUE(world.open());
  }
  std::int64_t ask() {
    return world.db()
        .write_with<Approval>([&](store::Transaction& tx) {
          return world.access().request_approval(
              tx, {.environment = "production", .subject = "job/1", .summary = "x", .requested_by = "dan"});
        })
        ->id;
  }
  TestWorld world;
};

TEST_F(ApprovalTimerTest, AReviewedApprovalIsGrantedWhenItsWaitEnds) {
  ApprovalTimer timer(world.access(), world.db(), world.loop, world.log());
  settle_down(world);
  const auto id = ask();
  settle_down(world);
  ASSERT_TRUE(world.access().grant(id, person("alice", types::Role::kApprover), ""));
  world.loop.advance(std::chrono::minutes{9});
  settle_down(world);
  EXPECT_EQ(world.access().approval(id)->state, ApprovalState::kPending);
  world.loop.advance(std::chrono::minutes{1});
  settle_down(world);
  EXPECT_EQ(world.access().approval(id)->state, ApprovalState::kGranted);
}

TEST_F(ApprovalTimerTest, WhatFellDueWhileTheServerWasAwayIsSettledAtTheStart) {
  const auto id = ask();
  ASSERT_TRUE(world.access().grant(id, person("alice", types::Role::kApprover), ""));
  world.loop.advance(std::chrono::hours{1});
  ApprovalTimer timer(world.access(), world.db(), world.loop, world.log());
  settle_down(world);
  EXPECT_EQ(world.access().approval(id)->state, ApprovalState::kGranted);
}

TEST_F(ApprovalTimerTest, TasksThatOutliveItDoNothing) {
  {
    ApprovalTimer timer(world.access(), world.db(), world.loop, world.log());
  }
  world.loop.run_ready();
  {
    ApprovalTimer timer(world.access(), world.db(), world.loop, world.log());
    ask();
  }
  settle_down(world);
}

}  // namespace
}  // namespace weir::access
