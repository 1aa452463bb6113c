#include "insight/why.h"

#include <gmock/gmock.h>

#include "insight/test_story.h"

namespace weir::insight {
namespace {

using testing::HasSubstr;

using WhyTest = Story;

TEST_F(WhyTest, TellsTheWholeChainFromSwitchToCommit) {
  deploy(1, 0, train(1));
  const auto why = ask("flights@production");
  ASSERT_TRUE(why) << why.error().message;
  EXPECT_EQ(
      to_text(*why, loop.now()),
      "flights@production serves version 1 of flight-delay since 2026-01-01T00:11:00Z, approved by alice, made from "
      "commit bbbbbbbb by Dan\n"
      "\n"
      "2026-01-01 00:11:00Z  flight-delay version 1 went live · weir  (1m 0s ago)\n"
      "2026-01-01 00:10:00Z  ├── approved by alice: good  (2m 0s ago)\n"
      "                      │   │   environment: production\n"
      "2026-01-01 00:09:00Z  │   └── dan asked for it: flight-delay version 1  (3m 0s ago)\n"
      "2026-01-01 00:07:00Z  ├── alias champion was set to version 1 · job:1  (5m 0s ago)\n"
      "2026-01-01 00:05:00Z  ├── the gate passed (a first release) · job:1  (7m 0s ago)\n"
      "                      │       auc >= 0.65: 0.71 holds\n"
      "2026-01-01 00:06:00Z  └── flight-delay version 1 was registered · job:1  (6m 0s ago)\n"
      "2026-01-01 00:04:00Z      └── experiment run 11111111 train  (8m 0s ago)\n"
      "                              │   auc: 0.71\n"
      "                              │   eval data: april d0d0\n"
      "2026-01-01 00:02:00Z          └── workflow run 1 of ML Pipeline · dan  (10m 0s ago)\n"
      "                                  │   reason: push to main by dan\n"
      "                                  │   event: push\n"
      "2026-01-01 00:01:00Z              └── push of bbbbbbbb to main of flights · dan  (11m 0s ago)\n"
      "2026-01-01 00:00:00Z                  └── commit bbbbbbbb: Change 1 · Dan  (12m 0s ago)\n");
}

TEST_F(WhyTest, ProductionIsMeantWhereAnEndpointStandsAlone) {
  deploy(1, 0, train(1));
  EXPECT_EQ(ask("flights")->subject, "flights@production");
  EXPECT_EQ(ask("endpoint/flights@production")->subject, "flights@production");
  EXPECT_EQ(ask("flights@staging").error().code, Code::kNotFound);
}

TEST_F(WhyTest, JsonHasTheSameTree) {
  deploy(1, 0, train(1));
  const auto object = to_json(*ask("flights@production"));
  const auto& chain = object.at("chain");
  EXPECT_EQ(chain.at("kind"), "switched");
  std::vector<std::string> kinds;
  for (const auto& cause : chain.at("causes").as_array()) kinds.emplace_back(cause.at("kind").as_string());
  EXPECT_THAT(kinds, testing::ElementsAre("approval", "alias", "gate", "version"));
  EXPECT_EQ(chain.at("causes").at(3).at("causes").at(0).at("details").at("auc"), "0.71");
}

TEST_F(WhyTest, TheGateIsThatOfThisVersionNotTheNewest) {
  const auto job = train(1);
  train(2, "flight-delay", false);
  deploy(1, 0, job);
  const auto text = to_text(*ask("flights"), loop.now());
  EXPECT_THAT(text, HasSubstr("the gate passed"));
  EXPECT_THAT(text, testing::Not(HasSubstr("refused")));
}

TEST_F(WhyTest, ARetrainingGoesBackToTheDriftThatAskedForIt) {
  const auto drift =
      tell("drift.detected", "weir", "endpoint/flights", {{"columns", {"temp", "wind"}}, {"value", 0.42}});
  const auto retrain = tell("retrain.triggered", "weir", "model/flight-delay",
                            {{"reasons", {"drift 0.42 > 0.3"}}, {"data_until", "2013-07-31"}}, drift);
  const auto run =
      tell("run.created", "weir", "run/9",
           {{"workflow", "ML Pipeline"}, {"repo", "flights"}, {"event", "workflow_dispatch"}, {"commit", ""}}, retrain);
  tell("version.created", "job:9", "model/flight-delay/4",
       {{"model", "flight-delay"}, {"version", 4}, {"run_id", ""}, {"workflow_run", 9}}, run);
  tell("rollout.switched", "weir", "endpoint/flights@production", {{"model", "flight-delay"}, {"version", "4"}});
  const auto text = to_text(*ask("flights"), loop.now());
  EXPECT_THAT(text, HasSubstr("retraining was triggered: drift 0.42 > 0.3"));
  EXPECT_THAT(text, HasSubstr("data until: 2013-07-31"));
  EXPECT_THAT(text, HasSubstr("columns: temp, wind"));
  EXPECT_THAT(text, HasSubstr("score: 0.42"));
}

TEST_F(WhyTest, AfterARollbackItTellsWhyAndTheStoryOfTheOldVersion) {
  deploy(1, 0, train(1));
  deploy(2, 1, train(2));
  const auto alert = tell("alert.fired", "weir", "endpoint/flights",
                          {{"alert", "latency_p95 > 100ms for 5m"}, {"value", 130.0}, {"severity", "page"}});
  tell("rollout.rolled_back", "alice", "endpoint/flights@production",
       {{"model", "flight-delay"}, {"version", 1}, {"previous", 2}, {"reason", "too slow"}}, alert);
  const auto why = ask("flights@production");
  EXPECT_THAT(why->answer, HasSubstr("serves version 1 of flight-delay"));
  EXPECT_THAT(why->answer, HasSubstr("after a rollback"));
  const auto text = to_text(*why, loop.now());
  EXPECT_THAT(text, HasSubstr("version 1 came back (before: version 2) · alice"));
  EXPECT_THAT(text, HasSubstr("reason: too slow"));
  EXPECT_THAT(text, HasSubstr("alert: latency_p95 > 100ms for 5m"));
  EXPECT_THAT(text, HasSubstr("commit bbbbbbbb: Change 1"));
  EXPECT_THAT(text, testing::Not(HasSubstr("cccccccc")));
}

TEST_F(WhyTest, AnApprovalThatAJobHeldIsFoundByTheJob) {
  const auto job = train(1);
  const auto asked = tell("approval.requested", "dan", "approval/5", {{"environment", "production"}, {"job", 1}}, job);
  tell("approval.granted", "bob", "approval/5", {{"by", "bob"}, {"bypassed", true}, {"job", 1}}, asked);
  const auto alias = tell("alias.set", "job:1", "model/flight-delay", {{"alias", "champion"}, {"version", 1}}, job);
  tell("rollout.switched", "weir", "endpoint/flights@production", {{"model", "flight-delay"}, {"version", 1}}, alias);
  EXPECT_THAT(to_text(*ask("flights"), loop.now()), HasSubstr("approved by bob (as an admin, past the reviewers)"));
  EXPECT_THAT(ask("flights")->answer, HasSubstr(", approved by bob,"));
}

TEST_F(WhyTest, VersionsRunsAndEventsHaveTheirOwnStories) {
  const auto job = train(1);
  EXPECT_THAT(to_text(*ask("flight-delay/1"), loop.now()), HasSubstr("the gate passed"));
  EXPECT_THAT(to_text(*ask("run/1"), loop.now()), HasSubstr("push of bbbbbbbb"));
  const auto event = ask(fmt::format("#{}", job));
  EXPECT_EQ(event->root.kind, "job.started");
  EXPECT_EQ(event->answer, fmt::format("event {} goes back to repo.pushed repo/flights", job));
  for (const char* unknown : {"flight-delay/9", "run/9", "#999", "nothing", "model/x/y"}) {
    EXPECT_EQ(ask(unknown).error().code, Code::kNotFound) << unknown;
  }
  EXPECT_EQ(ask("").error().code, Code::kInvalidArgument);
}

TEST_F(WhyTest, WhatIsNotKnownIsLeftOut) {
  tell("rollout.switched", "root", "endpoint/flights@production",
       {{"model", "flight-delay"}, {"version", 7}, {"previous", 0}});
  const auto text = to_text(*ask("flights"), loop.now());
  EXPECT_THAT(text, HasSubstr("flight-delay version 7, of which the log has no beginning"));
  EXPECT_THAT(text, testing::Not(HasSubstr("before")));
  sources = {};
  train(1);
  EXPECT_TRUE(ask("flight-delay/1"));
}

}  // namespace
}  // namespace weir::insight
