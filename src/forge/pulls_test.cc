#include "forge/pulls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "forge/pull_rows.h"
#include "forge/test_world.h"

namespace weir::forge {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

class PullsTest : public testing::Test, protected TestWorld {
 protected:
  PullsTest() {
    make_repository();
    auto deps = pull_deps();
    deps.checks = [this](const Pull&) -> Result<std::vector<CheckState>> { return checks_; };
    deps.rule = [this](const std::string&, const std::string& branch) {
      return branch == "main" ? rule_ : BranchRule{};
    };
    pulls_ = std::make_unique<Pulls>(std::move(deps));
    write(".github/workflows/ci.yml",
          "on: {pull_request: {types: [opened, synchronize, closed]}, pull_request_review: }\n"
          "jobs: {a: {runs-on: ubuntu-latest, steps: [{run: 'true'}]}}\n");
    write("train.py", "one\n");
    push("main");
    shell("cd work && git checkout -q -b better");
    write("train.py", "two\n");
    push("better");
  }

  event::RefUpdate push(const std::string& branch) {
    return TestWorld::push("refs/heads/" + branch, "Change " + branch);
  }
  Pull open() { return pulls_->open({.repo = "flights", .head = "better"}, alice_).value(); }
  std::vector<std::string> started() {
    std::vector<std::string> all;
    for (const auto& run : std::exchange(starter_.runs, {})) {
      all.push_back(run.event_name + " " + std::string(run.event_payload.at("action").as_string()));
    }
    return all;
  }

  std::unique_ptr<Pulls> pulls_;
  std::vector<CheckState> checks_;
  BranchRule rule_;
  types::Identity alice_{.name = "alice", .role = types::Role::kDeveloper};
  types::Identity bob_{.name = "bob", .role = types::Role::kApprover};
};

TEST_F(PullsTest, OpeningOneRunsItsWorkflowsOnACommitThatMergesIt) {
  const auto pull = open();
  EXPECT_EQ(pull.issue.number, 1);
  EXPECT_EQ(pull.issue.title, "Change better");
  ASSERT_EQ(starter_.runs.size(), 1U);
  const auto& run = starter_.runs[0];
  EXPECT_EQ(run.commit, pull.merge_sha);
  EXPECT_EQ(run.ref, "refs/pull/1/merge");
  EXPECT_EQ(run.head_ref, "better");
  EXPECT_EQ(run.base_ref, "main");
  EXPECT_EQ(run.event_payload.at("number").as_int64(), 1);
  EXPECT_EQ(shell("git --git-dir=flights.git show refs/pull/1/merge:train.py"), "two");
  EXPECT_EQ(shell("git --git-dir=flights.git rev-list --parents -1 refs/pull/1/merge").substr(41),
            pull.base_sha + " " + pull.head_sha);
}

TEST_F(PullsTest, WhatCannotBeOpenedIsTold) {
  const auto open = [&](const std::string& head, const std::string& base) {
    return pulls_->open({.repo = "flights", .head = head, .base = base}, alice_).error().message;
  };
  EXPECT_THAT(open("nowhere", ""), HasSubstr("has no branch \"nowhere\"; push it first"));
  EXPECT_THAT(open("main", "main"), HasSubstr("both are \"main\""));
  EXPECT_THAT(open("main", "better"), HasSubstr("\"main\" has nothing that \"better\" lacks"));
  PullsTest::open();
  EXPECT_THAT(open("better", ""), HasSubstr("pull request #1 is open for better already"));
}

TEST_F(PullsTest, APushToItsBranchSynchronizesAndOneToItsBaseOnlyMovesTheMergeCommit) {
  const auto pull = open();
  started();
  write("train.py", "three\n");
  ASSERT_TRUE(pulls_->branches_moved("flights", {push("better")}, alice_).has_value());
  EXPECT_THAT(started(), ElementsAre("pull_request synchronize"));
  shell("cd work && git checkout -q main");
  write("README.md", "text\n");
  ASSERT_TRUE(pulls_->branches_moved("flights", {push("main")}, bob_).has_value());
  EXPECT_THAT(started(), ElementsAre());
  EXPECT_EQ(shell("git --git-dir=flights.git show refs/pull/1/merge:README.md"), "text");
  EXPECT_NE(pulls_->find("flights", 1)->merge_sha, pull.merge_sha);
}

TEST_F(PullsTest, ConflictsAreNamedAndRunNothing) {
  open();
  started();
  shell("cd work && git checkout -q main");
  write("train.py", "other\n");
  ASSERT_TRUE(pulls_->branches_moved("flights", {push("main")}, bob_).has_value());
  const auto pull = pulls_->find("flights", 1).value();
  EXPECT_THAT(pull.conflicts, ElementsAre("train.py"));
  EXPECT_THAT(pulls_->merge("flights", 1, MergeMethod::kMerge, "", "", bob_).error().message,
              HasSubstr("it conflicts in train.py"));
}

TEST_F(PullsTest, BranchesWithoutCommonHistoryAreNotCompared) {
  shell("cd work && git checkout -q --orphan apart");
  push("apart");
  const auto refused = pulls_->open({.repo = "flights", .head = "apart"}, alice_);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::kFailedPrecondition);
  EXPECT_EQ(refused.error().message, "apart and main have no common history");
  shell("cd work && git checkout -q better");
  EXPECT_EQ(open().issue.number, 1) << "no number was used up";
  EXPECT_EQ(pulls_->change("flights", 1, {.base = "apart"}, alice_).error().message,
            "better and apart have no common history");
  // A branch whose history is exchanged later waits as one that conflicts, and hinders no push.
  started();
  shell("cd work && git checkout -q --orphan anew");
  write("train.py", "anew\n");
  push("anew");
  const auto before = shell("git --git-dir=flights.git rev-parse better");
  const auto after = shell("git --git-dir=flights.git rev-parse anew");
  shell("git --git-dir=flights.git update-ref refs/heads/better " + after);
  ASSERT_TRUE(pulls_->branches_moved("flights", {{"refs/heads/better", before, after}}, alice_).has_value());
  EXPECT_THAT(pulls_->merge("flights", 1, MergeMethod::kMerge, "", "", bob_).error().message,
              HasSubstr("it conflicts in everything, for the two have no common history"));
}

TEST_F(PullsTest, MergingNeedsWhatTheBranchAsksForAndPushesTheBase) {
  const auto pull = open();
  rule_ = {.checks = {"test"}, .reviews = 1};
  const auto reasons = [&] { return pulls_->mergeability(pulls_->find("flights", 1).value())->reasons; };
  EXPECT_THAT(reasons(), ElementsAre("it has 0 of 1 approvals of its newest commit", "the check \"test\" has not run"));
  EXPECT_FALSE(pulls_->review("flights", 1, ReviewState::kApproved, "", alice_).has_value()) << "an own one";
  ASSERT_TRUE(pulls_->review("flights", 1, ReviewState::kApproved, "", bob_).has_value());
  checks_ = {{"test", "failure"}};
  EXPECT_THAT(reasons(), ElementsAre("the check \"test\" is failure"));
  checks_ = {{"test", "success"}};
  EXPECT_THAT(reasons(), ElementsAre());
  started();
  const auto merged = pulls_->merge("flights", 1, MergeMethod::kMerge, "", pull.head_sha, bob_);
  ASSERT_TRUE(merged.has_value()) << merged.error().message;
  EXPECT_EQ(shell("git --git-dir=flights.git show main:train.py"), "two");
  EXPECT_EQ(shell("git --git-dir=flights.git log -1 --format=%s%n%an main"), "Merge pull request #1 from better\nbob");
  EXPECT_THAT(started(), ElementsAre("pull_request closed"));
  EXPECT_FALSE(pulls_->find("flights", 1)->issue.open);
  EXPECT_FALSE(pulls_->merge("flights", 1, MergeMethod::kMerge, "", "", bob_).has_value());
}

TEST_F(PullsTest, AnApprovalIsForTheCommitThatWasLookedAt) {
  open();
  rule_.reviews = 1;
  ASSERT_TRUE(pulls_->review("flights", 1, ReviewState::kApproved, "", bob_).has_value());
  write("train.py", "sneaky\n");
  ASSERT_TRUE(pulls_->branches_moved("flights", {push("better")}, alice_).has_value());
  EXPECT_FALSE(pulls_->mergeability(pulls_->find("flights", 1).value())->allowed);
}

TEST_F(PullsTest, WhatIsUnderReviewKnowsTheLastWordOfEachReviewerOnTheNewestCommit) {
  open();
  shell("cd work && git push -q origin better:other better:drafted");
  ASSERT_TRUE(pulls_->open({.repo = "flights", .head = "other"}, bob_).has_value());
  ASSERT_TRUE(pulls_->open({.repo = "flights", .head = "drafted", .draft = true}, bob_).has_value());
  const auto say = [&](ReviewState state) {
    ASSERT_TRUE(pulls_->review("flights", 1, state, "words", bob_).has_value());
  };
  say(ReviewState::kChangesRequested);
  say(ReviewState::kApproved);
  say(ReviewState::kCommented);
  auto all = pulls_->under_review("").value();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].number, 2);
  EXPECT_TRUE(all[0].verdicts.empty());
  EXPECT_EQ(all[1].author, "alice");
  EXPECT_EQ(all[1].base_ref, "refs/heads/main");
  EXPECT_THAT(all[1].verdicts, ElementsAre(testing::Pair("bob", ReviewState::kApproved)));
  EXPECT_EQ(pulls_->under_review("trains")->size(), 0U);
  write("train.py", "newer\n");
  ASSERT_TRUE(pulls_->branches_moved("flights", {push("better")}, alice_).has_value());
  EXPECT_TRUE(pulls_->under_review("flights")->at(1).verdicts.empty());
}

TEST_F(PullsTest, ASquashMakesOneCommit) {
  open();
  ASSERT_TRUE(pulls_->merge("flights", 1, MergeMethod::kSquash, "", "", bob_).has_value());
  EXPECT_EQ(shell("git --git-dir=flights.git log --format=%s main"), "Change better (#1)\nChange main");
}

TEST_F(PullsTest, ARebasePutsItsCommitsOntoTheBaseWithTheirAuthors) {
  shell(
      "cd work && printf '1\\n2\\n' > more.txt && git add -A && GIT_AUTHOR_DATE='2020-02-02T02:02:02 +0300' git commit "
      "-q "
      "--author 'Eve Ä <eve@example.com>' -m 'Second\n\nwith a body' && git push -q origin HEAD:better");
  open();
  shell("cd work && git checkout -q main");
  write("other.txt", "meanwhile\n");
  ASSERT_TRUE(pulls_->branches_moved("flights", {push("main")}, alice_).has_value());
  const auto merged = pulls_->merge("flights", 1, MergeMethod::kRebase, "", "", bob_);
  ASSERT_TRUE(merged.has_value()) << merged.error().message;
  EXPECT_EQ(shell("git --git-dir=flights.git log --format='%s|%an|%cn' main"),
            "Second|Eve Ä|bob\nChange better|alice|bob\nChange main|alice|alice\nChange main|alice|alice");
  EXPECT_EQ(shell("git --git-dir=flights.git log -1 --format='%ae %ad %B' --date=iso main"),
            "eve@example.com 2020-02-02 02:02:02 +0300 Second\n\nwith a body");
  EXPECT_EQ(shell("git --git-dir=flights.git show main:train.py main:other.txt main:more.txt"), "two\nmeanwhile\n1\n2");
  EXPECT_EQ(shell("git --git-dir=flights.git rev-parse main"), merged->merged_sha);
  shell("git --git-dir=flights.git fsck --strict --no-dangling");
}

TEST_F(PullsTest, ARebaseIsRefusedAtTheCommitThatConflicts) {
  // It comes and goes: merged as a whole nothing conflicts.
  write("shared.txt", "theirs\n");
  push("better");
  shell("cd work && git rm -q shared.txt");
  push("better");
  open();
  shell("cd work && git checkout -q main");
  write("shared.txt", "ours\n");
  const auto base = push("main").after;
  ASSERT_TRUE(pulls_->branches_moved("flights", {{"refs/heads/main", base, base}}, alice_).has_value());
  const auto refused = pulls_->merge("flights", 1, MergeMethod::kRebase, "", "", bob_);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::kFailedPrecondition);
  EXPECT_THAT(refused.error().message, HasSubstr("conflicts in shared.txt"));
  EXPECT_EQ(shell("git --git-dir=flights.git rev-parse main"), base);
  EXPECT_TRUE(pulls_->find("flights", 1)->issue.open);
}

TEST_F(PullsTest, ARebaseLeavesOutWhatIsThereAlready) {
  write("second.txt", "2\n");
  push("better");
  open();
  shell("cd work && git checkout -q main && git cherry-pick better~1 && git push -q origin main");
  const auto merged = pulls_->merge("flights", 1, MergeMethod::kRebase, "", "", bob_);
  ASSERT_TRUE(merged.has_value()) << merged.error().message;
  EXPECT_EQ(shell("git --git-dir=flights.git log --format=%s main"), "Change better\nChange better\nChange main");
  EXPECT_EQ(shell("git --git-dir=flights.git rev-list --count main"), "3");
}

TEST_F(PullsTest, ARebaseThatTheServerDidNotLiveToRecordIsFoundAtTheNextStart) {
  auto pull = open();
  shell("cd work && git checkout -q main");
  write("other.txt", "x\n");
  push("main");
  // As the server leaves it that dies after the branch has moved.
  const auto git = io::Git(root_ / "flights.git");
  const auto base = git.resolve("main").value();
  const auto rebased = git.rebase(base, pull.head_sha, {"bob", "bob@localhost", loop_.now()}).value();
  pull.merged_sha = rebased.commit;
  pull.merged_by = "bob";
  ASSERT_TRUE(db_->write([&](store::Transaction& tx) { return update_pull(tx, pull); }).has_value());
  EXPECT_FALSE(pulls_->find("flights", 1)->merged_at.has_value());
  ASSERT_TRUE(git.move_ref("refs/heads/main", base, rebased.commit).has_value());
  ASSERT_TRUE(pulls_->reconcile("flights").has_value());
  const auto found = pulls_->find("flights", 1).value();
  EXPECT_TRUE(found.merged_at.has_value());
  EXPECT_EQ(found.merged_by, "bob");
  EXPECT_EQ(found.merged_sha, rebased.commit);
}

TEST_F(PullsTest, AMergeThatTheServerDidNotLiveToRecordIsFoundAtTheNextStart) {
  open();
  started();
  shell("cd work && git push -q -f origin better:main");
  ASSERT_TRUE(pulls_->reconcile("flights").has_value());
  EXPECT_TRUE(pulls_->find("flights", 1)->merged_at.has_value());
  EXPECT_THAT(started(), ElementsAre("pull_request closed"));
  ASSERT_TRUE(pulls_->reconcile("flights").has_value());
  EXPECT_THAT(started(), ElementsAre());
}

TEST_F(PullsTest, OneWhoseBranchGoesIsClosed) {
  open();
  shell("git --git-dir=flights.git update-ref -d refs/heads/better");
  ASSERT_TRUE(
      pulls_->branches_moved("flights", {{"refs/heads/better", std::string(40, 'a'), std::string(40, '0')}}, alice_)
          .has_value());
  EXPECT_FALSE(pulls_->find("flights", 1)->issue.open);
}

// A change as the API brings it.
Pulls::Change labels(std::vector<std::string> names) {
  Pulls::Change change;
  change.issue.labels = std::move(names);
  return change;
}

TEST_F(PullsTest, ALabelThatComesOrGoesAndEachEditStartsWhatAsksForIt) {
  write(".github/workflows/ci.yml",
        "on: {pull_request: {types: [labeled, unlabeled, edited, ready_for_review, converted_to_draft]}}\n"
        "jobs: {a: {runs-on: ubuntu-latest, steps: [{run: 'true'}]}}\n");
  push("better");
  open();
  started();
  ASSERT_TRUE(pulls_->change("flights", 1, labels({"gpu", "slow"}), alice_).has_value());
  EXPECT_EQ(starter_.runs.back().event_payload.at("label").at("name"), "slow");
  EXPECT_THAT(started(), ElementsAre("pull_request labeled", "pull_request labeled"));
  ASSERT_TRUE(pulls_->change("flights", 1, labels({"slow", "fast"}), alice_).has_value());
  EXPECT_THAT(started(), ElementsAre("pull_request labeled", "pull_request unlabeled"));
  ASSERT_TRUE(pulls_->change("flights", 1, labels({"slow", "fast"}), alice_).has_value());
  EXPECT_THAT(started(), ElementsAre()) << "nothing changed";
  Pulls::Change change;
  change.draft = true;
  change.issue.title = "Better still";
  ASSERT_TRUE(pulls_->change("flights", 1, change, alice_).has_value());
  EXPECT_EQ(starter_.runs.front().event_payload.at("changes").at("title").at("from"), "Change better");
  EXPECT_THAT(started(), ElementsAre("pull_request edited", "pull_request converted_to_draft"));
}

TEST_F(PullsTest, AnEditOfAClosedOneLeavesWhenAndByWhomItWasClosed) {
  open();
  Pulls::Change change;
  change.issue.open = false;
  const auto closed = pulls_->change("flights", 1, change, alice_).value();
  loop_.advance(std::chrono::hours{1});
  change = {};
  change.issue.title = "Given up";
  const auto edited = pulls_->change("flights", 1, change, bob_).value();
  EXPECT_EQ(edited.issue.closed_at, closed.issue.closed_at);
  EXPECT_EQ(edited.issue.closed_by, "alice");
}

TEST_F(PullsTest, WhateverRunsTheCodeOfAForeignOneKnowsThatItIsForeign) {
  write(".github/workflows/ci.yml",
        "on: [pull_request, pull_request_review, pull_request_review_comment]\n"
        "jobs: {a: {runs-on: ubuntu-latest, steps: [{run: 'true'}]}}\n");
  push("better");
  const types::Identity eve{.name = "eve", .role = types::Role::kViewer};
  const auto pull = pulls_->open({.repo = "flights", .head = "better", .is_foreign = true}, eve).value();
  ASSERT_TRUE(pulls_->review("flights", 1, ReviewState::kApproved, "", bob_).has_value());
  Issues issues(*db_, *triggers_);
  ASSERT_TRUE(
      issues.comment({.repo = "flights", .subject = "issue/1", .body = "why?", .path = "train.py", .line = 1}, bob_)
          .has_value());
  ASSERT_EQ(starter_.runs.size(), 3U);
  for (const auto& run : starter_.runs) {
    EXPECT_TRUE(run.options.foreign) << run.event_name;
    EXPECT_EQ(run.commit, pull.merge_sha) << run.event_name;
    const auto& head = run.event_payload.at("pull_request").at("head").at("repo");
    EXPECT_EQ(head.at("full_name"), "eve/flights") << run.event_name;
    EXPECT_TRUE(head.at("fork").as_bool());
    EXPECT_FALSE(run.event_payload.at("pull_request").at("base").at("repo").at("fork").as_bool());
  }
}

TEST_F(PullsTest, OneIsOpenedAgainWhereItCouldBeOpened) {
  open();
  Pulls::Change close;
  close.issue.open = false;
  Pulls::Change reopen;
  reopen.issue.open = true;
  ASSERT_TRUE(pulls_->change("flights", 1, close, alice_).has_value());
  EXPECT_EQ(open().issue.number, 2);
  const auto second = pulls_->change("flights", 1, reopen, alice_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kAlreadyExists);
  EXPECT_EQ(second.error().message, "pull request #2 is open for better already");
  ASSERT_TRUE(pulls_->change("flights", 2, close, alice_).has_value());
  const auto head = shell("git --git-dir=flights.git rev-parse refs/heads/better");
  shell("git --git-dir=flights.git update-ref -d refs/heads/better");
  EXPECT_EQ(pulls_->change("flights", 1, reopen, alice_).error().message,
            "the branch \"better\" of pull request #1 is gone; push it again first");
  shell("git --git-dir=flights.git update-ref refs/heads/better " + head);
  EXPECT_TRUE(pulls_->change("flights", 1, reopen, alice_).has_value());
  Pulls::Change base;
  base.base = "nope";
  EXPECT_EQ(pulls_->change("flights", 1, base, alice_).error().message,
            "repository flights has no branch \"nope\"; push it first");
  EXPECT_EQ(pulls_->find("flights", 1)->base_ref, "refs/heads/main");
}

TEST_F(PullsTest, AChangeOfNothingIsNone) {
  const auto before = open();
  started();
  loop_.advance(std::chrono::hours{1});
  Pulls::Change same;
  same.issue.title = before.issue.title;
  same.issue.open = true;
  ASSERT_TRUE(pulls_->change("flights", 1, same, alice_).has_value());
  EXPECT_EQ(pulls_->find("flights", 1)->issue.updated_at, pulls_->find("flights", 1)->issue.created_at);
  EXPECT_TRUE(started().empty());
}

TEST_F(PullsTest, CommentsStartWorkflowsButThoseOfJobsDoNot) {
  open();
  started();
  shell("cd work && git checkout -q main");
  write(".github/workflows/chat.yml",
        "on: issue_comment\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: 'true'}]}}\n");
  push("main");
  Issues issues(*db_, *triggers_);
  const auto comment = issues.comment({.repo = "flights", .subject = "issue/1", .body = "/retest"}, bob_);
  ASSERT_TRUE(comment.has_value()) << comment.error().message;
  EXPECT_THAT(started(), ElementsAre("issue_comment created"));
  const types::Identity job{.name = "job:7", .role = types::Role::kDeveloper, .job_id = 7, .run_id = 3};
  ASSERT_TRUE(issues.comment({.repo = "flights", .subject = "issue/1", .body = "accuracy 0.9"}, job).has_value());
  EXPECT_THAT(started(), ElementsAre());
  EXPECT_EQ(issues.comments("flights", "issue/1", 0, 10)->size(), 2U);
  EXPECT_FALSE(issues.change_comment("flights", comment->id, "mine now", job).has_value());
  ASSERT_TRUE(issues.change_comment("flights", comment->id, "/retest gpu", bob_).has_value());
  EXPECT_EQ(starter_.runs.back().event_payload.at("changes").at("body").at("from"), "/retest");
  ASSERT_TRUE(issues.remove_comment("flights", comment->id, bob_).has_value());
  EXPECT_THAT(started(), ElementsAre("issue_comment edited", "issue_comment deleted"));
  EXPECT_EQ(issues.open("flights", "Drift", "text", {"drift"}, bob_)->number, 2);
  EXPECT_FALSE(issues.open("flights", " ", "", {}, bob_).has_value());
  EXPECT_EQ(issues.list("flights", {.is_pull = false, .label = "drift"})->size(), 1U);
}

TEST_F(PullsTest, IssuesStartWorkflowsByWhatHappensToThem) {
  write(".github/workflows/triage.yml", "on: issues\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: 'true'}]}}\n");
  shell("cd work && git checkout -q main");
  push("main");
  Issues issues(*db_, *triggers_);
  const auto issue = issues.open("flights", "Drift", "text", {"drift"}, bob_).value();
  EXPECT_THAT(started(), ElementsAre("issues opened", "issues labeled"));
  const auto change = [&](const IssueChange& wanted) {
    ASSERT_TRUE(issues.change("flights", issue.number, wanted, bob_).has_value());
  };
  change({.title = "Drift in March", .body = {}, .open = {}, .labels = std::vector<std::string>{}});
  EXPECT_THAT(started(), ElementsAre("issues unlabeled", "issues edited"));
  change({.title = {}, .body = {}, .open = false, .labels = {}});
  EXPECT_EQ(issues.find("flights", issue.number)->closed_by, "bob");
  change({.title = {}, .body = {}, .open = true, .labels = {}});
  EXPECT_THAT(started(), ElementsAre("issues closed", "issues reopened"));
}

}  // namespace
}  // namespace weir::forge
