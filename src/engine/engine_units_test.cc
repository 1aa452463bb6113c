#include <gtest/gtest.h>

#include "engine/groups.h"
#include "engine/pools.h"

namespace weir::engine {
namespace {

TEST(ConcurrencyGroups, TheFirstHoldsTheSecondWaitsAndTheThirdTakesItsPlace) {
  ConcurrencyGroups groups;
  EXPECT_TRUE(groups.enter("deploy", 1, {}).holds);
  EXPECT_FALSE(groups.enter("deploy", 2, {}).holds);
  const auto third = groups.enter("DEPLOY", 3, {});
  EXPECT_FALSE(third.holds);
  EXPECT_EQ(third.replaced, std::vector<ConcurrencyGroups::Member>{2});
  EXPECT_EQ(third.to_cancel, std::nullopt);
  EXPECT_EQ(groups.leave(2), std::nullopt);
  EXPECT_EQ(groups.leave(1), 3U);
  EXPECT_EQ(groups.leave(3), std::nullopt);
  EXPECT_TRUE(groups.enter("deploy", 4, {}).holds);
}

TEST(ConcurrencyGroups, ANewcomerMayCancelTheHolder) {
  ConcurrencyGroups groups;
  groups.restore_holder("deploy", 1);
  const auto second = groups.enter("deploy", 2, {.cancel_in_progress = true});
  EXPECT_FALSE(second.holds);
  EXPECT_EQ(second.to_cancel, 1U);
}

TEST(ConcurrencyGroups, WithAQueueEverybodyGetsTheirTurnUntilItIsFull) {
  ConcurrencyGroups groups;
  constexpr auto kWaiting = ConcurrencyGroups::kWaitingMax;
  EXPECT_TRUE(groups.enter("deploy", 0, {.queue = true}).holds);
  for (ConcurrencyGroups::Member member = 1; member <= kWaiting; ++member) {
    const auto entered = groups.enter("deploy", member, {.queue = true});
    EXPECT_FALSE(entered.holds || entered.refused || !entered.replaced.empty()) << member;
  }
  EXPECT_TRUE(groups.enter("deploy", 1'000, {.queue = true}).refused);
  EXPECT_EQ(groups.leave(1'000), std::nullopt);
  EXPECT_EQ(groups.leave(2), std::nullopt);
  EXPECT_EQ(groups.leave(0), 1U);
  EXPECT_EQ(groups.leave(1), 3U);
  // One that does not queue takes the place of all who wait.
  EXPECT_EQ(groups.enter("deploy", 2'000, {}).replaced.size(), kWaiting - 3);
  EXPECT_EQ(groups.leave(3), 2'000U);
}

TEST(Pools, UsualLabelsLeadToTheLocalPool) {
  const std::vector pools{local_pool(2)};
  for (const std::string label : {"ubuntu-latest", "Ubuntu-22.04", "self-hosted", "gpu", "linux", "X64"}) {
    EXPECT_TRUE(find_pool(pools, {label}).has_value()) << label;
  }
}

TEST(Pools, AConfiguredLabelHasItsOwnPoolAndOthersStayLocal) {
  const std::vector pools{RunnerPool{.name = "gpu", .labels = {"gpu"}}, local_pool(2)};
  EXPECT_EQ(find_pool(pools, {"gpu"})->name, "gpu");
  EXPECT_EQ(find_pool(pools, {"self-hosted", "gpu"})->name, "gpu");
  EXPECT_EQ(find_pool(pools, {"self-hosted"})->name, "local");
}

TEST(Pools, AnUnknownLabelIsRefusedByNameWithTheKnownOnes) {
  const auto pool = find_pool({local_pool(2)}, {"windows-latest"});
  ASSERT_FALSE(pool.has_value());
  EXPECT_NE(pool.error().message.find("\"windows-latest\""), std::string::npos);
  EXPECT_NE(pool.error().message.find("ubuntu-*"), std::string::npos);
}

TEST(Demand, LabelsWithAnEqualsSignAskAndTheOthersNameMachines) {
  const auto demand =
      parse_demand({"self-hosted", "gpu", "cpu=4", "memory=8G", "gpu=2", "priority=high", "preemptible"});
  ASSERT_TRUE(demand.has_value());
  EXPECT_EQ(demand->labels, (std::vector<std::string>{"self-hosted", "gpu"}));
  EXPECT_EQ(demand->resources.cpus, 4);
  EXPECT_EQ(demand->resources.memory_bytes, std::int64_t{8} << 30);
  EXPECT_EQ(demand->resources.gpus, 2);
  EXPECT_EQ(demand->priority, 10);
  EXPECT_TRUE(demand->preemptible);
  EXPECT_EQ(parse_demand({"memory=512MiB"})->resources.memory_bytes, 512 << 20);
  EXPECT_EQ(parse_demand({"priority=-3"})->priority, -3);
  for (const std::string bad : {"cpu=0", "cpu=x", "memory=8x", "memory=G", "gpu=-1", "priority=urgent", "disk=3G"}) {
    const auto refused = parse_demand({bad});
    ASSERT_FALSE(refused.has_value()) << bad;
    EXPECT_NE(refused.error().message.find(bad), std::string::npos);
  }
}

TEST(Demand, WhatNoMachineHasIsRefused) {
  const std::vector pools{RunnerPool{.name = "local", .labels = {"self-hosted"}, .slots = 2, .memory_bytes = 4 << 20}};
  EXPECT_TRUE(find_pool(pools, parse_demand({"self-hosted", "cpu=2"}).value()).has_value());
  EXPECT_FALSE(find_pool(pools, parse_demand({"self-hosted", "cpu=3"}).value()).has_value());
  EXPECT_FALSE(find_pool(pools, parse_demand({"self-hosted", "memory=1G"}).value()).has_value());
  EXPECT_FALSE(find_pool(pools, parse_demand({"self-hosted", "gpu=1"}).value()).has_value());
}

TEST(Slots, GpusHaveNumbersAndComeBack) {
  const RunnerPool pool{.name = "gpu", .labels = {"gpu"}, .slots = 8, .gpus = 3};
  Slots slots;
  const auto first = slots.take(pool, "a", {.gpus = 2});
  EXPECT_EQ(first.gpus, (std::vector{0, 1}));
  EXPECT_FALSE(slots.fits(pool, {.gpus = 2}));
  const auto second = slots.take(pool, "b", {.gpus = 1});
  EXPECT_EQ(second.gpus, (std::vector{2}));
  slots.give_back("gpu", "a", first);
  EXPECT_EQ(slots.take(pool, "b", {.gpus = 1}).gpus, (std::vector{0}));
  EXPECT_EQ(slots.cpus_of("gpu", "b"), 2);
}

TEST(Report, StepsOutputsAndSummariesComeFromTheJournalAndATornLineIsIgnored) {
  const auto report = read_report(
      "{\"seq\":1,\"t\":1000,\"type\":\"job_started\",\"pid\":77}\n"
      "{\"seq\":2,\"t\":2000,\"type\":\"step_started\",\"step\":0,\"name\":\"Train\"}\n"
      "{\"seq\":3,\"t\":3000,\"type\":\"summary\",\"step\":0,\"text\":\"# ok\"}\n"
      "{\"seq\":4,\"t\":4000,\"type\":\"step_finished\",\"step\":0,\"conclusion\":\"success\"}\n"
      "{\"seq\":5,\"t\":5000,\"type\":\"step_started\",\"step\":1,\"name\":\"Test\"}\n"
      "{\"seq\":6,\"t\":60");
  EXPECT_TRUE(report.started);
  EXPECT_FALSE(report.finished);
  EXPECT_EQ(report.pid, 77);
  ASSERT_EQ(report.steps.size(), 2U);
  EXPECT_EQ(report.steps[0].conclusion, types::Conclusion::kSuccess);
  EXPECT_EQ(report.steps[1].state, "in_progress");
  EXPECT_EQ(report.summary, "# ok");
}

}  // namespace
}  // namespace weir::engine
