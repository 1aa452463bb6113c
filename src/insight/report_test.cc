#include "insight/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace weir::insight {
namespace {

using testing::HasSubstr;
using testing::Not;

gate::Comparison example() {
  gate::Comparison all;
  all.candidate = {.model = "flight-delay",
                   .version = "",
                   .run_id = "3f2a91bc00000000000000000000000a",
                   .metrics = {{"auc", {.value = 0.7012}},
                               {"champion/auc", {.value = 0.69}},
                               {"log_loss", {.value = 0.41}},
                               {"rows_seen", {.value = 20'000}},
                               {"new", {.value = 1.5}},
                               {"same", {.value = 0.5}}},
                   .datasets = {{"test", "d1", "evaluation"}}};
  all.base = gate::ModelFacts{.model = "flight-delay",
                              .version = "1",
                              .run_id = "ab00000000000000000000000000000b",
                              .metrics = {{"auc", {.value = 0.9}},
                                          {"log_loss", {.value = 0.40}},
                                          {"rows_seen", {.value = 10'000}},
                                          {"old", {.value = 7}},
                                          {"same", {.value = 0.5}}},
                              .datasets = {{"test", "d2", "evaluation"}}};
  all.base_is_champion = true;
  return all;
}

const ReportMetric& metric(const Report& report, std::string_view name) {
  return *std::ranges::find(report.metrics, name, &ReportMetric::name);
}

TEST(Report, ComparesWithTheChampionOnTheSameRowsWhereItCan) {
  const auto report = make_report(example(), {}, {}, "");
  EXPECT_EQ(report.base, "champion version 1");
  EXPECT_DOUBLE_EQ(*metric(report, "auc").base, 0.69) << "not what its own run says of other rows";
  EXPECT_EQ(metric(report, "auc").change, Change::kBetter);
  EXPECT_EQ(metric(report, "log_loss").change, Change::kWorse);
  EXPECT_EQ(metric(report, "rows_seen").change, Change::kOther);
  EXPECT_EQ(metric(report, "same").change, Change::kSame);
  EXPECT_EQ(metric(report, "new").change, Change::kNone);
  EXPECT_FALSE(metric(report, "old").value.has_value());
  EXPECT_EQ(std::ranges::count_if(report.metrics, [](const auto& one) { return one.name.starts_with("champion/"); }),
            0);
  ASSERT_EQ(report.warnings.size(), 1U);
  EXPECT_THAT(report.warnings[0], HasSubstr("other rows"));
}

TEST(Report, TheGatesRulesSayWhichWayIsBetter) {
  auto all = example();
  all.rules = {config::parse_gate_rule("rows_seen <= 30000").value(), config::parse_gate_rule("log_loss >= 0").value()};
  all.verdict = gate::evaluate(all.rules, all.candidate, all.base);
  const auto report = make_report(all, {}, {}, "");
  EXPECT_EQ(metric(report, "rows_seen").change, Change::kWorse);
  EXPECT_EQ(metric(report, "log_loss").change, Change::kBetter) << "whatever its name says";
  EXPECT_THAT(to_markdown(report), HasSubstr("✓ The gate would let it pass: 2 of 2 rules hold"));
  all.rules = {config::parse_gate_rule("auc >= 0.9").value()};
  all.verdict = gate::evaluate(all.rules, all.candidate, all.base);
  EXPECT_THAT(to_markdown(make_report(all, {}, {}, "")),
              HasSubstr("✗ The gate would refuse it: 0 of 1 rules hold\n\n- "));
}

TEST(Report, WithABranchInsteadOfAChampionItsOwnNumbersCount) {
  auto all = example();
  all.base_is_champion = false;
  const auto report = make_report(all, {}, {}, "main");
  EXPECT_EQ(report.base, "main, run ab000000");
  EXPECT_DOUBLE_EQ(*metric(report, "auc").base, 0.9);
  EXPECT_EQ(metric(report, "auc").change, Change::kWorse);
}

TEST(Report, TheFirstModelStandsAlone) {
  auto all = example();
  all.base.reset();
  all.base_is_champion = false;
  const auto report = make_report(all, {{"depth", "3"}}, {}, "");
  EXPECT_EQ(report.base, "");
  EXPECT_TRUE(report.params.empty());
  EXPECT_THAT(to_markdown(report), HasSubstr("nothing to compare with yet\n\n| Metric | Value |"));
  EXPECT_THAT(to_markdown(report), HasSubstr("| auc | 0.7012 |"));
}

TEST(Report, ShowsDifferencesSignedAndParametersThatDiffer) {
  const auto report =
      make_report(example(), {{"commit", std::string(40, 'a')}, {"depth", "3"}, {"rows", "10"}, {"x", "1"}},
                  {{"depth", "4"}, {"rows", "10"}, {"y", "2"}}, "");
  const auto markdown = to_markdown(report);
  EXPECT_THAT(markdown, HasSubstr("### flight-delay, run 3f2a91bc against champion version 1\n"));
  EXPECT_THAT(markdown, HasSubstr("| auc | 0.7012 | 0.6900 | +0.0112 | ✓ better |"));
  EXPECT_THAT(markdown, HasSubstr("| rows\\_seen | 20000 | 10000 | +10000 |  |"));
  EXPECT_THAT(markdown, HasSubstr("| same | 0.5000 | 0.5000 | +0.0000 | = same |"));
  EXPECT_THAT(markdown, HasSubstr("| depth | 3 | 4 |"));
  EXPECT_THAT(markdown, HasSubstr("| x | 1 | - |"));
  EXPECT_THAT(markdown, HasSubstr("| commit | aaaaaaaaaaaa | - |"));
  EXPECT_THAT(markdown, Not(HasSubstr("| rows |")));
  const auto text = to_text(report);
  EXPECT_THAT(text, HasSubstr("flight-delay, run 3f2a91bc against champion version 1\n"));
  EXPECT_THAT(text, HasSubstr("0.0112"));
}

TEST(Report, WhatRunsAreCalledSteersNeitherTableNorTerminal) {
  auto all = example();
  all.candidate.metrics = {{"a|b<img src=x>\n\x1b[31m", {.value = std::numeric_limits<double>::quiet_NaN()}}};
  const auto report = make_report(all, {{"p", "`|\x1b[0m"}}, {}, "");
  EXPECT_THAT(to_markdown(report), HasSubstr("| a\\|b&lt;img src=x&gt;"));
  EXPECT_THAT(to_text(report), Not(HasSubstr("\x1b")));
  EXPECT_TRUE(to_json(report).at("metrics").at(0).at("value").is_null());
}

}  // namespace
}  // namespace weir::insight
