#include "forge/deployments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "forge/job_deployments.h"
#include "forge/test_world.h"

namespace weir::forge {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// A repository "flights" whose workflow answers to deployments.
class DeploymentsTest : public testing::Test, protected TestWorld {
 protected:
  DeploymentsTest() {
    make_repository();
    write(".github/workflows/d.yml",
          "on: [deployment, deployment_status]\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: 'true'}]}}\n");
    commit_ = push().after;
    deployments_ = std::make_unique<Deployments>(*db_, *triggers_, loop_);
  }

  Deployment of(std::string environment, bool production = false) {
    return {.repo = "flights",
            .commit = commit_,
            .ref = "main",
            .full_ref = "refs/heads/main",
            .environment = std::move(environment),
            .production = production};
  }
  Result<DeploymentStatus> say(std::int64_t deployment, std::string state, bool auto_inactive = true) {
    return deployments_->add_status("flights", {.deployment = deployment, .state = std::move(state)}, auto_inactive,
                                    alice_);
  }
  std::vector<std::string> states(std::int64_t deployment) {
    std::vector<std::string> all;
    for (const auto& status : deployments_->statuses("flights", deployment).value()) all.push_back(status.state);
    return all;
  }
  // "deployment_status success refs/heads/main" of each run since the last call.
  std::vector<std::string> started() {
    std::vector<std::string> all;
    for (const auto& run : std::exchange(starter_.runs, {})) {
      const auto* status = run.event_payload.if_contains("deployment_status");
      all.push_back(
          fmt::format("{} {} {}", run.event_name, status ? json_string_or(*status, "state", "") : "", run.ref));
    }
    return all;
  }

  std::string commit_;
  std::unique_ptr<Deployments> deployments_;
  types::Identity alice_{.name = "alice", .role = types::Role::kDeveloper};
  types::Identity job_{.name = "job:7", .role = types::Role::kDeveloper, .job_id = 7, .run_id = 3};
};

TEST_F(DeploymentsTest, ADeploymentAndItsStatusesStartWorkflowsAtWhatIsDeployed) {
  const auto made = deployments_->create(of("staging"), alice_).value();
  EXPECT_THAT(started(), ElementsAre("deployment  refs/heads/main"));
  ASSERT_TRUE(say(made.id, "in_progress"));
  ASSERT_TRUE(say(made.id, "success"));
  ASSERT_TRUE(say(made.id, "inactive"));
  EXPECT_THAT(started(),
              ElementsAre("deployment_status in_progress refs/heads/main", "deployment_status success refs/heads/main"))
      << "inactive starts nothing";
  EXPECT_THAT(states(made.id), ElementsAre("inactive", "success", "in_progress"));
  EXPECT_TRUE(deployments_->create(of("staging"), job_));
  EXPECT_THAT(started(), IsEmpty()) << "what a job does starts nothing";
}

TEST_F(DeploymentsTest, ASuccessEndsWhatWasLiveInItsEnvironment) {
  const auto deploy = [&](std::string environment, bool production = false) {
    const auto id = deployments_->create(of(std::move(environment), production), alice_)->id;
    EXPECT_TRUE(say(id, "success"));
    return id;
  };
  const auto first = deploy("staging");
  const auto failed = deployments_->create(of("staging"), alice_)->id;
  ASSERT_TRUE(say(failed, "failure"));
  const auto other = deploy("qa");
  const auto live = deploy("production", true);
  deploy("production", true);
  deploy("staging");
  EXPECT_THAT(states(first), ElementsAre("inactive", "success"));
  EXPECT_THAT(states(failed), ElementsAre("failure"));
  EXPECT_THAT(states(other), ElementsAre("success"));
  EXPECT_THAT(states(live), ElementsAre("success")) << "production is left alone";
}

TEST_F(DeploymentsTest, AStatusMayMoveItsDeploymentToAnotherEnvironment) {
  const auto made = deployments_->create(of("staging"), alice_).value();
  ASSERT_TRUE(deployments_->add_status("flights", {.deployment = made.id, .state = "success", .environment = "qa"},
                                       true, alice_));
  const auto found = deployments_->find("flights", made.id).value();
  EXPECT_EQ(found.environment, "qa");
  EXPECT_EQ(found.original_environment, "staging");
  EXPECT_EQ(deployments_->environments("flights")->at(0).name, "qa");
}

TEST_F(DeploymentsTest, FiltersAndPagesAndDeletion) {
  const auto a = deployments_->create(of("staging"), alice_)->id;
  EXPECT_TRUE(deployments_->remove("flights", a, alice_)) << "the only one";
  const auto b = deployments_->create(of("staging"), alice_)->id;
  const auto c = deployments_->create(of("qa"), alice_)->id;
  const auto ids = [&](const DeploymentFilter& filter) {
    std::vector<std::int64_t> found;
    for (const auto& one : deployments_->list("flights", filter).value()) found.push_back(one.id);
    return found;
  };
  EXPECT_THAT(ids({}), ElementsAre(c, b));
  EXPECT_THAT(ids({.environment = "staging"}), ElementsAre(b));
  EXPECT_THAT(ids({.commit = commit_, .ref = "main", .task = "deploy", .offset = 1}), ElementsAre(b));
  EXPECT_THAT(ids({.ref = "v1"}), IsEmpty());
  EXPECT_EQ(deployments_->remove("flights", b, alice_).error().code, Code::kFailedPrecondition);
  ASSERT_TRUE(say(b, "inactive"));
  EXPECT_TRUE(deployments_->remove("flights", b, alice_));
  EXPECT_EQ(deployments_->statuses("flights", b).error().code, Code::kNotFound);
  EXPECT_EQ(deployments_->find("other", c).error().code, Code::kNotFound);
}

TEST_F(DeploymentsTest, WrongValuesAreNamed) {
  const auto id = deployments_->create(of("staging"), alice_)->id;
  EXPECT_THAT(say(id, "fine").error().message, HasSubstr("state must be one of"));
  EXPECT_EQ(say(99, "success").error().code, Code::kNotFound);
  const auto link = deployments_->add_status(
      "flights", {.deployment = id, .state = "success", .environment_url = "javascript:alert(1)"}, true, alice_);
  EXPECT_THAT(link.error().message, HasSubstr("environment_url must begin with http"));
  EXPECT_THAT(deployments_->create(of(""), alice_).error().message, HasSubstr("environment must have"));
  auto wordy = of("staging");
  wordy.description = std::string(141, 'x');
  EXPECT_THAT(deployments_->create(wordy, alice_).error().message, HasSubstr("140"));
}

// Jobs as the engine tells of them in the log.
class JobDeploymentsTest : public DeploymentsTest {
 protected:
  JobDeploymentsTest() { begin(); }
  ~JobDeploymentsTest() override { follower_->stop(); }

  void begin() {
    follower_ = std::make_shared<JobDeployments>(
        JobDeploymentDeps{.db = db_.get(),
                          .log = &log_,
                          .loop = &loop_,
                          .job = [this](std::int64_t) -> Result<std::optional<JobFacts>> { return facts_; },
                          .server_url = [] { return std::string("http://weir"); }});
    ASSERT_TRUE(follower_->start());
  }
  void tell(std::string_view type, std::string conclusion = {}) {
    ASSERT_TRUE(db_->write([&](store::Transaction& tx) -> Result<void> {
      types::EventDraft draft{.type = std::string(type), .actor = "weir", .subject = "job/7"};
      draft.payload["environment"] = "staging";
      if (!conclusion.empty()) draft.payload["conclusion"] = conclusion;
      WEIR_TRY(tx.append(std::move(draft)));
      return {};
    }));
    loop_.run_ready();
  }
  std::vector<Deployment> all() { return deployments_->list("flights", {}).value(); }

  std::optional<JobFacts> facts_ = JobFacts{.repo = "flights",
                                            .run = 3,
                                            .commit = commit_,
                                            .ref = "refs/heads/main",
                                            .environment = "staging",
                                            .environment_url = "https://staging.example.com"};
  std::shared_ptr<JobDeployments> follower_;
};

TEST_F(JobDeploymentsTest, AJobDeploysAndSaysWhatBecameOfIt) {
  tell(types::event_type::kJobStarted);
  ASSERT_EQ(all().size(), 1U);
  const auto made = all()[0];
  EXPECT_EQ(made.ref, "main");
  EXPECT_EQ(made.creator, "job:7");
  EXPECT_THAT(states(made.id), ElementsAre("in_progress"));
  tell(types::event_type::kJobCompleted, "success");
  const auto statuses = deployments_->statuses("flights", made.id).value();
  ASSERT_EQ(statuses.size(), 2U);
  EXPECT_EQ(statuses[0].state, "success");
  EXPECT_EQ(statuses[0].environment_url, "https://staging.example.com");
  EXPECT_EQ(statuses[0].log_url, "http://weir/#/runs/3");
  EXPECT_THAT(started(), IsEmpty()) << "what a job does starts nothing";
}

TEST_F(JobDeploymentsTest, AJobThatMadeRoomDeploysOnceAndOneThatNeverRanDoesNot) {
  tell(types::event_type::kJobCompleted, "cancelled");
  EXPECT_THAT(all(), IsEmpty());
  tell(types::event_type::kJobStarted);
  tell(types::event_type::kJobStarted);
  tell(types::event_type::kJobCompleted, "cancelled");
  ASSERT_EQ(all().size(), 1U);
  EXPECT_THAT(states(all()[0].id), ElementsAre("error", "in_progress", "in_progress"));
  facts_->deployment = false;
  tell(types::event_type::kJobStarted);
  EXPECT_EQ(all().size(), 1U);
}

TEST_F(JobDeploymentsTest, WhatWasLoggedMeanwhileIsTakenUpOnceAfterARestart) {
  tell(types::event_type::kJobStarted);
  follower_->stop();
  tell(types::event_type::kJobCompleted, "failure");
  EXPECT_THAT(states(all()[0].id), ElementsAre("in_progress"));
  for (int restart = 0; restart < 2; ++restart) {
    begin();
    loop_.run_ready();
    EXPECT_THAT(states(all()[0].id), ElementsAre("failure", "in_progress"));
    follower_->stop();
  }
}

TEST_F(JobDeploymentsTest, AJobThatHasGoneIsLeftOut) {
  facts_.reset();
  tell(types::event_type::kJobStarted);
  EXPECT_THAT(all(), IsEmpty());
}

}  // namespace
}  // namespace weir::forge
