#include "forge/checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "forge/test_world.h"

namespace weir::forge {
namespace {

using testing::HasSubstr;

// A job's identity: what it writes starts nothing, so that no repository is needed.
class ChecksTest : public testing::Test, protected TestWorld {
 protected:
  const std::string commit_ = std::string(40, 'a');
  std::unique_ptr<Checks> checks_ = std::make_unique<Checks>(*db_, *triggers_);
  types::Identity job_{.name = "job:7", .role = types::Role::kDeveloper, .job_id = 7, .run_id = 3};
};

TEST_F(ChecksTest, TheNewestStatusOfAContextCounts) {
  for (const std::string state : {"pending", "success"}) {
    ASSERT_TRUE(checks_->set({.repo = "flights", .commit = commit_, .context = "bench", .state = state}, job_));
  }
  ASSERT_TRUE(checks_->set({.repo = "flights", .commit = commit_, .context = "lint", .state = "failure"}, job_));
  const auto all = checks_->statuses("flights", commit_).value();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[1].context, "bench");
  EXPECT_EQ(all[1].state, "success");
  EXPECT_TRUE(checks_->statuses("other", commit_)->empty());
}

TEST_F(ChecksTest, WrongValuesAreNamed) {
  const auto problem = [&](Status status) { return checks_->set(std::move(status), job_).error().message; };
  EXPECT_THAT(problem({.repo = "flights", .commit = "main", .state = "success"}), HasSubstr("no commit's full id"));
  EXPECT_THAT(problem({.repo = "flights", .commit = commit_, .state = "ok"}), HasSubstr("state must be one of"));
  EXPECT_THAT(problem({.repo = "flights", .commit = commit_, .state = "error", .target_url = "javascript:alert(1)"}),
              HasSubstr("target_url must begin with http"));
  EXPECT_FALSE(checks_->create({.repo = "flights", .commit = commit_, .name = ""}, job_));
  EXPECT_FALSE(checks_->create({.repo = "flights", .commit = commit_, .name = "x", .status = "completed"}, job_));
}

TEST_F(ChecksTest, AConclusionEndsACheckRun) {
  const auto made = checks_->create({.repo = "flights", .commit = commit_, .name = "bench"}, job_).value();
  EXPECT_EQ(made.status, "queued");
  const auto done = checks_->update(
      "flights", made.id,
      [](CheckRun& check) -> Result<void> {
        check.conclusion = "success";
        check.summary = "| a |";
        return {};
      },
      job_);
  ASSERT_TRUE(done.has_value()) << done.error().message;
  EXPECT_EQ(done->status, "completed");
  EXPECT_TRUE(done->completed_at.has_value());
  EXPECT_EQ(checks_->find("flights", made.id)->summary, "| a |");
  EXPECT_FALSE(checks_->find("other", made.id).has_value());
  EXPECT_EQ(checks_->of_commit("flights", commit_)->size(), 1U);
}

}  // namespace
}  // namespace weir::forge
