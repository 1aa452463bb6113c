#include "monitor/alerts.h"

#include "monitor/test_world.h"

namespace weir::monitor {
namespace {

using config::Signal;

Reading drift_of(double value, std::vector<std::string> columns) {
  Reading drift = reading(value);
  drift.columns = std::move(columns);
  return drift;
}

using std::chrono::minutes;

const Place kPlace{"flights", "production"};

constexpr std::string_view kYaml = R"(
endpoints:
  flights:
    environments:
      production: {model: models:/flight-delay@champion}
monitors:
  flights:
    drift: {features: 0.3, prediction: 0.2}
    accuracy_7d: {min: 0.70, label_delay: 2d}
    alerts:
      - when: latency_p95 > 100ms for 5m
        severity: page
        do: [rollback]
notify:
  - {to: https://hooks.example.com/all, severity: [page, warning]}
  - {to: https://hooks.example.com/page, severity: [page]}
)";

TEST(Signals, AnAccuracyOfFewLabelsMustBeClear) {
  EXPECT_FALSE(accuracy_reading(10, 29).has_value());
  const auto below = config::Comparison::kBelow;
  EXPECT_FALSE(holds(*accuracy_reading(54, 80), below, 0.70)) << "0.675, but of 80";
  EXPECT_TRUE(holds(*accuracy_reading(45, 80), below, 0.70));
  EXPECT_TRUE(holds(*accuracy_reading(699, 1000), below, 0.70));
  EXPECT_FALSE(holds(*accuracy_reading(700, 1000), below, 0.70));
}

TEST(Signals, AreDescribedAsTheRulesAreWritten) {
  const auto above = config::Comparison::kAbove;
  EXPECT_EQ(describe(Signal::kDrift, drift_of(0.4216, {"dep_temp", "dewp"}), above, 0.3),
            "drift 0.42 > 0.3 (dep_temp, dewp)");
  EXPECT_EQ(describe(Signal::kAccuracy7d, reading(0.68), config::Comparison::kBelow, 0.70), "accuracy_7d 0.68 < 0.7");
  EXPECT_EQ(describe(Signal::kAccuracy7d, reading(0.6996), config::Comparison::kBelow, 0.70),
            "accuracy_7d 0.6996 < 0.7");
  EXPECT_EQ(describe(Signal::kLatencyP95, reading(131.6), above, 100), "latency_p95 132ms > 100ms");
  EXPECT_EQ(describe(Signal::kErrorRate, reading(0.025), above, 0.01), "error_rate 2.5% > 1%");
  EXPECT_EQ(describe(Signal::kAge, reading(87.4), above, 30), "age 87d > 30d");
}

TEST(Signals, LimitsOfAMonitorAreRulesToo) {
  std::vector<std::string> texts;
  for (const auto& rule : watched_rules(TestWorld::parse(kYaml)->monitors[0])) texts.push_back(rule.text);
  EXPECT_EQ(texts, (std::vector<std::string>{"latency_p95 > 100ms for 5m", "drift > 0.3", "prediction_drift > 0.2",
                                             "accuracy_7d < 0.7"}));
}

class AlertBookTest : public testing::Test {
 protected:
  std::vector<AlertBook::Fired> update(const Readings& readings, std::string version = "1") {
    auto fired = book.update(kPlace, rules, readings,
                             {.now = world.loop.now(), .event_time = world.loop.now(), .version = version}, *config);
    EXPECT_TRUE(fired.has_value()) << fired.error().message;
    return fired.value_or(std::vector<AlertBook::Fired>{});
  }
  std::vector<Alert> alerts() {
    return world.db()
        .load<std::vector<Alert>>([](store::Reader& reader) { return AlertBook::load(reader, 100); })
        .value();
  }

  TestWorld world;
  std::shared_ptr<const config::Config> config = TestWorld::parse(kYaml);
  std::vector<WatchedRule> rules = watched_rules(config->monitors[0]);
  AlertBook book{world.db()};
};

TEST_F(AlertBookTest, FiresOnceAndResolvesOnceWithEventsAndMessages) {
  EXPECT_EQ(update({{Signal::kDrift, drift_of(0.42, {"temp"})}}).size(), 1U);
  EXPECT_TRUE(update({{Signal::kDrift, drift_of(0.50, {"temp"})}}).empty());
  ASSERT_EQ(alerts().size(), 1U);
  EXPECT_EQ(alerts()[0].message, "drift 0.42 > 0.3 (temp)");
  EXPECT_FALSE(alerts()[0].resolved_at.has_value());

  update({{Signal::kDrift, reading(0.0)}});
  update({{Signal::kDrift, reading(0.0)}});
  EXPECT_TRUE(alerts()[0].resolved_at.has_value());

  const auto drift = world.events("drift.detected");
  const auto fired = world.events("alert.fired");
  const auto resolved = world.events("alert.resolved");
  ASSERT_EQ(drift.size(), 1U);
  ASSERT_EQ(fired.size(), 1U);
  ASSERT_EQ(resolved.size(), 1U);
  EXPECT_EQ(fired[0].subject, "endpoint/flights@production");
  EXPECT_EQ(fired[0].cause, drift[0].sequence);
  EXPECT_EQ(resolved[0].cause, fired[0].sequence);
  EXPECT_EQ(drift[0].payload.at("columns"), json::array{"temp"});
  EXPECT_EQ(world.number("SELECT COUNT(*) FROM monitor_notifications"), 2) << "fired and resolved, to the first target";
}

TEST_F(AlertBookTest, WaitsForAsLongAsTheRuleSays) {
  const Readings slow{{Signal::kLatencyP95, reading(150.0)}};
  EXPECT_TRUE(update(slow).empty());
  world.loop.advance(minutes{4});
  EXPECT_TRUE(update(slow).empty());
  EXPECT_TRUE(update({{Signal::kLatencyP95, reading(90.0)}}).empty());
  world.loop.advance(minutes{4});
  EXPECT_TRUE(update(slow).empty()) << "the five minutes begin anew";
  world.loop.advance(minutes{5});
  const auto fired = update(slow);
  ASSERT_EQ(fired.size(), 1U);
  EXPECT_EQ(fired[0].rule.actions, std::vector{config::AlertAction::kRollback});
  EXPECT_EQ(fired[0].alert.message, "latency_p95 150ms > 100ms for 5m");
  EXPECT_EQ(
      world.number(
          "SELECT COUNT(*) FROM monitor_notifications WHERE message LIKE '[page] flights@production version 1:%'"),
      2);
}

TEST_F(AlertBookTest, WhatIsNotKnownChangesNothing) {
  update({{Signal::kAccuracy7d, reading(0.5)}});
  update({});
  EXPECT_FALSE(alerts()[0].resolved_at.has_value());
}

TEST_F(AlertBookTest, FewerLabelsAloneResolveNothing) {
  update({{Signal::kAccuracy7d, *accuracy_reading(136, 200)}});
  ASSERT_EQ(alerts().size(), 1U);
  update({{Signal::kAccuracy7d, *accuracy_reading(68, 100)}});
  EXPECT_FALSE(alerts()[0].resolved_at.has_value());
  update({{Signal::kAccuracy7d, *accuracy_reading(72, 100)}});
  EXPECT_TRUE(alerts()[0].resolved_at.has_value());
}

TEST_F(AlertBookTest, AnotherVersionResolvesWhatWasSaidOfTheOneBefore) {
  update({{Signal::kAccuracy7d, reading(0.5)}});
  world.loop.advance(minutes{10});
  ASSERT_TRUE(book.resolve_stale(kPlace, rules, {.now = world.loop.now(), .version = "2"}, *config).has_value());
  ASSERT_TRUE(alerts()[0].resolved_at.has_value());
  EXPECT_EQ(json_string_or(world.events("alert.resolved")[0].payload, "message", ""), "version 2 is live instead of 1");
  EXPECT_EQ(update({{Signal::kAccuracy7d, reading(0.5)}}, "2").size(), 1U) << "the new version may fail too";
}

TEST_F(AlertBookTest, AfterARestartAFiringAlertIsNotFiredAgain) {
  update({{Signal::kDrift, reading(0.42)}});
  world.reopen();
  AlertBook again{world.db()};
  const auto fired =
      again.update(kPlace, rules, {{Signal::kDrift, reading(0.42)}}, {.now = world.loop.now(), .version = "1"}, {});
  EXPECT_TRUE(fired->empty());
  EXPECT_EQ(alerts().size(), 1U);
}

}  // namespace
}  // namespace weir::monitor
