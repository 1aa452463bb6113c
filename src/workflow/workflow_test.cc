#include "workflow/workflow.h"

#include <gtest/gtest.h>

namespace weir::workflow {
namespace {

std::string problems(const std::string& text) {
  return lint_text(parse_workflow(text, "w.yml"), text);
}

const std::string kHead = "on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n";

TEST(WorkflowFile, OneOfTenMegabytesIsRefusedAtOnce) {
  const auto result = parse_workflow(kHead + std::string(10'000'000, '#'), "w.yml");
  EXPECT_FALSE(result.workflow);
  ASSERT_EQ(result.diagnostics.size(), 1U);
  EXPECT_EQ(result.diagnostics[0].message, "the file has 10000046 bytes; at most 1000000 are read");
}

TEST(WorkflowFile, ABombOfAliasesIsRefused) {
  std::string text = "on: push\nenv:\n  a0: &a0 [x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i)
    text += fmt::format("  a{0}: &a{0} [*a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}]\n", i, i - 1);
  EXPECT_NE(problems(text).find("with its aliases followed, the file holds more than 20000 values"), std::string::npos);
}

TEST(WorkflowFile, AliasesOfSensibleSizeAreFollowed) {
  const auto result = parse_workflow(
      kHead + "      - &checkout {uses: actions/checkout@v4}\n  b:\n    runs-on: x\n    steps: [*checkout, {run: x}]\n",
      "w.yml");
  ASSERT_TRUE(result.workflow);
  EXPECT_EQ(result.workflow->jobs[1].steps[0].uses, "actions/checkout@v4");
}

TEST(WorkflowFile, OfVeryManyProblemsTheFirstAreShown) {
  std::string text = kHead;
  for (int i = 0; i < 500; ++i) text += "      - {run: x, shel: bash}\n";
  const auto result = parse_workflow(text, "w.yml");
  EXPECT_FALSE(result.workflow);
  ASSERT_EQ(result.diagnostics.size(), 200U);
  EXPECT_EQ(result.diagnostics.back().hint, "did you mean \"shell\"?; 300 more problems are not shown");
}

TEST(WorkflowFile, AnErrorBehindManyWarningsIsShown) {
  std::string text = kHead;
  for (int i = 0; i < 300; ++i) text += "      - run: echo ${{ github.reff }}\n";
  const auto warned = parse_workflow(text, "w.yml");
  EXPECT_TRUE(warned.workflow);
  EXPECT_EQ(warned.diagnostics.size(), 200U);
  const auto failed = parse_workflow(text + "      - rum: x\n", "w.yml");
  EXPECT_FALSE(failed.workflow);
  EXPECT_EQ(failed.diagnostics.size(), 200U);
  EXPECT_TRUE(text::has_errors(failed.diagnostics));
}

TEST(WorkflowFile, CaretsFollowExpressionsIntoBlocksAndQuotes) {
  EXPECT_EQ(problems(kHead + "      - run: |\n          echo one\n          echo \"${{ githb.sha }}\"\n"),
            "w.yml:8:21: error: unknown name \"githb\"\n"
            "    8 |           echo \"${{ githb.sha }}\"\n"
            "      |                     ^^^^^\n"
            "      = did you mean \"github\"?\n");
  EXPECT_EQ(problems(kHead + "      - if: \"'a' == 'it''s' && contians('x', 'y')\"\n        run: x\n"),
            "w.yml:6:32: error: unknown function \"contians\"\n"
            "    6 |       - if: \"'a' == 'it''s' && contians('x', 'y')\"\n"
            "      |                                ^^^^^^^^\n"
            "      = did you mean \"contains\"?\n");
}

TEST(WorkflowFile, WordsThatLookLikeBooleansElsewhereStayWords) {
  const auto result = parse_workflow(
      "on: push\nenv: {A: on, B: off, C: yes, D: 'true', E: true, F: ~}\n" + kHead.substr(9) + "      - run: x\n",
      "w.yml");
  ASSERT_TRUE(result.workflow) << lint_text(result, "");
  EXPECT_EQ(json::serialize(result.workflow->env), R"({"A":"on","B":"off","C":"yes","D":"true","E":"true","F":""})");
}

}  // namespace
}  // namespace weir::workflow
