#include "forge/standing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "forge/pulls.h"
#include "forge/test_world.h"

namespace weir::forge {
namespace {

using types::Role;

// Issue #1 of viewer vic's in "flights", and workflows that listen to comments and pull requests.
class StandingTest : public testing::Test, protected TestWorld {
 protected:
  StandingTest() {
    make_repository();
    auto deps = pull_deps();
    deps.standing = &standing_;
    pulls_ = std::make_unique<Pulls>(std::move(deps));
    write(".github/workflows/c.yml",
          "on: [issues, issue_comment, pull_request, pull_request_review]\n"
          "jobs: {a: {runs-on: ubuntu-latest, steps: [{run: 'true'}]}}\n");
    push();
    tokens_ = {
        {"vic", {Role::kViewer}}, {"dev", {Role::kDeveloper}}, {"ann", {Role::kApprover}}, {"root", {Role::kAdmin}}};
    EXPECT_TRUE(issues_.open("flights", "Drift", "", {}, who("vic")));
    starter_.runs.clear();
  }

  types::Identity who(const std::string& name) { return {.name = name, .role = tokens_.at(name).front()}; }
  Comment say(const types::Identity& identity) {
    return issues_.comment({.repo = "flights", .subject = "issue/1", .body = "/deploy"}, identity).value();
  }
  // Of the newest payload's member.
  std::string told(std::string_view member) {
    EXPECT_FALSE(starter_.runs.empty());
    const auto payload = std::exchange(starter_.runs, {}).back().event_payload;
    return std::string(payload.at(member).at("author_association").as_string());
  }
  std::string now(const Comment& comment) {
    return std::string(to_json(comment, &standing_).at("author_association").as_string());
  }
  void make_pull(const std::string& branch, const types::Identity& identity) {
    shell("cd work && git checkout -q -b " + branch + " main");
    write(branch + ".py", "two\n");
    push("refs/heads/" + branch);
    EXPECT_TRUE(pulls_->open({.repo = "flights", .head = branch, .is_foreign = true}, identity));
  }

  std::map<std::string, std::vector<Role>> tokens_;
  Standing standing_{*db_, [this](const std::string& name) -> Result<std::vector<Role>> { return tokens_[name]; }};
  Issues issues_{*db_, *triggers_, &standing_};
  std::unique_ptr<Pulls> pulls_;
};

TEST_F(StandingTest, SaysWhoMayWriteWhatGithubsNamesStandFor) {
  for (const auto& [name, association] : {std::pair{"root", "OWNER"}, std::pair{"ann", "MEMBER"},
                                          std::pair{"dev", "COLLABORATOR"}, std::pair{"vic", "NONE"}}) {
    say(who(name));
    EXPECT_EQ(told("comment"), association) << name;
  }
  say(who("root"));
  EXPECT_EQ(told("issue"), "NONE") << "the comment's author did not open the issue";
}

TEST_F(StandingTest, NeverSaysMoreThanTheAuthorCouldDoWhenWriting) {
  tokens_["vic"] = {Role::kViewer, Role::kDeveloper};
  const auto comment = say(who("vic"));
  EXPECT_EQ(told("comment"), "NONE") << "it came with the token that may not write";
  tokens_["vic"] = {Role::kAdmin};
  EXPECT_EQ(now(comment), "NONE") << "what somebody said before they might write, stays what it was";
}

TEST_F(StandingTest, NeverSaysMoreThanTheAuthorMayDoNow) {
  const auto comment = say(who("root"));
  tokens_["root"] = {Role::kDeveloper};
  EXPECT_EQ(now(comment), "COLLABORATOR");
  tokens_.erase("root");
  EXPECT_EQ(now(comment), "NONE");
}

TEST_F(StandingTest, OfWhatIsOlderTheLeastOfTheTokensOfANameCounts) {
  Comment old{.repo = "flights", .author = "dev"};
  EXPECT_EQ(now(old), "COLLABORATOR");
  tokens_["dev"].push_back(Role::kViewer);
  EXPECT_EQ(now(old), "NONE");
}

TEST_F(StandingTest, JobsAndThoseWithoutATokenAreNobody) {
  tokens_["job:7"] = {Role::kAdmin};
  const auto job = say({.name = "job:7", .role = Role::kDeveloper, .job_id = 7, .run_id = 3});
  EXPECT_EQ(now(job), "NONE");
  EXPECT_EQ(now(say({.name = "anonymous"})), "NONE");
  starter_.runs.clear();
  make_pull("by-job", {.name = "job:8", .role = Role::kDeveloper, .job_id = 8, .run_id = 3});
  EXPECT_EQ(to_json(pulls_->find("flights", 2).value(), &standing_).at("author_association"), "NONE");
}

TEST_F(StandingTest, WhoMayNotWriteBecomesAContributorByAMergedPullRequest) {
  make_pull("first", who("vic"));
  EXPECT_EQ(told("pull_request"), "FIRST_TIME_CONTRIBUTOR");
  const auto comment = say(who("vic"));
  EXPECT_EQ(now(comment), "NONE");
  ASSERT_TRUE(pulls_->merge("flights", 2, MergeMethod::kMerge, "", "", who("root")).has_value());
  starter_.runs.clear();
  EXPECT_EQ(now(comment), "CONTRIBUTOR");
  make_pull("second", who("vic"));
  EXPECT_EQ(told("pull_request"), "CONTRIBUTOR");
  ASSERT_TRUE(pulls_->review("flights", 3, ReviewState::kCommented, "words", who("vic")).has_value());
  EXPECT_EQ(told("review"), "CONTRIBUTOR");
}

}  // namespace
}  // namespace weir::forge
