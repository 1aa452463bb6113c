#include "rollout/controller.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "rollout/simulation.h"

namespace weir::rollout {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

class ControllerTest : public testing::Test {
 protected:
  void TearDown() override { EXPECT_THAT(world.violations, ElementsAre()); }

  // Version `version` live in production, approved by a reviewer.
  void bring_live(std::int64_t version) {
    world.move("champion", version);
    world.settle();
    ASSERT_NE(world.pending_approval(), 0);
    world.decide(world.pending_approval(), Decision::kGranted);
    world.settle();
    ASSERT_EQ(world.routed("production"), version);
  }

  World world;
};

TEST_F(ControllerTest, TakesAWishToAnEnvironmentWithoutReviewersByItself) {
  world.start();
  world.move("candidate", 1);
  world.settle();
  EXPECT_EQ(world.routed("staging"), 1);
  EXPECT_EQ(world.record("staging").wish.state, WishState::kLive);
  EXPECT_THAT(world.event_types(), ElementsAre("rollout.started", "rollout.switched"));
}

TEST_F(ControllerTest, WaitsForAReviewerOfAProtectedEnvironment) {
  world.start();
  world.move("champion", 1);
  world.settle();
  EXPECT_EQ(world.routed("production"), 0);
  EXPECT_EQ(world.record("production").wish.state, WishState::kWaiting);
  EXPECT_EQ(world.loads, 0) << "nothing is loaded before somebody agreed";
  world.decide(world.pending_approval(), Decision::kGranted);
  world.settle();
  EXPECT_EQ(world.routed("production"), 1);
  EXPECT_THAT(world.event_types(), ElementsAre("rollout.waiting", "rollout.started", "rollout.switched"));
}

TEST_F(ControllerTest, LetsAJobPassThatWasApprovedForTheEnvironment) {
  world.approved_actors = {"job:42"};
  world.start();
  world.move("champion", 1, "job:42");
  world.settle();
  EXPECT_EQ(world.routed("production"), 1);
  EXPECT_TRUE(world.asks.empty());
}

TEST_F(ControllerTest, RefusesWhatAReviewerRejectsAndLeavesTraffic) {
  world.start();
  bring_live(1);
  world.move("champion", 2);
  world.settle();
  world.decide(world.pending_approval(), Decision::kRejected);
  world.settle();
  EXPECT_EQ(world.routed("production"), 1);
  EXPECT_EQ(world.record("production").wish.state, WishState::kRefused);
  EXPECT_EQ(world.record("production").wish.reason, "rejected by bob: as agreed");
}

TEST_F(ControllerTest, RefusesAVersionWhoseSmokeTestFailsAndSaysWhy) {
  world.bad_versions = {2};
  world.start();
  bring_live(1);
  world.move("champion", 2);
  world.settle();
  world.decide(world.pending_approval(), Decision::kGranted);
  world.settle();
  EXPECT_EQ(world.routed("production"), 1);
  EXPECT_EQ(world.record("production").wish.state, WishState::kRefused);
  EXPECT_THAT(world.record("production").wish.reason, HasSubstr("row 0 is not a finite number"));
  EXPECT_EQ(world.events.back().type, "rollout.refused");
  const int loads = world.loads;
  world.restart();
  world.settle();
  EXPECT_EQ(world.loads, loads + 1) << "a refused wish is not tried again by itself: only the live version is loaded";
}

TEST_F(ControllerTest, TriesARefusedWishAgainWhenItIsMovedAgain) {
  world.unloadable = {1};
  world.start();
  world.move("candidate", 1);
  world.settle();
  EXPECT_EQ(world.record("staging").wish.state, WishState::kRefused);
  world.unloadable.clear();
  ASSERT_TRUE(world.deploy("staging", 1).has_value());
  world.settle();
  EXPECT_EQ(world.routed("staging"), 1);
}

TEST_F(ControllerTest, KeepsTheVersionBeforeWarmAndGoesBackToItAtOnce) {
  world.start();
  bring_live(1);
  bring_live(2);
  EXPECT_EQ(world.warm("production"), 1);
  const int loads = world.loads;
  const auto before = world.loop.now();
  const auto status = world.roll_back("production");
  ASSERT_TRUE(status.has_value()) << status.error().message;
  EXPECT_EQ(world.routed("production"), 1);
  EXPECT_LT(world.loop.now() - before, 100ms);
  EXPECT_EQ(world.loads, loads);
  world.settle();
  EXPECT_EQ(world.aliases["champion"], 1) << "the wish went back with the fact";
  EXPECT_EQ(world.record("production").wish.state, WishState::kLive);
  EXPECT_EQ(world.event_types().back(), "rollout.rolled_back");
}

TEST_F(ControllerTest, GoesBackFurtherWithEachRollbackAndNeverToTheVersionThatWasRolledBack) {
  world.start();
  for (const std::int64_t version : {1, 2, 3}) bring_live(version);
  ASSERT_TRUE(world.roll_back("production").has_value());
  EXPECT_EQ(world.routed("production"), 2);
  world.settle();
  EXPECT_EQ(world.warm("production"), 1) << "the next rollback is prepared";
  ASSERT_TRUE(world.roll_back("production").has_value());
  EXPECT_EQ(world.routed("production"), 1);
  const auto last = world.roll_back("production");
  ASSERT_FALSE(last.has_value());
  EXPECT_EQ(last.error().code, Code::kFailedPrecondition);
}

TEST_F(ControllerTest, LetsANewerWishOvertakeOneThatIsBeingPrepared) {
  world.load_time = 60s;
  world.start();
  world.move("candidate", 1);
  world.loop.advance(5s);
  world.move("candidate", 2);
  world.settle();
  EXPECT_EQ(world.routed("staging"), 2);
  EXPECT_FALSE(world.record("staging").previous().exists()) << "version 1 never was live";
}

TEST_F(ControllerTest, ExpiresTheApprovalOfAWishThatWasOvertaken) {
  world.start();
  world.move("champion", 1);
  world.settle();
  const auto first = world.pending_approval();
  world.move("champion", 2);
  world.settle();
  EXPECT_EQ(world.asks[first].decision, Decision::kRejected);
  EXPECT_NE(world.pending_approval(), 0);
  world.decide(world.pending_approval(), Decision::kGranted);
  world.settle();
  EXPECT_EQ(world.routed("production"), 2);
}

TEST_F(ControllerTest, ARollbackWinsOverAVersionThatIsBeingPrepared) {
  world.start();
  bring_live(1);
  bring_live(2);
  world.load_time = 60s;
  world.move("champion", 3);
  world.settle(1s);
  world.decide(world.pending_approval(), Decision::kGranted);
  world.loop.advance(5s);
  ASSERT_TRUE(world.roll_back("production").has_value());
  world.settle();
  EXPECT_EQ(world.routed("production"), 1);
  EXPECT_EQ(world.aliases["champion"], 1);
}

TEST_F(ControllerTest, ServesWhatWasLiveAgainBeforeItSaysReady) {
  world.start();
  bring_live(1);
  bring_live(2);
  world.restart();
  world.loop.advance(1s);
  EXPECT_FALSE(world.ready);
  world.settle();
  EXPECT_TRUE(world.ready);
  EXPECT_EQ(world.routed("production"), 2);
  EXPECT_EQ(world.warm("production"), 1);
}

TEST_F(ControllerTest, KeepsTryingToLoadWhatWasLive) {
  world.start();
  bring_live(1);
  world.unloadable = {1};
  world.restart();
  world.settle();
  EXPECT_FALSE(world.ready);
  world.unloadable.clear();
  world.settle();
  EXPECT_TRUE(world.ready);
  EXPECT_EQ(world.routed("production"), 1);
}

TEST_F(ControllerTest, GoesOnWithAPreparationAfterARestart) {
  world.load_time = 60s;
  world.start();
  world.move("candidate", 1);
  world.loop.advance(5s);
  world.restart();
  world.settle();
  EXPECT_EQ(world.routed("staging"), 1);
}

TEST_F(ControllerTest, HearsOfAnApprovalThatWasGivenWhileItWasDown) {
  world.start();
  world.move("champion", 1);
  world.settle();
  world.stop();
  world.decide(world.pending_approval(), Decision::kGranted);
  world.start();
  world.settle();
  EXPECT_EQ(world.routed("production"), 1);
}

TEST_F(ControllerTest, LeavesTrafficWhenAnAliasIsDeleted) {
  world.start();
  bring_live(1);
  world.move("champion", 0);
  world.settle();
  EXPECT_EQ(world.routed("production"), 1);
  EXPECT_EQ(world.record("production").wish.state, WishState::kNone);
}

TEST_F(ControllerTest, RefusesToMoveAPinnedVersionAndKeepsARollbackOfIt) {
  world.protected_environments.clear();
  auto pinned = World::target("production", "");
  pinned.reference.version = 1;
  world.targets = {pinned};
  world.start();
  world.settle();
  EXPECT_EQ(world.routed("production"), 1);
  const auto moved = world.deploy("production", 2);
  ASSERT_FALSE(moved.has_value());
  EXPECT_THAT(moved.error().message, HasSubstr("pins"));
  pinned.reference.version = 2;
  world.set_targets({pinned});
  world.settle();
  EXPECT_EQ(world.routed("production"), 2);
  ASSERT_TRUE(world.roll_back("production", "bad").has_value());
  world.set_targets({pinned});
  world.restart();
  world.settle();
  EXPECT_EQ(world.routed("production"), 1);
  EXPECT_EQ(world.record("production").wish.state, WishState::kRefused);
  EXPECT_EQ(world.record("production").wish.reason, "rolled back: bad");
}

TEST_F(ControllerTest, ForgetsAnEndpointThatWeirYamlDropsAndStartsAfreshWhenItReturns) {
  world.start();
  bring_live(1);
  const auto all = world.targets;
  world.set_targets({});
  world.settle();
  EXPECT_EQ(world.routed("production"), 0);
  EXPECT_FALSE(world.rows.contains("e@production"));
  world.set_targets(all);
  world.settle();
  EXPECT_EQ(world.record("production").wish.state, WishState::kWaiting) << "it enters as any version does";
}

TEST_F(ControllerTest, SaysWhichEndpointsThereAre) {
  world.start();
  world.settle();
  const auto status = world.roll_back("test");
  ASSERT_FALSE(status.has_value());
  EXPECT_THAT(status.error().message, HasSubstr("e@production, e@staging"));
}

TEST_F(ControllerTest, TriesAgainWhenAStepCannotBeStored) {
  world.start();
  bring_live(1);
  world.commit_failures_percent = 100;
  world.move("candidate", 5);
  world.settle();
  EXPECT_EQ(world.routed("staging"), 0);
  EXPECT_FALSE(world.roll_back("production").has_value());
  world.commit_failures_percent = 0;
  world.settle();
  EXPECT_EQ(world.routed("staging"), 5);
  EXPECT_EQ(world.routed("production"), 1);
}

}  // namespace
}  // namespace weir::rollout
