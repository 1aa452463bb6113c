#include "forge/labels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "forge/issues.h"
#include "forge/reactions.h"
#include "forge/test_world.h"

namespace weir::forge {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class LabelsTest : public testing::Test, protected TestWorld {
 protected:
  LabelsTest() {
    make_repository();
    write(".github/workflows/l.yml", "on: label\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: 'true'}]}}\n");
    push();
  }
  std::vector<std::string> names() {
    std::vector<std::string> all;
    for (const auto& label : labels_.list("flights").value()) all.push_back(label.name);
    return all;
  }
  std::vector<std::string> started() {
    std::vector<std::string> all;
    for (const auto& run : std::exchange(starter_.runs, {})) {
      all.push_back(run.event_name + " " + std::string(run.event_payload.at("action").as_string()));
    }
    return all;
  }
  std::int64_t open(const std::vector<std::string>& labels) {
    return issues_.open("flights", "Drift", "", labels, alice_)->number;
  }

  Labels labels_{*db_, *triggers_};
  Issues issues_{*db_, *triggers_};
  Reactions reactions_{*db_};
  types::Identity alice_{.name = "alice", .role = types::Role::kDeveloper};
  types::Identity bob_{.name = "bob", .role = types::Role::kDeveloper};
};

TEST_F(LabelsTest, OneThatAnIssueIsGivenIsThereFromThenOn) {
  const auto number = open({"drift"});
  ASSERT_TRUE(issues_.change("flights", number, {.title = {}, .body = {}, .open = {}, .labels = {{}}}, alice_));
  EXPECT_THAT(names(), ElementsAre("drift"));
  EXPECT_EQ(labels_.find("flights", "DRIFT")->name, "drift");
  EXPECT_EQ(labels_.find("other", "drift").error().code, Code::kNotFound);
}

TEST_F(LabelsTest, WhatCarriesALabelFollowsIt) {
  const auto number = open({"drift", "gpu"});
  ASSERT_TRUE(labels_.update(
      "flights", "drift",
      [](Label& label) -> Result<void> {
        label = {.name = "data drift", .color = "ff0000", .description = "it moved"};
        return {};
      },
      alice_));
  EXPECT_THAT(issues_.find("flights", number)->labels, ElementsAre("data drift", "gpu"));
  EXPECT_EQ(labels_.of("flights", {"data drift"})->at(0).color, "ff0000");
  ASSERT_TRUE(labels_.remove("flights", "gpu", alice_));
  EXPECT_THAT(issues_.find("flights", number)->labels, ElementsAre("data drift"));
  EXPECT_THAT(names(), ElementsAre("data drift"));
  EXPECT_THAT(started(), ElementsAre("label edited", "label deleted"));
}

TEST_F(LabelsTest, WrongOnesAreRefused) {
  ASSERT_TRUE(labels_.create("flights", {.name = "bug", .color = "d73a4a"}, alice_));
  EXPECT_THAT(started(), ElementsAre("label created"));
  EXPECT_EQ(labels_.create("flights", {.name = "Bug"}, alice_).error().code, Code::kAlreadyExists);
  EXPECT_THAT(labels_.create("flights", {.name = "x", .color = "#ff000"}, alice_).error().message, HasSubstr("color"));
  EXPECT_FALSE(labels_.create("flights", {.name = ""}, alice_));
  ASSERT_TRUE(labels_.create("flights", {.name = "other"}, alice_));
  const auto renamed = labels_.update(
      "flights", "other",
      [](Label& label) -> Result<void> {
        label.name = "BUG";
        return {};
      },
      alice_);
  EXPECT_EQ(renamed.error().code, Code::kAlreadyExists);
  EXPECT_EQ(labels_.remove("flights", "nowhere", alice_).error().code, Code::kNotFound);
}

TEST_F(LabelsTest, EverybodyReactsOnceWithEachSign) {
  const auto number = open({});
  const auto comment =
      issues_.comment({.repo = "flights", .subject = fmt::format("issue/{}", number), .body = "seen"}, alice_).value();
  const auto subject = fmt::format("comment/{}", comment.id);
  const auto first = reactions_.add("flights", subject, "rocket", alice_).value();
  EXPECT_TRUE(first.is_new);
  EXPECT_FALSE(reactions_.add("flights", subject, "rocket", alice_)->is_new);
  EXPECT_TRUE(reactions_.add("flights", subject, "rocket", bob_)->is_new);
  EXPECT_TRUE(reactions_.add("flights", subject, "eyes", alice_)->is_new);
  EXPECT_EQ(reactions_.list("flights", subject, "")->size(), 3U);
  EXPECT_EQ(reactions_.list("flights", subject, "rocket")->size(), 2U);
  EXPECT_FALSE(reactions_.add("flights", subject, "thumbs", alice_));
  EXPECT_EQ(reactions_.remove("flights", subject, first.reaction.id, bob_).error().code, Code::kPermissionDenied);
  EXPECT_EQ(reactions_.remove("flights", "comment/99", first.reaction.id, alice_).error().code, Code::kNotFound);
  ASSERT_TRUE(reactions_.remove("flights", subject, first.reaction.id, alice_));
  ASSERT_TRUE(issues_.remove_comment("flights", comment.id, alice_));
  EXPECT_THAT(reactions_.list("flights", subject, "").value(), IsEmpty()) << "they go with the comment";
}

}  // namespace
}  // namespace weir::forge
