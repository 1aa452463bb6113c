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
  const std::vector pools{RunnerPool{"gpu", {"gpu"}, 1}, local_pool(2)};
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
