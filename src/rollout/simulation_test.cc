#include "rollout/simulation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

// Random lives: people move aliases, reviewers agree or not, workers fail to start, the disk refuses, the server
// restarts at any step. Whatever happens, the promises of simulation_world_test.cc hold at every moment, and once
// things calm down wish and fact agree or the wish is refused.
namespace weir::rollout {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t kVersions = 8;

class Life {
 public:
  explicit Life(std::uint64_t seed) : world_(seed) {
    world_.jitter.delay_micros_max = 200'000;
    world_.bad_versions = {3, 6};
    world_.unloadable = {7};
    world_.approved_actors = {"job:1"};
    world_.commit_failures_percent = 10;
    world_.load_failures_percent = 15;
  }

  void run(int steps) {
    world_.start();
    for (int i = 0; i < steps; ++i) {
      act();
      world_.loop.advance(Duration{static_cast<std::int64_t>(pick(8'000'000))});
      check();
      if (!world_.violations.empty()) return;
    }
    calm_down();
  }

  World& world() { return world_; }

 private:
  std::uint64_t pick(std::uint64_t below) { return world_.random() % below; }

  void act() {
    const std::string alias = pick(2) == 0 ? "champion" : "candidate";
    const std::string environment = pick(2) == 0 ? "production" : "staging";
    switch (pick(14)) {
      case 0:
      case 1:
      case 2:
      case 3:
      case 4:
        world_.move(alias, static_cast<std::int64_t>(pick(kVersions)) + 1, pick(3) == 0 ? "job:1" : "alice");
        break;
      case 5:
      case 6:
      case 7:
        if (const auto id = world_.pending_approval(); id != 0) {
          world_.decide(id, pick(4) == 0 ? Decision::kRejected : Decision::kGranted);
        }
        break;
      case 8: world_.move(alias, 0); break;
      case 9: (void)world_.roll_back(environment); break;
      case 10: (void)world_.deploy(environment, static_cast<std::int64_t>(pick(kVersions)) + 1); break;
      case 11:
      case 12: restart(); break;
      case 13: {
        std::vector<Target> targets{World::target("production", "champion")};
        if (pick(3) != 0) targets.push_back(World::target("staging", pick(4) == 0 ? "champion" : "candidate"));
        world_.set_targets(std::move(targets));
        break;
      }
    }
  }

  void restart() {
    world_.restart();
    was_routed_.clear();
  }

  // Traffic that has begun never stops while the server and the environment are there.
  void check() {
    std::set<std::string> wanted;
    for (const auto& target : world_.targets) wanted.insert(target.settings.environment);
    for (const std::string environment : {"production", "staging"}) {
      const bool routed = world_.routed(environment) != 0;
      if (!wanted.contains(environment)) {
        was_routed_.erase(environment);
      } else if (routed) {
        was_routed_.insert(environment);
      } else if (was_routed_.contains(environment) && world_.rows.contains("e@" + environment) &&
                 world_.record(environment).live.exists()) {
        world_.violations.push_back(environment + " is not served any more");
      }
    }
  }

  void calm_down() {
    world_.commit_failures_percent = world_.load_failures_percent = 0;
    if (world_.targets.size() < 2)
      world_.set_targets({World::target("production", "champion"), World::target("staging", "candidate")});
    world_.settle(30min);
    while (const auto id = world_.pending_approval()) {
      world_.decide(id, Decision::kGranted);
      world_.settle(5min);
    }
    EXPECT_TRUE(world_.ready);
    for (const auto& target : world_.targets) expect_settled(target);
  }

  void expect_settled(const Target& target) {
    SCOPED_TRACE(target.settings.environment);
    const auto& record = world_.record(target.settings.environment);
    EXPECT_EQ(world_.routed(target.settings.environment), record.live.version);
    const auto wished = world_.aliases.find(target.reference.alias);
    if (wished == world_.aliases.end()) {
      EXPECT_EQ(record.wish.state, WishState::kNone);
      return;
    }
    EXPECT_EQ(record.wish.target.version, wished->second);
    if (record.wish.state == WishState::kLive) {
      EXPECT_EQ(record.live, record.wish.target);
    } else {
      EXPECT_EQ(record.wish.state, WishState::kRefused) << wish_state_name(record.wish.state);
      EXPECT_NE(record.wish.reason, "");
    }
  }

  World world_;
  std::set<std::string> was_routed_;
};

TEST(Simulation, WishAndFactMeetInEveryRandomLife) {
  const char* lives = std::getenv("WEIR_SIMULATION_LIVES");
  const std::uint64_t count = lives != nullptr ? std::strtoull(lives, nullptr, 10) : 300;
  for (std::uint64_t seed = 1; seed <= count; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Life life(seed);
    life.run(120);
    ASSERT_THAT(life.world().violations, testing::ElementsAre());
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace weir::rollout
