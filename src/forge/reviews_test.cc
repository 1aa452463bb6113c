#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "forge/pulls.h"
#include "forge/test_world.h"

namespace weir::forge {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Pull request #1 of alice's in "flights", whose branch asks for one approval.
class ReviewsTest : public testing::Test, protected TestWorld {
 protected:
  ReviewsTest() {
    make_repository();
    auto deps = pull_deps();
    deps.rule = [](const std::string&, const std::string&) { return BranchRule{.reviews = 1}; };
    pulls_ = std::make_unique<Pulls>(std::move(deps));
    write(".github/workflows/r.yml",
          "on: {pull_request: {types: [review_requested, review_request_removed]}, pull_request_review: }\n"
          "jobs: {a: {runs-on: ubuntu-latest, steps: [{run: 'true'}]}}\n");
    push();
    shell("cd work && git checkout -q -b better");
    write("train.py", "two\n");
    push("refs/heads/better");
    EXPECT_TRUE(pulls_->open({.repo = "flights", .head = "better"}, alice_));
    started();
  }

  std::int64_t say(ReviewState state, const types::Identity& who) {
    const auto made = pulls_->review("flights", 1, state, "words", who);
    EXPECT_TRUE(made.has_value()) << made.error().message;
    started();
    return made->id;
  }
  Result<Review> dismiss(std::int64_t id, const types::Identity& who, const std::string& message = "It changed.") {
    return pulls_->dismiss_review("flights", 1, id, message, who);
  }
  std::vector<std::string> reasons() { return pulls_->mergeability(pulls_->find("flights", 1).value())->reasons; }
  std::vector<std::string> started() {
    std::vector<std::string> all;
    for (const auto& run : std::exchange(starter_.runs, {})) {
      all.push_back(run.event_name + " " + std::string(run.event_payload.at("action").as_string()));
    }
    return all;
  }

  std::unique_ptr<Pulls> pulls_;
  types::Identity alice_{.name = "alice", .role = types::Role::kDeveloper};
  types::Identity bob_{.name = "bob", .role = types::Role::kDeveloper};
  types::Identity ann_{.name = "ann", .role = types::Role::kApprover};
  types::Identity job_{.name = "job:7", .role = types::Role::kDeveloper, .job_id = 7, .run_id = 3};
};

TEST_F(ReviewsTest, ADismissedVerdictNeitherCountsNorStandsInTheWay) {
  const auto approval = say(ReviewState::kApproved, bob_);
  EXPECT_THAT(reasons(), IsEmpty());
  const auto dismissed = dismiss(approval, ann_);
  ASSERT_TRUE(dismissed.has_value()) << dismissed.error().message;
  EXPECT_THAT(started(), ElementsAre("pull_request_review dismissed"));
  EXPECT_THAT(reasons(), ElementsAre("it has 0 of 1 approvals of its newest commit"));
  const auto kept = pulls_->find_review("flights", 1, approval).value();
  EXPECT_EQ(kept.state, ReviewState::kDismissed);
  EXPECT_EQ(kept.dismissed_by, "ann");
  EXPECT_EQ(kept.dismissal, "It changed.");
  EXPECT_EQ(dismiss(approval, ann_).error().code, Code::kFailedPrecondition) << "twice";

  const auto refusal = say(ReviewState::kChangesRequested, bob_);
  EXPECT_THAT(reasons(), testing::Contains("bob asks for changes"));
  ASSERT_TRUE(dismiss(refusal, ann_));
  EXPECT_THAT(reasons(), ElementsAre("it has 0 of 1 approvals of its newest commit"));
}

TEST_F(ReviewsTest, DismissingIsForApproversForItsAuthorAndWhereItOnlyHindersForJobs) {
  const auto refusal = say(ReviewState::kChangesRequested, bob_);
  EXPECT_EQ(dismiss(refusal, alice_).error().code, Code::kPermissionDenied);
  EXPECT_EQ(dismiss(refusal, job_).error().code, Code::kPermissionDenied) << "a job would let it through";
  EXPECT_TRUE(dismiss(refusal, bob_)) << "its author";
  EXPECT_THAT(started(), ElementsAre("pull_request_review dismissed"));
  EXPECT_TRUE(dismiss(say(ReviewState::kApproved, bob_), job_));
  auto other_job = job_;
  other_job.name = "job:9";
  EXPECT_TRUE(dismiss(say(ReviewState::kChangesRequested, other_job), job_)) << "jobs are one author";
  EXPECT_THAT(started(), IsEmpty()) << "what a job does starts nothing";
  EXPECT_THAT(dismiss(say(ReviewState::kCommented, bob_), ann_).error().message, HasSubstr("nothing to dismiss"));
  EXPECT_THAT(dismiss(say(ReviewState::kApproved, bob_), ann_, " ").error().message, HasSubstr("say why"));
}

TEST_F(ReviewsTest, OnlyItsAuthorRewordsAReview) {
  const auto id = say(ReviewState::kChangesRequested, bob_);
  EXPECT_EQ(pulls_->change_review("flights", 1, id, "mine", ann_).error().code, Code::kPermissionDenied);
  EXPECT_EQ(pulls_->change_review("flights", 1, id, "", bob_).error().code, Code::kInvalidArgument);
  ASSERT_TRUE(pulls_->change_review("flights", 1, id, "better words", bob_));
  ASSERT_EQ(starter_.runs.size(), 1U);
  EXPECT_EQ(starter_.runs[0].event_payload.at("changes").at("body").at("from"), "words");
  EXPECT_THAT(started(), ElementsAre("pull_request_review edited"));
  EXPECT_EQ(pulls_->find_review("flights", 1, id)->body, "better words");
  EXPECT_EQ(pulls_->change_review("flights", 1, 99, "x", bob_).error().code, Code::kNotFound);
}

TEST_F(ReviewsTest, WhoIsAskedForAReviewIsUntilTheyGaveOne) {
  const auto asked = [&] { return pulls_->find("flights", 1)->requested; };
  ASSERT_TRUE(pulls_->request_reviewers("flights", 1, {"bob", "ann"}, alice_));
  ASSERT_TRUE(pulls_->request_reviewers("flights", 1, {"bob"}, alice_)) << "again";
  EXPECT_THAT(started(), ElementsAre("pull_request review_requested", "pull_request review_requested"));
  EXPECT_THAT(asked(), ElementsAre("bob", "ann"));
  EXPECT_THAT(pulls_->under_review("flights")->at(0).requested, ElementsAre("bob", "ann"));
  say(ReviewState::kCommented, bob_);
  EXPECT_THAT(asked(), ElementsAre("ann"));
  ASSERT_TRUE(pulls_->withdraw_requests("flights", 1, {"ann", "nobody"}, alice_));
  EXPECT_THAT(started(), ElementsAre("pull_request review_request_removed"));
  EXPECT_THAT(asked(), IsEmpty());
  EXPECT_THAT(pulls_->request_reviewers("flights", 1, {"alice"}, bob_).error().message, HasSubstr("author"));
}

}  // namespace
}  // namespace weir::forge
