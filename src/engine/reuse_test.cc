#include "engine/reuse.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::engine {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

JobInputs inputs() {
  return {.commit = std::string(40, 'a'),
          .definition = "d",
          .values = "v",
          .needs = {{"prepare", "p"}},
          .parts = {},
          .reads = JobInputs::Reads{.files = {"train.py", "made-by-the-job"}, .folders = {"data"}}};
}
const Trees::Tree kTree{{"train.py", "1"}, {"README.md", "2"}, {"data/a.csv", "3"}, {"data/deep/b.csv", "4"}};

TEST(Reuse, WhatTheJobDidNotReadDoesNotCount) {
  auto tree = kTree;
  tree["README.md"] = "9";
  tree["docs/new.md"] = "9";
  tree["data/deep/c.csv"] = "9";  // in a folder that it did not list
  EXPECT_THAT(differences(inputs(), inputs(), kTree, tree), IsEmpty());
}

TEST(Reuse, WhatItReadOrListedCounts) {
  auto tree = kTree;
  tree["train.py"] = "9";
  tree["data/c.csv"] = "9";
  tree.erase("data/a.csv");
  EXPECT_EQ(in_words(differences(inputs(), inputs(), kTree, tree)),
            "train.py changed, data/c.csv is new, data/a.csv is gone");
}

TEST(Reuse, WithoutKnowingWhatItReadEveryFileCountsButWorkflows) {
  auto before = inputs();
  before.reads.reset();
  auto tree = kTree;
  tree[".github/workflows/ci.yml"] = "9";
  EXPECT_THAT(differences(before, inputs(), kTree, tree), IsEmpty());
  tree["README.md"] = "9";
  EXPECT_EQ(in_words(differences(before, inputs(), kTree, tree)), "README.md changed");
}

TEST(Reuse, WhatIsGoneIsToldOnceThoughItWasReadAndListed) {
  auto before = inputs();
  before.reads->files.emplace_back("data/a.csv");
  auto tree = kTree;
  tree.erase("data/a.csv");
  EXPECT_EQ(in_words(differences(before, inputs(), kTree, tree)), "data/a.csv is gone");
}

TEST(Reuse, TheJobItselfItsValuesAndItsNeedsCount) {
  auto now = inputs();
  now.definition = "other";
  now.values = "other";
  now.needs["prepare"] = "other";
  EXPECT_EQ(in_words(differences(inputs(), now, kTree, kTree)),
            "the job itself changed in the workflow file, inputs or variables changed, what prepare made changed");
}

TEST(Reuse, WhichPartOfTheDefinitionAndWhichValueIsTold) {
  const Facts facts{
      .inputs = {{"days", "7"}, {"old", "1"}}, .vars = {{"REGION", "north"}}, .matrix = json::object{{"part", 1}}};
  const LegBody body{.env = {{"RATE", "1"}}, .steps = {json::object{{"run", "a"}}}};
  auto other = facts;
  other.inputs = {{"days", "8"}, {"new", "1"}};
  auto changed = body;
  changed.env["RATE"] = "2";
  changed.steps = {json::object{{"run", "echo ${{ github.sha }}"}}};
  const auto before = inputs_of(body, facts, "c1");
  EXPECT_THAT(differences(before, inputs_of(body, facts, "c2"), {}, {}), IsEmpty());
  using Kind = Difference::Kind;
  using Change = Difference::Change;
  EXPECT_THAT(differences(before, inputs_of(changed, other, "c1"), {}, {}),
              ElementsAre(Difference{Kind::kDefinition, Change::kChanged, "env.RATE"},
                          Difference{Kind::kDefinition, Change::kNew, "github.sha"},
                          Difference{Kind::kDefinition, Change::kChanged, "steps"},
                          Difference{Kind::kValue, Change::kChanged, "inputs.days"},
                          Difference{Kind::kValue, Change::kNew, "inputs.new"},
                          Difference{Kind::kValue, Change::kGone, "inputs.old"}));
  EXPECT_EQ(in_words(differences(before, inputs_of(body, other, "c1"), {}, {})),
            "inputs.days changed, inputs.new is new, inputs.old is gone");
  EXPECT_EQ(in_words(differences(inputs_of(changed, facts, "c1"), inputs_of(changed, facts, "c2"), {}, {})),
            "the commit changed, which it asks for");
}

TEST(Reuse, OnlyAHandfulIsPutInWords) {
  auto tree = kTree;
  for (char c = 'a'; c < 'k'; ++c) tree[fmt::format("data/{}{}.csv", c, c)] = "1";
  const auto all = differences(inputs(), inputs(), kTree, tree);
  EXPECT_EQ(all.size(), 10U);
  EXPECT_THAT(in_words(all), testing::EndsWith(", and 6 more"));
}

TEST(Reuse, InputsAreTheSameAfterJson) {
  const auto read = job_inputs_from_json(to_json(inputs()));
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(json::serialize(to_json(*read)), json::serialize(to_json(inputs())));
  EXPECT_FALSE(job_inputs_from_json(json::object{}).has_value());
}

Plan line() {
  constexpr std::string_view kText =
      "on: push\njobs:\n"
      "  validate: {runs-on: linux, steps: [{run: a}]}\n"
      "  train: {needs: validate, runs-on: linux, steps: [{run: a}]}\n"
      "  style: {runs-on: linux, steps: [{run: a}]}\n"
      "  evaluate: {needs: train, runs-on: linux, steps: [{run: a}]}\n"
      "  deploy: {needs: [evaluate, style], runs-on: linux, steps: [{run: a}]}\n";
  auto parsed = workflow::parse_workflow(kText, "w.yml");
  return Plan(std::make_shared<const workflow::Workflow>(*std::move(parsed.workflow)));
}

std::string keys(const Plan& plan, const std::vector<bool>& marked) {
  std::string text;
  for (std::size_t i = 0; i < plan.size(); ++i) {
    if (marked[i]) text += plan.key(i) + " ";
  }
  return text;
}

TEST(Stages, AreTheJobsOnTheWayAndWhatTheyNeed) {
  const auto plan = line();
  const auto middle = stages(plan, {"train"}, {"evaluate"}).value();
  EXPECT_EQ(keys(plan, middle.runs), "train evaluate ");
  EXPECT_EQ(keys(plan, middle.needed), "validate ");
  const auto rest = stages(plan, {"evaluate"}, {}).value();
  EXPECT_EQ(keys(plan, rest.runs), "evaluate deploy ");
  EXPECT_EQ(keys(plan, rest.needed), "validate train style ");
  const auto start = stages(plan, {}, {"train"}).value();
  EXPECT_EQ(keys(plan, start.runs), "validate train ");
  EXPECT_EQ(keys(plan, start.needed), "");
  EXPECT_EQ(keys(plan, stages(plan, {}, {}).value().runs), "validate train style evaluate deploy ");
}

TEST(Stages, AWrongNameOrNoWayIsTold) {
  const auto plan = line();
  EXPECT_THAT(stages(plan, {"trian"}, {}).error().message, testing::HasSubstr("did you mean \"train\""));
  EXPECT_THAT(stages(plan, {"evaluate"}, {"train"}).error().message,
              testing::HasSubstr("no way leads from job \"evaluate\" to \"train\""));
}

}  // namespace
}  // namespace weir::engine
