#include "insight/dora.h"

#include <gmock/gmock.h>

#include "insight/test_story.h"

namespace weir::insight {
namespace {

using std::chrono::minutes;
using testing::HasSubstr;

class DoraTest : public Story {
 protected:
  const TimePoint start_ = loop.now();

  Dora figures(std::optional<TimePoint> to = {}) {
    const auto result = db->load<Dora>([&](store::Reader& reader) {
      return dora(reader, sources, start_, to.value_or(start_ + std::chrono::days{2}));
    });
    EXPECT_TRUE(result) << result.error().message;
    return result.value_or(Dora{});
  }
  void page(std::string_view type, std::string subject = "endpoint/flights@production", std::string severity = "page") {
    tell(std::string(type), "weir", std::move(subject), {{"alert", "x"}, {"severity", severity}});
  }
  void roll_back(int to, int from) {
    tell("rollout.rolled_back", "alice", "endpoint/flights@production",
         {{"model", "flight-delay"}, {"version", to}, {"previous", from}});
  }
};

TEST_F(DoraTest, WithoutDeploymentsThereAreNoFigures) {
  const auto none = figures();
  EXPECT_EQ(none.deployments, 0);
  EXPECT_FALSE(none.change_failure_rate);
  EXPECT_FALSE(none.lead_time);
  EXPECT_THAT(to_text(none), HasSubstr("- (no deployment)"));
}

TEST_F(DoraTest, FrequencyAndLeadTimeAreByTheWallClock) {
  deploy(1, 0, train(1));
  deploy(2, 1, train(2));
  const auto two = figures();
  EXPECT_EQ(two.deployments, 2);
  EXPECT_DOUBLE_EQ(two.deployments_per_day, 1.0);
  EXPECT_EQ(two.lead_time, minutes{11});  // from the commit's time to the switch
  EXPECT_EQ(two.lead_time_known, 2);
  EXPECT_EQ(two.failed, 0);
  EXPECT_EQ(two.list[1].version, "2");
  EXPECT_EQ(two.list[1].commit, std::string(40, 'c'));
}

TEST_F(DoraTest, AnUnknownCommitIsLeftOutOfTheLeadTime) {
  deploy(1, 0, train(1));
  tell("rollout.switched", "weir", "endpoint/flights@production", {{"model", "flight-delay"}, {"version", 9}});
  const auto both = figures();
  EXPECT_EQ(both.deployments, 2);
  EXPECT_EQ(both.lead_time_known, 1);
}

TEST_F(DoraTest, ARollbackFailsTheDeploymentBeforeItAndRestores) {
  deploy(1, 0, train(1));
  deploy(2, 1, train(2));
  loop.advance(minutes{4});  // and one that deploy() itself took
  roll_back(1, 2);
  const auto rolled = figures();
  EXPECT_EQ(rolled.rollbacks, 1);
  EXPECT_EQ(rolled.failed, 1);
  EXPECT_DOUBLE_EQ(*rolled.change_failure_rate, 0.5);
  EXPECT_EQ(rolled.time_to_restore, minutes{5});
  EXPECT_TRUE(rolled.list[1].failed);
  EXPECT_FALSE(rolled.list[0].failed);
}

TEST_F(DoraTest, APageStartsTheClockAndTheRollbackStopsIt) {
  deploy(1, 0, train(1));
  loop.advance(minutes{30});
  page("alert.fired");
  loop.advance(minutes{2});
  roll_back(0, 1);
  page("alert.fired");  // the old version's trouble is not the deployment's
  EXPECT_EQ(figures().time_to_restore, minutes{3});
}

TEST_F(DoraTest, AnAlertThatResolvesOrANewDeploymentRestoresToo) {
  deploy(1, 0, train(1));
  page("alert.fired");
  page("alert.resolved");
  const auto job = train(2);
  deploy(2, 1, job);
  page("alert.fired", "endpoint/flights");
  deploy(3, 2, train(3));
  const auto three = figures();
  EXPECT_EQ(three.failed, 2);
  EXPECT_EQ(three.list[0].restored_after, minutes{1});
  EXPECT_EQ(three.list[1].restored_after, minutes{1 + 7 + 4});
  EXPECT_EQ(three.unrestored, 0);
}

TEST_F(DoraTest, OnlyPagesOfTheSameEnvironmentCount) {
  deploy(1, 0, train(1));
  page("alert.fired", "endpoint/flights@production", "warning");
  page("alert.fired", "endpoint/flights@staging");
  page("alert.fired", "endpoint/other@production");
  EXPECT_EQ(figures().failed, 0);
  page("alert.fired");
  EXPECT_EQ(figures().failed, 1);
  EXPECT_EQ(figures().unrestored, 1);
  EXPECT_THAT(to_text(figures()), HasSubstr("1 not restored yet"));
}

TEST_F(DoraTest, StagingIsNotProductionAndTheWindowHasEnds) {
  tell("rollout.switched", "weir", "endpoint/flights@staging", {{"model", "flight-delay"}, {"version", 1}});
  EXPECT_EQ(figures().deployments, 0);
  deploy(1, 0, train(1));
  EXPECT_EQ(figures(start_ + minutes{5}).deployments, 0);
  const auto wrong = db->load<Dora>([&](store::Reader& reader) { return dora(reader, sources, start_, start_); });
  EXPECT_EQ(wrong.error().code, Code::kInvalidArgument);
}

TEST_F(DoraTest, TextAndJsonShowTheFigures) {
  deploy(1, 0, train(1));
  roll_back(0, 1);
  const auto text = to_text(figures());
  EXPECT_THAT(text, HasSubstr("production, 2026-01-01 00:00:00Z to 2026-01-03 00:00:00Z (2d 0h)"));
  EXPECT_THAT(text, HasSubstr("deployments              1 (0.5 a day)"));
  EXPECT_THAT(text, HasSubstr("lead time for changes    11m 0s (median of 1)"));
  EXPECT_THAT(text, HasSubstr("change failure rate      100% (1 of 1)"));
  EXPECT_THAT(text, HasSubstr("time to restore          1m 0s (median of 1)"));
  const auto object = to_json(figures());
  EXPECT_EQ(object.at("lead_time_seconds"), 660.0);
  EXPECT_EQ(object.at("list").as_array().size(), 1U);
}

}  // namespace
}  // namespace weir::insight
