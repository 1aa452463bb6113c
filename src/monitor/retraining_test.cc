#include "monitor/retraining.h"

#include "monitor/test_world.h"

namespace weir::monitor {
namespace {

using config::Signal;

Reading drift_of(double value, std::vector<std::string> columns) {
  Reading drift = reading(value);
  drift.columns = std::move(columns);
  return drift;
}

using std::chrono::days;
using std::chrono::hours;

constexpr std::string_view kYaml = R"(
endpoints:
  flights:
    environments:
      production: {model: models:/flight-delay@champion}
monitors:
  flights: {}
retrain:
  flight-delay:
    when: [drift > 0.3, accuracy_7d < 0.70, age > 30d]
    cooldown: 12h
    run: .github/workflows/ml-pipeline.yml
)";

const TimePoint kWatermark = parse_iso8601("2013-06-27T09:00:00Z").value();

class RetrainPolicyTest : public testing::Test {
 protected:
  RetrainPolicy policy() {
    return {world.db(), world.log(), [this](const RetrainRequest& request) -> Result<std::int64_t> {
              requests.push_back(request);
              if (failure) return std::unexpected(*failure);
              return 7 + static_cast<std::int64_t>(requests.size()) - 1;
            }};
  }
  bool decide(TimePoint watermark, const Readings& readings = {{Signal::kDrift, drift_of(0.42, {"dep_temp"})},
                                                               {Signal::kAccuracy7d, reading(0.68)},
                                                               {Signal::kAge, reading(12.0)}}) {
    RetrainPolicy deciding = policy();
    auto decided = deciding.decide(
        config->retrain[0], readings,
        {.place = {"flights", "production"}, .version = "2", .watermark = watermark, .label_delay = days{2}}, {});
    EXPECT_TRUE(decided.has_value()) << decided.error().message;
    return decided.value_or(false);
  }
  void append(types::EventDraft draft) {
    ASSERT_TRUE(world.db()
                    .write([&](store::Transaction& tx) -> Result<void> {
                      WEIR_TRY(tx.append(std::move(draft)));
                      return {};
                    })
                    .has_value());
  }
  Retraining latest() {
    return world.db()
        .load<std::optional<Retraining>>(
            [](store::Reader& reader) { return RetrainPolicy::latest(reader, "flight-delay"); })
        .value()
        .value();
  }

  TestWorld world;
  std::shared_ptr<const config::Config> config = TestWorld::parse(kYaml);
  std::vector<RetrainRequest> requests;
  std::optional<Error> failure;
};

TEST(LastWholeDay, HasNoHourWhoseLabelsMayStillCome) {
  EXPECT_EQ(last_whole_day(parse_iso8601("2013-06-25T09:00:00Z").value()), "2013-06-24");
  EXPECT_EQ(last_whole_day(parse_iso8601("2013-06-25").value()), "2013-06-24");
}

TEST_F(RetrainPolicyTest, StartsTheWorkflowWithItsReasonsAndTheLastLabelledDay) {
  EXPECT_TRUE(decide(kWatermark));
  ASSERT_EQ(requests.size(), 1U);
  EXPECT_EQ(requests[0].workflow, ".github/workflows/ml-pipeline.yml");
  EXPECT_EQ(requests[0].reasons, "drift 0.42 > 0.3 (dep_temp); accuracy_7d 0.68 < 0.7");
  EXPECT_EQ(requests[0].data_until, "2013-06-24");
  const auto events = world.events("retrain.triggered");
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].subject, "model/flight-delay");
  EXPECT_EQ(events[0].sequence, requests[0].cause);
  EXPECT_EQ(json_string_or(events[0].payload, "reasons", ""), requests[0].reasons);
  EXPECT_EQ(latest().run_id, 7);
  EXPECT_EQ(latest().state, "running");
}

TEST_F(RetrainPolicyTest, DoesNothingWithoutAReason) {
  EXPECT_FALSE(decide(kWatermark, {{Signal::kDrift, reading(0.2)}, {Signal::kAge, reading(30.0)}}));
  EXPECT_FALSE(decide(kWatermark, {}));
  EXPECT_TRUE(requests.empty());
}

TEST_F(RetrainPolicyTest, HasOneTrainingUnderWayAtATime) {
  EXPECT_TRUE(decide(kWatermark));
  EXPECT_FALSE(decide(kWatermark + days{30}));
  append({.type = "run.completed", .actor = "weir", .subject = "run/7", .payload = {{"conclusion", "failure"}}});
  EXPECT_EQ(latest().state, "completed");
  EXPECT_TRUE(decide(kWatermark + days{30}));
}

TEST_F(RetrainPolicyTest, CoolsDownByEventTime) {
  EXPECT_TRUE(decide(kWatermark));
  append({.type = "run.completed", .actor = "weir", .subject = "run/7"});
  world.loop.advance(days{400});
  EXPECT_FALSE(decide(kWatermark + hours{11})) << "the clock on the wall does not count";
  EXPECT_TRUE(decide(kWatermark + hours{12}));
}

TEST_F(RetrainPolicyTest, AWorkflowThatCannotBeStartedIsNotTriedUntilTheCoolDownIsOver) {
  failure = Error{Code::kFailedPrecondition, "ml-pipeline.yml has no workflow_dispatch"};
  EXPECT_TRUE(decide(kWatermark));
  EXPECT_EQ(latest().state, "failed");
  EXPECT_EQ(latest().note, "ml-pipeline.yml has no workflow_dispatch");
  failure.reset();
  EXPECT_FALSE(decide(kWatermark + hours{1}));
  EXPECT_TRUE(decide(kWatermark + hours{12}));
}

TEST_F(RetrainPolicyTest, ADecisionWhoseStartWasLostInACrashIsStartedAtTheNextStart) {
  failure = Error{Code::kUnavailable, "stopping"};
  EXPECT_TRUE(decide(kWatermark));
  EXPECT_EQ(latest().state, "requested");
  failure.reset();
  world.reopen();
  RetrainPolicy again = policy();
  ASSERT_TRUE(again.resume([](const std::string&) { return std::string("w.yml"); }).has_value());
  ASSERT_EQ(requests.size(), 2U);
  EXPECT_EQ(requests[1].workflow, "w.yml");
  EXPECT_EQ(requests[1].data_until, "2013-06-24");
  EXPECT_EQ(requests[1].cause, requests[0].cause);
  EXPECT_EQ(latest().state, "running");
}

TEST_F(RetrainPolicyTest, AStartThatTheCrashCutOffFromItsRecordIsNotMadeTwice) {
  failure = Error{Code::kUnavailable, "killed here"};
  EXPECT_TRUE(decide(kWatermark));
  append({.type = "run.created", .actor = "weir", .subject = "run/33", .cause = requests[0].cause});
  RetrainPolicy again = policy();
  ASSERT_TRUE(again.resume([](const std::string&) { return std::string("w.yml"); }).has_value());
  EXPECT_EQ(requests.size(), 1U);
  EXPECT_EQ(latest().run_id, 33);
}

}  // namespace
}  // namespace weir::monitor
