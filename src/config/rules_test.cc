#include "config/rules.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace weir::config {
namespace {

GateRule gate(std::string_view text) {
  auto rule = parse_gate_rule(text);
  EXPECT_TRUE(rule) << rule.error().message;
  return rule ? *rule : GateRule{};
}

TEST(GateRule, ANumberIsAnAbsoluteLimit) {
  const auto rule = gate(" auc >= 0.65 ");
  EXPECT_EQ(rule.text, "auc >= 0.65");
  EXPECT_EQ(rule.metric, "auc");
  EXPECT_EQ(rule.comparison, Comparison::kAtLeast);
  EXPECT_FALSE(rule.compares_with_champion());
  EXPECT_DOUBLE_EQ(rule.limit, 0.65);
}

TEST(GateRule, TheChampionMayBeScaledAndShifted) {
  const auto shifted = gate("auc >= champion.auc - 0.01");
  EXPECT_EQ(shifted.champion_metric, "auc");
  EXPECT_DOUBLE_EQ(shifted.factor, 1.0);
  EXPECT_DOUBLE_EQ(shifted.limit, -0.01);

  const auto scaled = gate("log_loss<=champion.log_loss*1.02");
  EXPECT_DOUBLE_EQ(scaled.factor, 1.02);
  EXPECT_DOUBLE_EQ(scaled.limit, 0.0);

  const auto both = gate("latency_p95 < champion.latency_p95 * 1.1 + 5ms");
  EXPECT_DOUBLE_EQ(both.factor, 1.1);
  EXPECT_DOUBLE_EQ(both.limit, 5.0);
  EXPECT_EQ(both.unit, Unit::kTime);

  EXPECT_DOUBLE_EQ(gate("auc >= 0.98 * champion.auc").factor, 0.98);
  EXPECT_DOUBLE_EQ(gate("auc > champion.auc").limit, 0.0);
}

TEST(GateRule, UnitsAreNormalised) {
  EXPECT_DOUBLE_EQ(gate("latency_p95 < 100ms").limit, 100.0);
  EXPECT_DOUBLE_EQ(gate("latency_p95 < 0.1s").limit, 100.0);
  EXPECT_DOUBLE_EQ(gate("latency_p95 < 500 us").limit, 0.5);
  EXPECT_DOUBLE_EQ(gate("accuracy >= 85%").limit, 0.85);
  EXPECT_DOUBLE_EQ(gate("auc >= champion.auc - 1%").limit, -0.01);
  EXPECT_DOUBLE_EQ(gate("model_size < 64MiB").limit, 67108864.0);
  EXPECT_EQ(gate("model_size < 64MB").unit, Unit::kBytes);
}

TEST(GateRule, NamesMayHoldSlashesDotsAndAnythingInQuotes) {
  EXPECT_EQ(gate("val/auc >= 0.5").metric, "val/auc");
  EXPECT_EQ(gate("eval.f1_macro >= champion.eval.f1_macro").champion_metric, "eval.f1_macro");
  EXPECT_EQ(gate("\"val/f1 score\" >= champion.'f1-score' - .5").metric, "val/f1 score");
  EXPECT_EQ(gate("\"val/f1 score\" >= champion.'f1-score' - .5").champion_metric, "f1-score");
}

struct Refused {
  const char* text;
  const char* message;  // a part of it
  std::size_t offset;
};

TEST(GateRule, WhatCannotBeReadIsRefusedAtItsPlace) {
  const Refused cases[] = {
      {"", "expected the name of a metric", 0},
      {"auc", "expected one of >=, >, <=, < at its end", 3},
      {"auc => 0.65", "expected one of >=, >, <=, < at \"=> 0.65\"", 4},
      {"auc == 0.65", "expected one of", 4},
      {"0.65 <= auc", "expected the name of a metric", 0},
      {"auc >= ", "expected a number", 7},
      {"auc >= 0.65 0.7", "expected the end at \"0.7\"", 12},
      {"auc >= nan", "expected a number or champion.<metric>", 7},
      {"auc >= 1e999", "expected a number", 7},
      {"auc >= 1e307d", "keeps the number finite", 12},
      {"auc >= best.auc", "expected a number or champion.<metric>", 7},
      {"auc >= champion.", "expected the name of a metric", 16},
      {"auc >= champion.auc - champion.f1", "expected a number", 22},
      {"auc >= champion.auc / 2", "\"* factor\"", 20},
      {"auc >= champion.auc * 2ms", "a factor without a unit", 22},
      {"champion.auc <= auc", "the candidate's metric on the left", 0},
      {"f1-score >= 0.5", "stands in quotes", 2},
      {"\"f1 >= 0.5", "a closing quote", 0},
      {"latency_p95 < 100parsecs", "a unit", 17},
      {"max(auc) > 1", "no function of that name", 0},
  };
  for (const auto& [text, message, offset] : cases) {
    std::size_t at = 999;
    const auto rule = parse_gate_rule(text, &at);
    ASSERT_FALSE(rule) << text;
    EXPECT_EQ(rule.error().code, Code::kInvalidArgument);
    EXPECT_NE(rule.error().message.find(message), std::string::npos) << rule.error().message;
    EXPECT_EQ(at, offset) << text;
  }
}

TEST(GateRule, SlicesAreRefusedByName) {
  const auto rule = parse_gate_rule("slice(origin).auc >= 0.60");
  ASSERT_FALSE(rule);
  EXPECT_EQ(rule.error().code, Code::kUnimplemented);
  EXPECT_NE(rule.error().message.find("slice(…) is not built yet"), std::string::npos);
}

TEST(AlertRule, HoldsForATime) {
  const auto rule = parse_alert_rule("latency_p95 > 100ms for 5m");
  ASSERT_TRUE(rule) << rule.error().message;
  EXPECT_EQ(rule->signal, Signal::kLatencyP95);
  EXPECT_EQ(rule->comparison, Comparison::kAbove);
  EXPECT_DOUBLE_EQ(rule->limit, 100.0);
  EXPECT_EQ(rule->hold, std::chrono::minutes{5});

  const auto at_once = parse_alert_rule("error_rate > 1%");
  ASSERT_TRUE(at_once) << at_once.error().message;
  EXPECT_DOUBLE_EQ(at_once->limit, 0.01);
  EXPECT_EQ(at_once->hold, Duration{0});
}

TEST(AlertRule, KnowsItsSignalsAndTheirUnits) {
  for (const char* text : {"latency > 100ms", "age > 30d", "latency_p95 > 10%", "drift > 3ms", "drift > 0.3 for",
                           "drift > 0.3 for 5", "drift > 0.3 during 5m", "drift > 0.3 for 5m and more"}) {
    const auto rule = parse_alert_rule(text);
    EXPECT_FALSE(rule) << text;
  }
  const auto unknown = parse_alert_rule("latency > 100ms");
  EXPECT_NE(unknown.error().message.find("latency_p95"), std::string::npos) << unknown.error().message;
}

TEST(RetrainRule, TakesDriftAccuracyAndAge) {
  EXPECT_DOUBLE_EQ(parse_retrain_rule("drift > 0.3")->limit, 0.3);
  EXPECT_DOUBLE_EQ(parse_retrain_rule("accuracy_7d < 70%")->limit, 0.7);
  const auto age = parse_retrain_rule("age > 30d");
  ASSERT_TRUE(age) << age.error().message;
  EXPECT_EQ(age->signal, Signal::kAge);
  EXPECT_DOUBLE_EQ(age->limit, 30.0);
  EXPECT_DOUBLE_EQ(parse_retrain_rule("age > 2w")->limit, 14.0);
  EXPECT_FALSE(parse_retrain_rule("age > 30"));
  EXPECT_FALSE(parse_retrain_rule("latency_p95 > 100ms"));
}

TEST(Comparison, ANumberThatIsNoneNeverHolds) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const auto comparison : {Comparison::kAtLeast, Comparison::kAbove, Comparison::kAtMost, Comparison::kBelow}) {
    EXPECT_FALSE(holds(nan, comparison, 1.0));
    EXPECT_FALSE(holds(1.0, comparison, nan));
  }
  EXPECT_TRUE(holds(1.0, Comparison::kAtLeast, 1.0));
  EXPECT_FALSE(holds(1.0, Comparison::kAbove, 1.0));
}

TEST(Quantity, IsShownInAUnitThatReadsWell) {
  EXPECT_EQ(format_quantity(0.731234, Unit::kNone), "0.73123");
  EXPECT_EQ(format_quantity(100.0, Unit::kTime), "100ms");
  EXPECT_EQ(format_quantity(61'000.0, Unit::kTime), "61s");
  EXPECT_EQ(format_quantity(0.02, Unit::kTime), "20us");
  EXPECT_EQ(format_quantity(0.85, Unit::kRatio), "85%");
  EXPECT_EQ(format_quantity(64e6, Unit::kBytes), "64MB");
}

}  // namespace
}  // namespace weir::config
