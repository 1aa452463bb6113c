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

// A repository whose workflow answers to checks.
class CheckSuitesTest : public ChecksTest {
 protected:
  CheckSuitesTest() {
    make_repository();
    write(".github/workflows/c.yml",
          "on: {check_run: , check_suite: }\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: 'true'}]}}\n");
    head_ = push().after;
    checks_ = std::make_unique<Checks>(*db_, *triggers_, git());
  }

  std::int64_t begin(const std::string& name, const types::Identity& who) {
    return checks_->create({.repo = "flights", .commit = head_, .name = name}, who)->id;
  }
  void end(std::int64_t id, const std::string& conclusion, const types::Identity& who) {
    const auto done = checks_->update(
        "flights", id,
        [&](CheckRun& check) -> Result<void> {
          check.conclusion = conclusion;
          return {};
        },
        who);
    ASSERT_TRUE(done.has_value()) << done.error().message;
  }
  // "check_suite completed failure" of each run since the last call.
  std::vector<std::string> started() {
    std::vector<std::string> all;
    for (const auto& run : std::exchange(starter_.runs, {})) {
      const auto& about = run.event_payload.at(run.event_name);
      all.push_back(fmt::format("{} {} {}", run.event_name, json_string_or(run.event_payload, "action", ""),
                                json_string_or(about, "conclusion", "")));
    }
    return all;
  }

  std::string head_;
  types::Identity alice_{.name = "alice", .role = types::Role::kDeveloper};
  types::Identity bob_{.name = "bob", .role = types::Role::kDeveloper};
};

TEST_F(CheckSuitesTest, ASuiteEndsWithItsLastCheckRun) {
  const auto lint = begin("lint", alice_);
  const auto scan = begin("scan", alice_);
  const auto other = begin("lint", bob_);
  started();
  auto suites = checks_->suites("flights", head_).value();
  ASSERT_EQ(suites.size(), 2U);
  EXPECT_EQ(suites[0].id, lint);
  EXPECT_EQ(suites[0].app, "alice");
  EXPECT_EQ(suites[0].status, "queued");
  end(lint, "failure", alice_);
  EXPECT_THAT(started(), testing::ElementsAre("check_run completed failure"));
  EXPECT_EQ(checks_->find_suite("flights", lint)->status, "in_progress");
  end(scan, "success", alice_);
  ASSERT_EQ(starter_.runs.size(), 2U);
  const auto& suite = starter_.runs[1].event_payload.at("check_suite");
  EXPECT_EQ(suite.at("head_branch"), "main");
  EXPECT_EQ(suite.at("id"), lint);
  EXPECT_THAT(started(), testing::ElementsAre("check_run completed success", "check_suite completed failure"));
  // Again, and well: of each name the newest counts.
  end(begin("lint", alice_), "neutral", alice_);
  EXPECT_THAT(started(), testing::ElementsAre("check_run created ", "check_run completed neutral",
                                              "check_suite completed success"));
  EXPECT_EQ(checks_->of_suite("flights", lint)->size(), 3U);
  EXPECT_EQ(checks_->find("flights", scan)->suite, lint);
  EXPECT_EQ(checks_->find_suite("flights", scan).error().code, Code::kNotFound) << "no suite's first";
  EXPECT_EQ(checks_->find_suite("flights", other)->app, "bob");
}

TEST_F(CheckSuitesTest, WhatJobsSetStartsNothingWhoeverChangesIt) {
  const auto id = begin("bench", job_);
  auto next = job_;
  next.name = "job:8";
  begin("more", next);
  ASSERT_EQ(checks_->suites("flights", head_)->size(), 1U) << "jobs are one app";
  end(id, "success", alice_);
  EXPECT_THAT(started(), testing::IsEmpty());
}

TEST_F(CheckSuitesTest, AskingForACheckAgainIsTold) {
  const auto id = begin("lint", alice_);
  end(id, "failure", alice_);
  started();
  ASSERT_TRUE(checks_->rerequest("flights", id, bob_));
  EXPECT_THAT(started(), testing::ElementsAre("check_run rerequested failure"));
  EXPECT_EQ(checks_->find("flights", id)->status, "completed") << "until whoever set it does so again";
  EXPECT_FALSE(checks_->rerequest("flights", 99, bob_));
}

}  // namespace
}  // namespace weir::forge
