#include "gate/verdict.h"

#include <gtest/gtest.h>

#include <limits>

namespace weir::gate {
namespace {

std::vector<config::GateRule> rules(std::initializer_list<const char*> texts) {
  std::vector<config::GateRule> parsed;
  for (const char* text : texts) parsed.push_back(config::parse_gate_rule(text).value());
  return parsed;
}

ModelFacts model(std::string version, std::initializer_list<std::pair<const char*, double>> metrics,
                 std::vector<Dataset> datasets = {{.name = "april", .digest = "d0d0", .context = "eval"}}) {
  ModelFacts facts{
      .model = "flight-delay", .version = std::move(version), .run_id = "0123456789abcdef0123456789abcdef"};
  for (const auto& [name, value] : metrics) facts.metrics[name] = {.value = value};
  facts.datasets = std::move(datasets);
  return facts;
}

TEST(Gate, AnAbsoluteRulePassesOrSaysWhatWasNeeded) {
  const auto passed = evaluate(rules({"auc >= 0.65"}), model("1", {{"auc", 0.7312}}), std::nullopt);
  EXPECT_TRUE(passed.passed);
  EXPECT_EQ(passed.findings[0].reason, "");

  const auto failed = evaluate(rules({"auc >= 0.65"}), model("1", {{"auc", 0.5}}), std::nullopt);
  EXPECT_FALSE(failed.passed);
  EXPECT_EQ(failed.findings[0].reason, "auc is 0.5, needed at least 0.65");
}

TEST(Gate, LosingMoreThanAllowedIsRefusedAndTheReasonSaysByHowMuch) {
  const auto gate = rules({"auc >= champion.auc - 0.01"});
  const auto champion = model("2", {{"auc", 0.95}});
  EXPECT_TRUE(evaluate(gate, model("3", {{"auc", 0.94}}), champion).passed);
  const auto verdict = evaluate(gate, model("3", {{"auc", 0.92}}), champion);
  ASSERT_FALSE(verdict.passed);
  EXPECT_EQ(verdict.findings[0].reason, "auc is 0.92, champion has 0.95, needed at least 0.94");
  EXPECT_DOUBLE_EQ(*verdict.findings[0].champion, 0.95);
  EXPECT_DOUBLE_EQ(*verdict.findings[0].limit, 0.94);
  EXPECT_TRUE(verdict.warnings.empty());
}

TEST(Gate, ReachingALimitExactlyIsEnoughWhateverBinaryMakesOfIt) {
  for (int hundredths = 51; hundredths < 100; ++hundredths) {
    const double champion = hundredths / 100.0;
    const double candidate = (hundredths - 1) / 100.0;
    EXPECT_TRUE(evaluate(rules({"auc >= champion.auc - 0.01"}), model("3", {{"auc", candidate}}),
                         model("2", {{"auc", champion}}))
                    .passed)
        << champion;
  }
  const auto verdict = evaluate(rules({"auc >= 0.72"}), model("3", {{"auc", 0.7199999999}}), std::nullopt);
  EXPECT_EQ(verdict.findings[0].reason, "auc is 0.7199999999, needed at least 0.72");
}

TEST(Gate, AFactorOfTheChampionScalesItsNumber) {
  const auto gate = rules({"log_loss <= champion.log_loss * 1.02"});
  const auto champion = model("2", {{"log_loss", 0.5}});
  EXPECT_TRUE(evaluate(gate, model("3", {{"log_loss", 0.51}}), champion).passed);
  EXPECT_FALSE(evaluate(gate, model("3", {{"log_loss", 0.52}}), champion).passed);
}

TEST(Gate, AFirstReleasePassesComparisonsButNotAbsoluteLimits) {
  const auto gate = rules({"auc >= 0.65", "auc >= champion.auc - 0.01"});
  const auto good = evaluate(gate, model("1", {{"auc", 0.7}}), std::nullopt);
  EXPECT_TRUE(good.passed);
  EXPECT_NE(good.findings[1].reason.find("first release"), std::string::npos);
  const auto bad = evaluate(gate, model("1", {{"auc", 0.6}}), std::nullopt);
  EXPECT_FALSE(bad.passed);
  EXPECT_TRUE(bad.findings[1].passed);
}

TEST(Gate, AMissingMetricFailsAndTheReasonListsWhatThereIs) {
  for (const auto* rule : {"auc >= 0.65", "auc >= champion.auc"}) {
    const auto verdict = evaluate(rules({rule}), model("1", {{"accuracy", 0.7}, {"f1", 0.6}}), std::nullopt);
    EXPECT_FALSE(verdict.passed);
    EXPECT_EQ(verdict.findings[0].reason, "auc was not logged for version 1; there is: accuracy, f1");
  }
}

TEST(Gate, WhatIsNotANumberFails) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_FALSE(evaluate(rules({"auc >= 0.65"}), model("1", {{"auc", nan}}), std::nullopt).passed);
  EXPECT_FALSE(evaluate(rules({"auc >= 0.65"}), model("1", {{"auc", infinity}}), std::nullopt).passed);
  EXPECT_FALSE(
      evaluate(rules({"loss <= champion.loss"}), model("1", {{"loss", 0.1}}), model("0", {{"loss", nan}})).passed);
  EXPECT_FALSE(evaluate(rules({"loss < 3"}), model("1", {{"loss", nan}}), std::nullopt).findings[0].candidate);
}

TEST(Gate, NumbersOfDifferentRowsAreRefusedWithThatReason) {
  const auto verdict =
      evaluate(rules({"auc >= champion.auc - 0.01"}), model("3", {{"auc", 0.9}}, {{"may", "d1d1", "eval"}}),
               model("2", {{"auc", 0.7}}, {{"april", "d0d0", "eval"}}));
  EXPECT_FALSE(verdict.passed);
  EXPECT_EQ(
      verdict.findings[0].reason,
      "auc of the candidate comes from other rows (dataset d1d1) than the champion's (dataset d0d0), so the numbers do "
      "not compare: score the champion on the candidate's rows and log that as champion/auc");
}

TEST(Gate, TheChampionScoredInTheCandidatesRunComparesWhateverTheChampionsOwnRows) {
  const auto champion = model("2", {{"auc", 0.99}}, {{"april", "d0d0", "eval"}});
  const auto candidate = model("3", {{"auc", 0.9}, {"champion/auc", 0.89}}, {{"may", "d1d1", "eval"}});
  const auto verdict = evaluate(rules({"auc >= champion.auc"}), candidate, champion);
  EXPECT_TRUE(verdict.passed);
  EXPECT_DOUBLE_EQ(*verdict.findings[0].champion, 0.89);
  EXPECT_TRUE(verdict.warnings.empty());
}

TEST(Gate, UnknownRowsAreWarnedAboutOnce) {
  const auto verdict = evaluate(rules({"auc >= champion.auc", "f1 >= champion.f1"}),
                                model("3", {{"auc", 0.9}, {"f1", 0.8}}, {}), model("2", {{"auc", 0.8}, {"f1", 0.7}}));
  EXPECT_TRUE(verdict.passed);
  ASSERT_EQ(verdict.warnings.size(), 1U);
  EXPECT_NE(verdict.warnings[0].find("mlflow.log_input"), std::string::npos);
}

TEST(Gate, TrainingDataDoesNotTellTheRowsOfAScore) {
  const auto champion = model("2", {{"auc", 0.8}}, {{"jan", "aaaa", "training"}, {"april", "d0d0", "eval"}});
  const auto other_training = model("3", {{"auc", 0.9}}, {{"feb", "bbbb", "Training"}, {"april", "d0d0", "eval"}});
  const auto same = evaluate(rules({"auc >= champion.auc"}), other_training, champion);
  EXPECT_TRUE(same.passed);
  EXPECT_TRUE(same.warnings.empty());
  const auto only_training = model("3", {{"auc", 0.9}}, {{"feb", "bbbb", "training"}});
  EXPECT_EQ(evaluate(rules({"auc >= champion.auc"}), only_training, champion).warnings.size(), 1U);
}

TEST(Gate, AMetricsOwnDatasetCountsBeforeTheRunsInputs) {
  auto candidate = model("3", {{"auc", 0.9}}, {{"april", "d0d0", "eval"}, {"may", "d1d1", "eval"}});
  const auto champion = model("2", {{"auc", 0.8}});
  EXPECT_EQ(evaluate(rules({"auc >= champion.auc"}), candidate, champion).warnings.size(), 1U);  // some overlap
  candidate.metrics["auc"].dataset_digest = "d0d0";
  EXPECT_TRUE(evaluate(rules({"auc >= champion.auc"}), candidate, champion).warnings.empty());
  candidate.metrics["auc"].dataset_digest = "d1d1";
  EXPECT_FALSE(evaluate(rules({"auc >= champion.auc"}), candidate, champion).passed);
}

TEST(Gate, UnitsOfRulesAndMetricsMeet) {
  const auto passes = [](const char* rule, const char* metric, double value) {
    return evaluate(rules({rule}), model("1", {{metric, value}}), std::nullopt).passed;
  };
  EXPECT_TRUE(passes("latency_p95 < 100ms", "latency_p95", 80));
  EXPECT_FALSE(passes("latency_p95 < 100ms", "latency_p95", 120));
  EXPECT_TRUE(passes("latency_p95 < 0.1s", "latency_p95", 80));
  EXPECT_TRUE(passes("latency_p95_s < 100ms", "latency_p95_s", 0.08));
  EXPECT_FALSE(passes("latency_p95_us < 1ms", "latency_p95_us", 1500));
  EXPECT_TRUE(passes("latency_p95_ms < 1s", "latency_p95_ms", 800));
  EXPECT_TRUE(passes("accuracy >= 85%", "accuracy", 0.86));
  EXPECT_TRUE(passes("accuracy_pct >= 85%", "accuracy_pct", 86));
  EXPECT_TRUE(passes("train_time_s < 100", "train_time_s", 80));  // without a unit the numbers stand as they are
  EXPECT_FALSE(passes("size_mb < 1MB", "size_mb", 2));
}

TEST(Gate, AChampionWithoutTheMetricFailsAndTheReasonSaysTheWayOut) {
  const auto verdict = evaluate(rules({"auc >= champion.auc"}), model("3", {{"auc", 0.9}}), model("2", {{"acc", 0.8}}));
  EXPECT_FALSE(verdict.passed);
  EXPECT_EQ(verdict.findings[0].reason,
            "the champion (version 2) has no auc: score it in the candidate's evaluation and log that as champion/auc");
}

TEST(Gate, WithoutRulesNothingPasses) {
  EXPECT_FALSE(evaluate({}, model("1", {{"auc", 1.0}}), std::nullopt).passed);
}

TEST(Verdict, IsATableForLogsAndSummaries) {
  const auto verdict = evaluate(rules({"auc >= 0.65", "auc >= champion.auc - 0.01", "latency_p95 < 100ms"}),
                                model("3", {{"auc", 0.7012}, {"latency_p95", 12.5}}), model("2", {{"auc", 0.7312}}));
  EXPECT_EQ(
      to_text(verdict),
      "flight-delay: version 3 (run 01234567) against champion version 2\n"
      "        rule                        candidate  champion  needed\n"
      "  pass  auc >= 0.65                    0.7012         -  >= 0.65\n"
      "  FAIL  auc >= champion.auc - 0.01     0.7012    0.7312  >= 0.7212  auc is 0.7012, champion has 0.7312, needed "
      "at least 0.7212\n"
      "  pass  latency_p95 < 100ms            12.5ms         -  < 100ms\n"
      "refused: 1 of 3 rules fails\n");
  EXPECT_NE(to_markdown(verdict).find("| ✗ | auc &gt;= champion.auc - 0.01 | 0.7012 | 0.7312 | &gt;= 0.7212 |"),
            std::string::npos)
      << to_markdown(verdict);
  const auto object = to_json(verdict);
  EXPECT_FALSE(object.at("passed").as_bool());
  EXPECT_EQ(json::serialize(object.at("champion")), R"({"version":"2","run_id":"0123456789abcdef0123456789abcdef"})");
  EXPECT_EQ(object.at("findings").as_array().size(), 3U);
}

TEST(Verdict, NamesFromOutsideSteerNeitherTerminalNorPage) {
  const auto verdict = evaluate(rules({"\"a|b<script>\x1b[31m\" >= 1"}), model("1", {{"x\n| y", 2}}), std::nullopt);
  const auto text = to_text(verdict);
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 4);
  const auto markdown = to_markdown(verdict);
  EXPECT_EQ(markdown.find("<script>"), std::string::npos);
  EXPECT_NE(markdown.find("a\\|b&lt;script&gt;"), std::string::npos) << markdown;
}

TEST(Verdict, AFirstReleaseHasNoChampionInJson) {
  const auto object = to_json(evaluate(rules({"auc >= 0.5"}), model("1", {{"auc", 0.6}}), std::nullopt));
  EXPECT_TRUE(object.at("champion").is_null());
  EXPECT_TRUE(object.at("passed").as_bool());
}

}  // namespace
}  // namespace weir::gate
