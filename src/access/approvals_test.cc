#include "access/approvals.h"

#include "access/test_world.h"

namespace weir::access {
namespace {

using types::Identity;
using types::Role;

const Identity kAlice = person("alice", Role::kApprover);
const Identity kBob = person("bob", Role::kApprover);
const Identity kCarol = person("carol", Role::kApprover);
const Identity kDan = person("dan", Role::kDeveloper);
const Identity kRoot = person("root", Role::kAdmin);

class Approvals : public testing::Test {
 protected:
  void SetUp() override {
    production({.name = "production", .reviewers = {"alice", "bob"}});
    ASSERT_TRUE(world.open());
  }

  void production(config::Environment environment) {
    auto config = std::make_shared<config::Config>();
    config->environments = {std::move(environment)};
    world.config = config;
  }

  Result<Approval> ask(std::string requested_by = "dan", std::string environment = "production", std::string ref = "",
                       std::int64_t cause = 0) {
    return world.db().write_with<Approval>([&](store::Transaction& tx) {
      return world.access().request_approval(tx, {.environment = environment,
                                                  .subject = "endpoint/flights@production",
                                                  .summary = "flight-delay version 3",
                                                  .requested_by = requested_by,
                                                  .ref = ref,
                                                  .cause = cause,
                                                  .run_id = 7,
                                                  .job_id = 42});
    });
  }

  std::optional<TimePoint> settle() {
    return world.db()
        .write_with<std::optional<TimePoint>>([&](store::Transaction& tx) { return world.access().settle(tx); })
        .value();
  }

  TestWorld world;
};

TEST_F(Approvals, AnEnvironmentWithoutReviewersIsEnteredAtOnce) {
  const auto approval = ask("dan", "staging");
  ASSERT_TRUE(approval) << approval.error().message;
  EXPECT_EQ(approval->state, ApprovalState::kGranted);
  const auto events = world.events();
  const auto& granted = events.back();
  EXPECT_EQ(granted.type, "approval.granted");
  EXPECT_EQ(granted.actor, "weir");
  EXPECT_EQ(granted.cause, events[events.size() - 2].sequence);
  EXPECT_EQ(approval->event, granted.sequence);
}

TEST_F(Approvals, AReviewerGrantsWhatWaits) {
  const auto approval = ask("dan", "production", "", 1);
  ASSERT_TRUE(approval) << approval.error().message;
  EXPECT_EQ(approval->state, ApprovalState::kPending);
  ASSERT_EQ(world.access().pending()->size(), 1U);

  const auto granted = world.access().grant(approval->id, kAlice, "looks good");
  ASSERT_TRUE(granted) << granted.error().message;
  EXPECT_EQ(granted->state, ApprovalState::kGranted);
  EXPECT_EQ(granted->reviewed_by, "alice");
  EXPECT_FALSE(granted->bypassed);
  EXPECT_TRUE(world.access().pending()->empty());

  const auto events = world.events();
  const auto& requested = events[events.size() - 2];
  EXPECT_EQ(requested.type, "approval.requested");
  EXPECT_EQ(requested.cause, 1);
  EXPECT_EQ(requested.actor, "dan");
  EXPECT_EQ(events.back().cause, requested.sequence);
  EXPECT_EQ(
      json::serialize(events.back().payload),
      R"({"environment":"production","subject":"endpoint/flights@production","summary":"flight-delay version 3",)"
      R"("requested_by":"dan","reviewers":["alice","bob"],"run":7,"job":42,"by":"alice","comment":"looks good"})");
}

TEST_F(Approvals, WhomTheConfigurationNamesDecidesWithAnyRoleAndNobodyElse) {
  const auto approval = ask();
  const auto carol = world.access().grant(approval->id, kCarol, "");
  ASSERT_FALSE(carol);
  EXPECT_EQ(carol.error().code, Code::kPermissionDenied);
  EXPECT_EQ(carol.error().message, "carol is not a reviewer of production: alice or bob may decide approval 1");
  EXPECT_FALSE(world.access().grant(approval->id, {}, ""));
  EXPECT_FALSE(world.access().grant(approval->id, {.name = "alice", .role = Role::kApprover, .job_id = 42}, ""));
  EXPECT_FALSE(world.access().reject(approval->id, kCarol, ""));
  EXPECT_EQ(world.access().approval(approval->id)->state, ApprovalState::kPending);
  for (const auto role : {Role::kViewer, Role::kDeveloper}) {
    EXPECT_FALSE(world.access().grant(approval->id, person("carol", role), ""));
    const auto granted = world.access().grant(ask()->id, person("alice", role), "");
    ASSERT_TRUE(granted) << granted.error().message;
    EXPECT_EQ(granted->state, ApprovalState::kGranted);
    EXPECT_FALSE(granted->bypassed);
  }
}

TEST_F(Approvals, WhoAskedMayNotAgreeUnlessTheEnvironmentSaysSo) {
  const auto own = ask("alice");
  const auto refused = world.access().grant(own->id, kAlice, "");
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("production does not allow self-review"), std::string::npos);
  EXPECT_TRUE(world.access().grant(own->id, kBob, ""));

  production({.name = "production", .reviewers = {"alice"}, .self_review = true});
  const auto allowed = ask("alice");
  EXPECT_TRUE(world.access().grant(allowed->id, kAlice, ""));
  production({.name = "production", .reviewers = {"alice"}});
  const auto withdrawn = ask("alice");
  EXPECT_EQ(world.access().reject(withdrawn->id, kAlice, "changed my mind")->state, ApprovalState::kRejected);
}

TEST_F(Approvals, AnAdminPassesTheRulesByAndThatIsRecorded) {
  const auto approval = ask("root");
  const auto granted = world.access().grant(approval->id, kRoot, "");
  ASSERT_TRUE(granted) << granted.error().message;
  EXPECT_TRUE(granted->bypassed);
  EXPECT_TRUE(json_bool_or(world.events().back().payload, "bypassed", false));

  production({.name = "production", .reviewers = {"root"}});
  EXPECT_FALSE(world.access().grant(ask("dan")->id, kRoot, "")->bypassed);
}

TEST_F(Approvals, ARejectionNeedsNoReasonButKeepsOne) {
  const auto first = ask();
  EXPECT_EQ(world.access().reject(first->id, kAlice, "")->comment, "");
  const auto second = ask();
  const auto rejected = world.access().reject(second->id, kAlice, "the data is old");
  EXPECT_EQ(rejected->state, ApprovalState::kRejected);
  EXPECT_EQ(json_string_or(world.events().back().payload, "comment", ""), "the data is old");
  EXPECT_EQ(world.events().back().type, "approval.rejected");
}

TEST_F(Approvals, ADecisionIsTakenOnce) {
  const auto approval = ask();
  ASSERT_TRUE(world.access().grant(approval->id, kAlice, ""));
  for (const auto& again :
       {world.access().grant(approval->id, kBob, ""), world.access().reject(approval->id, kBob, "")}) {
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, Code::kFailedPrecondition);
    EXPECT_NE(again.error().message.find("was granted already by alice"), std::string::npos);
  }
  EXPECT_EQ(world.access().grant(99, kAlice, "").error().code, Code::kNotFound);
}

TEST_F(Approvals, AWaitTimerHoldsAReviewedApprovalBack) {
  production({.name = "production", .reviewers = {"alice"}, .wait = std::chrono::minutes{10}});
  const auto approval = ask();
  const auto agreed = world.access().grant(approval->id, kAlice, "go");
  ASSERT_TRUE(agreed) << agreed.error().message;
  EXPECT_EQ(agreed->state, ApprovalState::kPending);
  EXPECT_EQ(agreed->reviewed_by, "alice");
  EXPECT_FALSE(world.access().grant(approval->id, kAlice, "again"));
  EXPECT_EQ(settle(), world.loop.now() + std::chrono::minutes{10});

  world.loop.advance(std::chrono::minutes{10});
  EXPECT_EQ(settle(), std::nullopt);
  EXPECT_EQ(world.access().approval(approval->id)->state, ApprovalState::kGranted);
  EXPECT_EQ(world.events().back().actor, "alice");
}

TEST_F(Approvals, AWaitWithoutReviewersEndsByItselfOrByAnAdmin) {
  production({.name = "production", .wait = std::chrono::minutes{10}});
  const auto first = ask();
  const auto second = ask();
  EXPECT_EQ(first->state, ApprovalState::kPending);
  EXPECT_FALSE(world.access().grant(first->id, kAlice, ""));
  EXPECT_EQ(world.access().grant(first->id, kRoot, "")->state, ApprovalState::kGranted);
  world.loop.advance(std::chrono::minutes{10});
  settle();
  EXPECT_EQ(world.access().approval(second->id)->state, ApprovalState::kGranted);
}

TEST_F(Approvals, WhatNobodyDecidesExpiresAfterThirtyDays) {
  const auto approval = ask();
  EXPECT_EQ(settle(), world.loop.now() + std::chrono::days{30});
  world.loop.advance(std::chrono::days{30});
  EXPECT_EQ(settle(), std::nullopt);
  EXPECT_EQ(world.access().approval(approval->id)->state, ApprovalState::kExpired);
  EXPECT_EQ(world.events().back().type, "approval.expired");
}

TEST_F(Approvals, AnEnvironmentSaysHowLongItsReviewersHave) {
  production({.name = "production", .reviewers = {"alice"}, .expires = std::chrono::days{7}});
  const auto approval = ask();
  const auto asked_at = world.loop.now();
  // What the environment says later is for later requests.
  production({.name = "production", .reviewers = {"alice"}, .expires = std::chrono::days{1}});
  EXPECT_EQ(settle(), asked_at + std::chrono::days{7});
  world.loop.advance(std::chrono::days{7} - std::chrono::seconds{1});
  settle();
  EXPECT_EQ(world.access().approval(approval->id)->state, ApprovalState::kPending);
  world.loop.advance(std::chrono::seconds{1});
  EXPECT_EQ(settle(), std::nullopt);
  EXPECT_EQ(world.access().approval(approval->id)->state, ApprovalState::kExpired);
  EXPECT_EQ(json_string_or(world.events().back().payload, "reason", ""), "nobody decided within 7d 0h");
}

TEST_F(Approvals, AnExpiryBeforeTheEndOfTheWaitIsNotMissed) {
  production(
      {.name = "production", .reviewers = {"alice"}, .wait = std::chrono::days{9}, .expires = std::chrono::days{7}});
  const auto late = ask();
  const auto reviewed = ask();
  ASSERT_TRUE(world.access().grant(reviewed->id, kAlice, ""));
  EXPECT_EQ(settle(), world.loop.now() + std::chrono::days{7});
  world.loop.advance(std::chrono::days{7});
  settle();
  EXPECT_EQ(world.access().approval(late->id)->state, ApprovalState::kExpired);
  EXPECT_EQ(world.access().approval(reviewed->id)->state, ApprovalState::kPending) << "it only waits for its time";
}

TEST_F(Approvals, ALinkDecidesOnceAsItsReviewer) {
  const auto approval = ask();
  const std::string link = world.access().approval_link(*approval, "alice").value();
  const auto read = world.access().read_link(link);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->reviewer, "alice");
  EXPECT_EQ(read->approval.id, approval->id);
  EXPECT_EQ(world.access().approval(approval->id)->state, ApprovalState::kPending) << "reading decides nothing";

  const auto granted = world.access().decide_by_link(link, true, "on my way");
  ASSERT_TRUE(granted) << granted.error().message;
  EXPECT_EQ(granted->state, ApprovalState::kGranted);
  EXPECT_EQ(granted->reviewed_by, "alice");
  EXPECT_FALSE(granted->bypassed);
  EXPECT_EQ(json_string_or(world.events().back().payload, "via", ""), "link");
  EXPECT_EQ(world.events().back().actor, "alice");
  EXPECT_EQ(world.access().read_link(link).error().code, Code::kFailedPrecondition);
  EXPECT_FALSE(world.access().decide_by_link(link, false, ""));
  for (const auto& event : world.events()) {
    EXPECT_EQ(json::serialize(event.payload).find(link.substr(link.rfind('.') + 1)), std::string::npos);
  }
}

TEST_F(Approvals, ALinkIsForOneReviewerAndOneApproval) {
  const auto first = ask();
  const auto second = ask("alice");
  const std::string link = world.access().approval_link(*first, "alice").value();
  const std::string signature = link.substr(link.rfind('.'));
  std::string changed = link;
  changed[0] = '2';
  EXPECT_EQ(world.access().read_link(changed).error().code, Code::kPermissionDenied);
  const std::string bobs = world.access().approval_link(*first, "bob").value();
  EXPECT_FALSE(world.access().read_link(bobs.substr(0, bobs.rfind('.')) + signature));
  for (const std::string_view odd : {"", ".", "1", "1.2.3.4", "...", "1..x."}) {
    EXPECT_EQ(world.access().read_link(odd).error().code, Code::kPermissionDenied) << odd;
  }
  EXPECT_FALSE(world.access().approval_link(*first, "carol"));
  // Nobody reviews themselves by a link either.
  const auto own = world.access().approval_link(*second, "alice");
  ASSERT_FALSE(own);
  EXPECT_EQ(own.error().message, "alice asked for approval 2: production does not allow self-review");
}

TEST_F(Approvals, ALinkEndsWithItsApprovalAndWithItsReviewersOffice) {
  const auto approval = ask();
  const std::string link = world.access().approval_link(*approval, "alice").value();
  production({.name = "production", .reviewers = {"bob"}});
  EXPECT_EQ(world.access().decide_by_link(link, true, "").error().code, Code::kFailedPrecondition);
  production({.name = "production", .reviewers = {"alice", "bob"}});
  ASSERT_TRUE(world.reopen());
  EXPECT_TRUE(world.access().read_link(link)) << "also after a restart";
  world.loop.advance(std::chrono::days{30});
  EXPECT_EQ(world.access().decide_by_link(link, true, "").error().code, Code::kFailedPrecondition);
}

TEST_F(Approvals, AUsedLinkDoesNotRejectWhatItGrantedWhileItWaits) {
  production({.name = "production", .reviewers = {"alice"}, .wait = std::chrono::minutes{10}});
  const auto approval = ask();
  const std::string link = world.access().approval_link(*approval, "alice").value();
  EXPECT_EQ(world.access().decide_by_link(link, true, "")->state, ApprovalState::kPending);
  EXPECT_FALSE(world.access().decide_by_link(link, false, ""));
}

TEST_F(Approvals, ASubjectThatWentAwayClosesItsApproval) {
  const auto approval = ask();
  const auto expire = [&] {
    return world.db().write(
        [&](store::Transaction& tx) { return world.access().expire(tx, approval->id, "run 7 was cancelled", 3); });
  };
  ASSERT_TRUE(expire());
  ASSERT_TRUE(expire());  // decided already: fine
  EXPECT_EQ(world.access().approval(approval->id)->state, ApprovalState::kExpired);
  EXPECT_EQ(json_string_or(world.events().back().payload, "reason", ""), "run 7 was cancelled");
  EXPECT_EQ(world.events().back().cause, 3);
  EXPECT_FALSE(world.access().grant(approval->id, kAlice, ""));
}

TEST_F(Approvals, OnlyTheEnvironmentsBranchesEnter) {
  production({.name = "production", .branches = {"main", "release/*"}});
  EXPECT_TRUE(ask("dan", "production", "refs/heads/main"));
  EXPECT_TRUE(ask("dan", "production", "refs/heads/release/2"));
  EXPECT_TRUE(ask("dan", "production", ""));
  for (const char* ref : {"refs/heads/feature", "refs/tags/main", "refs/heads/release/2/x"}) {
    const auto refused = ask("dan", "production", ref);
    ASSERT_FALSE(refused) << ref;
    EXPECT_EQ(refused.error().code, Code::kFailedPrecondition);
    EXPECT_NE(refused.error().message.find("takes branch main or release/* only"), std::string::npos);
  }
}

TEST_F(Approvals, SurviveARestartAndAreFoundBySubjectAndState) {
  const auto approval = ask();
  ASSERT_TRUE(world.reopen());
  const auto found =
      world.access().approvals({.state = ApprovalState::kPending, .subject = "endpoint/flights@production"});
  ASSERT_EQ(found->size(), 1U);
  EXPECT_EQ(json::serialize(to_json(found->front())), json::serialize(to_json(*approval)));
  EXPECT_TRUE(world.access().approvals({.subject = "job/42"})->empty());
  EXPECT_EQ(found->front().run_id, 7);
}

TEST(BranchPattern, StarsStopAtSlashesAndDoubleStarsDoNot) {
  EXPECT_TRUE(branch_matches("main", "main"));
  EXPECT_TRUE(branch_matches("release/1", "release/*"));
  EXPECT_FALSE(branch_matches("release/1/x", "release/*"));
  EXPECT_TRUE(branch_matches("release/1/x", "release/**"));
  EXPECT_TRUE(branch_matches("v12", "v1?"));
  EXPECT_FALSE(branch_matches("main2", "main"));
  EXPECT_TRUE(branch_matches("a/b/c-end", "**-end"));
  EXPECT_FALSE(branch_matches("", "?"));
  EXPECT_TRUE(branch_matches("", "*"));
}

}  // namespace
}  // namespace weir::access
