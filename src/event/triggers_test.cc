#include "event/triggers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <future>

#include "event/local_event.h"
#include "event/schema.h"
#include "event/test_world.h"

namespace weir::event {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// A bare repository that a work tree is pushed to, and the triggers on it.
class TriggersTest : public testing::Test, protected TestWorld {
 protected:
  TriggersTest() : TestWorld(migrations()) {
    make_repository();
    make_triggers();
  }
  void make_triggers() {
    triggers_ = std::make_unique<Triggers>(
        TriggerDeps{.db = db_.get(),
                    .clock = &loop_,
                    .log = &log_,
                    .loop = &loop_,
                    .starter = &starter_,
                    .git = git(),
                    .default_branch_pushed = [this](const std::string&, const std::string& commit,
                                                    const types::Identity&) -> Result<void> {
                      if (configuring_fails_) return fail(Code::kResourceExhausted, "no room on the disk");
                      configured_.push_back(commit);
                      return {};
                    },
                    .schedule_rules = [this](const std::string&) { return rules_; },
                    .server_url = [] { return std::string("http://127.0.0.1:4510"); }});
  }

  std::vector<std::int64_t> pushed(const RefUpdate& update) {
    auto runs = triggers_->repository_pushed("flights", {update}, alice_);
    if (!runs) ADD_FAILURE() << runs.error().message;
    return std::move(runs).value_or(std::vector<std::int64_t>{});
  }

  std::int64_t append(types::EventDraft draft) {
    return db_->write_with<std::int64_t>([&](store::Transaction& tx) { return tx.append(draft); }).value();
  }

  std::vector<types::Event> events() {
    return db_
        ->load<std::vector<types::Event>>([](store::Reader& reader) { return store::read_events(reader, 0, 1000); })
        .value();
  }

  // Lets ticks run and their writes arrive.
  void pass(Duration time) {
    loop_.advance(time);
    [[maybe_unused]] const auto arrived = db_->write([](store::Transaction&) -> Result<void> { return {}; });
  }

  ScheduleRules rules_;
  std::unique_ptr<Triggers> triggers_;
  std::vector<std::string> configured_;
  bool configuring_fails_ = false;
  types::Identity alice_{.name = "alice"};
};

constexpr const char* kJobs = "jobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - run: \"true\"\n";

std::string workflow(const std::string& on) {
  return "on: " + on + "\n" + kJobs;
}

TEST_F(TriggersTest, APushDoesNotWaitForOneToAnotherRepository) {
  write(".github/workflows/train.yml", workflow("push"));
  const auto update = push();
  std::promise<void> asked;
  std::promise<void> fetched;
  auto deps = trigger_deps();
  deps.git = [&, there = git()](const std::string& repo) -> Result<io::Git> {
    if (repo == "slow") {
      asked.set_value();
      fetched.get_future().wait();
      return fail(Code::kUnavailable, "it was not reached");
    }
    return there(repo);
  };
  triggers_ = std::make_unique<Triggers>(std::move(deps));
  auto slow = std::async(std::launch::async, [&] { return triggers_->repository_pushed("slow", {update}, alice_); });
  asked.get_future().wait();
  auto quick = std::async(std::launch::async, [&] { return pushed(update); });
  EXPECT_EQ(quick.wait_for(std::chrono::seconds{60}), std::future_status::ready);
  fetched.set_value();
  EXPECT_FALSE(slow.get().has_value());
  EXPECT_EQ(quick.get().size(), 1U);
}

TEST_F(TriggersTest, APushStartsTheWorkflowsThatListenToItsBranch) {
  write(".github/workflows/train.yml", workflow("{push: {branches: [main]}}"));
  write(".github/workflows/deploy.yaml", workflow("workflow_dispatch"));
  write(".github/workflows/notes.txt", "no workflow");
  write(".github/workflows/deep/er.yml", "also: none");
  const auto update = push("refs/heads/main", "Train a model");
  EXPECT_EQ(pushed(update).size(), 1U);
  ASSERT_EQ(starter_.runs.size(), 1U);
  const auto& run = starter_.runs[0];
  EXPECT_EQ(run.workflow_path, ".github/workflows/train.yml");
  EXPECT_EQ(run.commit, update.after);
  EXPECT_EQ(run.ref, "refs/heads/main");
  EXPECT_EQ(run.event_name, "push");
  EXPECT_EQ(run.title, "Train a model");
  EXPECT_EQ(run.reason, "push to main by alice");
  EXPECT_EQ(run.event_payload.at("repository").at("full_name").as_string(), "weir/flights");
  EXPECT_EQ(run.event_payload.at("head_commit").at("message").as_string(), "Train a model");
  EXPECT_EQ(run.event_payload.at("pusher").at("name").as_string(), "alice");
  EXPECT_TRUE(run.event_payload.at("created").as_bool());
  ASSERT_EQ(events().size(), 1U);
  EXPECT_EQ(events()[0].type, "repo.pushed");
  EXPECT_EQ(events()[0].subject, "repo/flights");
  EXPECT_EQ(run.cause, events()[0].sequence);
  EXPECT_EQ(configured_, std::vector{update.after});
}

TEST_F(TriggersTest, NothingStartsUnderAConfigurationThatCouldNotBeStored) {
  write(".github/workflows/train.yml", workflow("push"));
  const auto update = push();
  configuring_fails_ = true;
  EXPECT_FALSE(triggers_->repository_pushed("flights", {update}, alice_));
  EXPECT_TRUE(starter_.runs.empty());
  EXPECT_TRUE(events().empty());
  configuring_fails_ = false;
  EXPECT_EQ(pushed(update).size(), 1U);
  EXPECT_EQ(configured_, std::vector{update.after});
}

TEST_F(TriggersTest, PathFiltersSeeWhatThePushChanged) {
  write(".github/workflows/train.yml", workflow("{push: {paths: ['src/**']}}"));
  write("README", "1");
  pushed(push());
  starter_.runs.clear();
  write("README", "2");
  EXPECT_TRUE(pushed(push()).empty());
  write("src/train.py", "print()");
  EXPECT_EQ(pushed(push()).size(), 1U);
}

TEST_F(TriggersTest, ABranchThatNobodyListensToIsRecordedButStartsNothing) {
  write(".github/workflows/train.yml", workflow("{push: {branches: [main]}}"));
  EXPECT_TRUE(pushed(push("refs/heads/dev")).empty());
  EXPECT_EQ(events().size(), 1U);
  EXPECT_TRUE(configured_.empty());
}

TEST_F(TriggersTest, ABrokenWorkflowBecomesARunThatSaysWhatIsWrong) {
  write(".github/workflows/broken.yml", "on: push\njobs:\n  a:\n    runs-no: ubuntu-latest\n");
  EXPECT_EQ(pushed(push()).size(), 1U);
  ASSERT_EQ(starter_.runs.size(), 1U);
  EXPECT_THAT(starter_.runs[0].problem, HasSubstr("runs-no"));
}

TEST_F(TriggersTest, ACommitThatAsksForNoRunsStartsNone) {
  write(".github/workflows/train.yml", workflow("push"));
  EXPECT_TRUE(pushed(push("refs/heads/main", "Fix a typo [skip ci]")).empty());
}

TEST_F(TriggersTest, WhatAJobPushesIsRecordedAndStartsNothing) {
  write(".github/workflows/ci.yml", "on: push\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: 'true'}]}}\n");
  EXPECT_EQ(pushed(push()).size(), 1U);
  const auto update = push("refs/heads/gh-pages");
  const auto runs = triggers_->repository_pushed(
      "flights", {update}, {.name = "job:1", .role = types::Role::kDeveloper, .job_id = 1, .run_id = 1});
  ASSERT_TRUE(runs.has_value());
  EXPECT_TRUE(runs->empty());
  EXPECT_EQ(events().back().type, types::event_type::kRepoPushed);
}

TEST_F(TriggersTest, APushThatWasRecordedIsNotRecordedAgain) {
  write(".github/workflows/train.yml", workflow("push"));
  const auto update = push();
  pushed(update);
  EXPECT_TRUE(pushed(update).empty());
  EXPECT_EQ(starter_.runs.size(), 1U);
}

TEST_F(TriggersTest, APushThatTheServerDidNotLiveToRecordIsFiredOnceAtTheNextStart) {
  write(".github/workflows/train.yml", workflow("push"));
  pushed(push());
  const auto missed = push();
  make_triggers();
  EXPECT_EQ(triggers_->reconcile("flights").value().size(), 1U);
  EXPECT_EQ(starter_.runs.back().commit, missed.after);
  EXPECT_EQ(starter_.runs.back().event_payload.at("before").as_string(), missed.before);
  EXPECT_TRUE(triggers_->reconcile("flights").value().empty());
}

TEST_F(TriggersTest, WhatTheServerDidNotLiveToRecordStaysThePushOfWhoBeganIt) {
  write(".github/workflows/train.yml", workflow("push"));
  pushed(push());
  const types::Identity job{.name = "job:1", .role = types::Role::kDeveloper, .job_id = 1, .run_id = 1};
  const auto begin = [&](const RefUpdate& update, const types::Identity& who) {
    EXPECT_TRUE(triggers_->push_begins("flights", {update}, who).has_value());
  };
  begin(push("refs/heads/pages"), job);
  begin(push("refs/heads/dev"), alice_);
  begin({"refs/heads/dev", std::string(kNoObject), std::string(40, 'a')}, job);  // refused
  make_triggers();
  EXPECT_EQ(triggers_->reconcile("flights").value().size(), 1U) << "the job's push starts nothing";
  EXPECT_EQ(starter_.runs.back().ref, "refs/heads/dev");
  EXPECT_EQ(starter_.runs.back().actor, "alice");
  EXPECT_TRUE(triggers_->reconcile("flights").value().empty());
}

TEST_F(TriggersTest, WhoBeganAPushCountsForThatPushOnly) {
  write(".github/workflows/train.yml", workflow("push"));
  const auto first = push();
  EXPECT_TRUE(triggers_->push_begins("flights", {first}, {.name = "job:1", .job_id = 1}).has_value());
  EXPECT_TRUE(triggers_->repository_pushed("flights", {first}, {.name = "job:1", .job_id = 1})->empty());
  pushed(push());
  shell("git --git-dir=flights.git update-ref refs/heads/main " + first.after);  // nobody's push
  make_triggers();
  EXPECT_EQ(triggers_->reconcile("flights").value().size(), 1U);
}

TEST_F(TriggersTest, PushAndRunsAreRecordedTogetherOrNotAtAll) {
  write(".github/workflows/train.yml", workflow("push"));
  const auto update = push();
  starter_.fails_next = true;
  EXPECT_FALSE(triggers_->repository_pushed("flights", {update}, alice_).has_value());
  EXPECT_TRUE(events().empty());
  EXPECT_EQ(triggers_->reconcile("flights").value().size(), 1U);
}

TEST_F(TriggersTest, ADeletedBranchIsRecordedAndStartsNothing) {
  write(".github/workflows/train.yml", workflow("push"));
  const auto made = push("refs/heads/dev");
  pushed(made);
  shell("git --git-dir=flights.git update-ref -d refs/heads/dev");
  EXPECT_TRUE(triggers_->reconcile("flights").value().empty());
  EXPECT_EQ(events().back().payload.at("after").as_string(), kNoObject);
  EXPECT_EQ(starter_.runs.size(), 1U);
  EXPECT_TRUE(triggers_->reconcile("flights").value().empty());
  EXPECT_EQ(events().size(), 2U);
}

TEST_F(TriggersTest, AnAnnotatedTagRunsAtItsCommit) {
  write(".github/workflows/release.yml", workflow("{push: {tags: ['v*']}}"));
  const auto commit = push();
  pushed(commit);
  shell("cd work && git tag -a v1 -m 'Version 1' && git push -q origin v1");
  const auto tag = shell("git --git-dir=flights.git rev-parse v1");
  EXPECT_EQ(pushed({"refs/tags/v1", std::string(kNoObject), tag}).size(), 1U);
  EXPECT_EQ(starter_.runs[0].commit, commit.after);
  EXPECT_EQ(starter_.runs[0].ref, "refs/tags/v1");
}

constexpr const char* kDispatch =
    "{workflow_dispatch: {inputs: {version: {required: true}, environment: {type: choice, options: [staging, prod], "
    "default: staging}}}}";

TEST_F(TriggersTest, ADispatchFillsInDefaultsAndTellsItsCause) {
  write(".github/workflows/deploy.yml", workflow(kDispatch));
  pushed(push());
  const auto run =
      triggers_->dispatch("flights", "deploy.yml", "main", {{"version", "3"}}, alice_, 17, "drift 0.4 > 0.3");
  ASSERT_TRUE(run.has_value()) << run.error().message;
  const auto& request = starter_.runs.back();
  EXPECT_EQ(request.event_payload.at("inputs").at("environment").as_string(), "staging");
  EXPECT_EQ(request.inputs.at("version").as_string(), "3");
  EXPECT_EQ(request.cause, 17);
  EXPECT_EQ(request.reason, "drift 0.4 > 0.3");
  EXPECT_EQ(request.ref, "refs/heads/main");
}

TEST_F(TriggersTest, AWrongDispatchIsRefusedAndSaysWhatWouldBeRight) {
  write(".github/workflows/deploy.yml", workflow(kDispatch));
  write(".github/workflows/train.yml", workflow("push"));
  pushed(push());
  const auto message = [&](std::string_view file, std::string_view ref, const json::object& inputs) {
    const auto run = triggers_->dispatch("flights", file, ref, inputs, alice_);
    return run ? std::string("started") : run.error().message;
  };
  EXPECT_THAT(message("deploy.yml", "", {}), HasSubstr("version"));
  EXPECT_THAT(message("deploy.yml", "", {{"version", "1"}, {"enviroment", "prod"}}), HasSubstr("enviroment"));
  EXPECT_THAT(message("train.yml", "", {}), HasSubstr("workflow_dispatch"));
  EXPECT_THAT(message("dploy.yml", "", {}), HasSubstr("deploy.yml, train.yml"));
  EXPECT_THAT(message("deploy.yml", "mian", {}), HasSubstr("did you mean \"main\""));
  EXPECT_EQ(starter_.runs.size(), 1U);
}

TEST_F(TriggersTest, ALocalPullRequestRunsWithItsOwnRefAndPayload) {
  write(".github/workflows/test.yml", workflow("{pull_request: {branches: [main]}}"));
  write(".github/workflows/other.yml", workflow("{pull_request: {branches: [stable]}}"));
  write(".github/workflows/paths.yml", workflow("{pull_request: {paths: ['src/**']}}"));
  const auto base = push("refs/heads/main");
  write("README.md", "more");
  const auto update = push("refs/heads/dev");
  const auto plan =
      triggers_->plan_local({.repo = "flights",
                             .event_name = "pull_request",
                             .commit = update.after,
                             .ref = "refs/heads/dev",
                             .pull = PullFacts{.number = 3,
                                               .head_ref = "dev",
                                               .base_ref = "refs/heads/main",
                                               .head_sha = update.after,
                                               .base_sha = base.after},
                             .pull_payload = {{"head", {{"sha", update.after}}}, {"base", {{"ref", "main"}}}},
                             .payload = {{"pull_request", {{"title", "Better"}}}}},
                            alice_);
  ASSERT_TRUE(plan.has_value()) << plan.error().message;
  ASSERT_EQ(plan->left_out.size(), 2U);
  EXPECT_EQ(plan->left_out[0].text, "main is not in branches (stable)");
  EXPECT_EQ(plan->left_out[1].text, "no changed file is in paths (src/**)");
  ASSERT_TRUE(triggers_->start_local(*plan).has_value());
  ASSERT_EQ(starter_.runs.size(), 1U);
  const auto& run = starter_.runs.at(0);
  EXPECT_EQ(run.ref, "refs/pull/3/merge");
  EXPECT_EQ(run.head_ref, "dev");
  EXPECT_EQ(run.base_ref, "main");
  EXPECT_EQ(run.event_payload.at("number").as_int64(), 3);
  EXPECT_EQ(run.event_payload.at("action").as_string(), "opened");
  const auto& pull = run.event_payload.at("pull_request");
  EXPECT_EQ(pull.at("title").as_string(), "Better");
  EXPECT_EQ(pull.at("head").at("sha").as_string(), update.after);
  EXPECT_EQ(pull.at("base").at("repo").at("full_name").as_string(), "weir/flights");
}

TEST_F(TriggersTest, ALocalEventThatNobodyListensToNamesWhatIsListenedTo) {
  write(".github/workflows/train.yml", workflow("[push, workflow_dispatch]"));
  const auto update = push();
  const LocalEvent event{.repo = "flights", .event_name = "schedule", .commit = update.after, .ref = "refs/heads/main"};
  const auto plan = triggers_->plan_local(event, alice_);
  ASSERT_TRUE(plan.has_value()) << plan.error().message;
  EXPECT_TRUE(plan->requests.empty());
  EXPECT_THAT(nothing_to_run(event, *plan), HasSubstr("train.yml listens to push, workflow_dispatch"));
  const auto unknown = triggers_->plan_local(
      {.repo = "flights", .event_name = "puhs", .commit = update.after, .ref = "refs/heads/main"}, alice_);
  ASSERT_FALSE(unknown.has_value());
  EXPECT_THAT(unknown.error().message, HasSubstr("did you mean \"push\""));
}

TEST_F(TriggersTest, ALocalPushAsksFiltersUnlessTheFileIsNamed) {
  write(".github/workflows/all.yml", workflow("push"));
  write(".github/workflows/bad.yml", "on: push\njobs: 3\n");
  write(".github/workflows/release.yml", workflow("{push: {tags: ['v*']}}"));
  write(".github/workflows/src.yml", workflow("{push: {paths: ['src/**']}}"));
  const auto before = push();
  write("README.md", "more");
  const auto update = push();
  LocalEvent event{.repo = "flights",
                   .event_name = "push",
                   .commit = update.after,
                   .ref = "refs/heads/main",
                   .before = before.after};
  auto plan = triggers_->plan_local(event, alice_);
  ASSERT_TRUE(plan.has_value()) << plan.error().message;
  ASSERT_EQ(plan->requests.size(), 1U);
  EXPECT_EQ(plan->requests[0].workflow_path, ".github/workflows/all.yml");
  EXPECT_EQ(plan->requests[0].event_payload.at("before").as_string(), before.after);
  EXPECT_EQ(plan->left_out.size(), 2U);
  ASSERT_EQ(plan->broken.size(), 1U);
  EXPECT_EQ(plan->broken[0].path, ".github/workflows/bad.yml");

  event.files = {{.path = "release.yml", .named = true}, {.path = "src.yml"}};
  plan = triggers_->plan_local(event, alice_);
  ASSERT_TRUE(plan.has_value()) << plan.error().message;
  ASSERT_EQ(plan->requests.size(), 1U);
  EXPECT_EQ(plan->requests[0].workflow_path, ".github/workflows/release.yml");
  EXPECT_EQ(plan->in_spite.size(), 1U);
  EXPECT_EQ(plan->left_out.size(), 1U);

  event.files.clear();
  event.before.clear();  // as a new branch: filters of paths hold nothing back
  plan = triggers_->plan_local(event, alice_);
  ASSERT_TRUE(plan.has_value()) << plan.error().message;
  EXPECT_EQ(plan->requests.size(), 2U);
}

TEST_F(TriggersTest, AScheduleFiresAtItsTimeAndOnceAfterTheServerWasDown) {
  write(".github/workflows/nightly.yml", workflow("{schedule: [{cron: '30 2 * * *'}]}"));
  pushed(push());
  ASSERT_TRUE(triggers_->start().has_value());
  pass(std::chrono::hours{2});
  EXPECT_TRUE(starter_.runs.empty());
  pass(std::chrono::minutes{31});
  ASSERT_EQ(starter_.runs.size(), 1U);
  EXPECT_EQ(starter_.runs[0].event_name, "schedule");
  EXPECT_EQ(starter_.runs[0].event_payload.at("schedule").as_string(), "30 2 * * *");
  pass(std::chrono::hours{1});
  EXPECT_EQ(starter_.runs.size(), 1U);

  triggers_->stop();
  pass(std::chrono::hours{24 * 5});
  EXPECT_EQ(starter_.runs.size(), 1U);
  make_triggers();
  ASSERT_TRUE(triggers_->start().has_value());
  pass(std::chrono::minutes{5});
  EXPECT_EQ(starter_.runs.size(), 2U) << "five missed times are made up for by one run";
}

// What an engine logs of a run.
types::EventDraft run_event(std::string_view type, int run, std::string_view workflow, std::string_view branch,
                            std::int64_t cause = 0) {
  return {.type = std::string(type),
          .actor = "weir",
          .subject = fmt::format("run/{}", run),
          .cause = cause,
          .payload = {{"workflow", workflow},
                      {"path", ".github/workflows/train.yml"},
                      {"repo", "flights"},
                      {"event", "push"},
                      {"commit", std::string(40, 'a')},
                      {"ref", fmt::format("refs/heads/{}", branch)},
                      {"number", 3},
                      {"attempt", 1},
                      {"conclusion", "success"}}};
}

TEST_F(TriggersTest, AWorkflowRunsAfterAnotherOneOnceAlsoOverARestart) {
  write(".github/workflows/after.yml",
        workflow("{workflow_run: {workflows: [Train], types: [completed], branches: [main]}}"));
  const auto before = append(run_event("run.completed", 1, "Train", "main"));
  pushed(push());
  ASSERT_TRUE(triggers_->start().has_value());
  loop_.run_ready();
  EXPECT_TRUE(starter_.runs.empty()) << "a run that completed before anybody listened";
  append(run_event("run.started", 2, "Train", "main"));
  append(run_event("run.completed", 2, "Other", "main"));
  append(run_event("run.completed", 2, "Train", "side"));
  const auto completed = append(run_event("run.completed", 2, "Train", "main"));
  loop_.run_ready();
  ASSERT_EQ(starter_.runs.size(), 1U);
  const auto& run = starter_.runs[0];
  EXPECT_EQ(run.event_name, "workflow_run");
  EXPECT_EQ(run.ref, "refs/heads/main");
  EXPECT_EQ(run.cause, completed);
  EXPECT_EQ(run.reason, "Train success #3");
  const auto& of = run.event_payload.at("workflow_run").as_object();
  EXPECT_EQ(of.at("conclusion").as_string(), "success");
  EXPECT_EQ(of.at("head_branch").as_string(), "main");
  EXPECT_EQ(of.at("id").as_int64(), 2);
  EXPECT_EQ(run.event_payload.at("action").as_string(), "completed");
  EXPECT_LT(before, completed);

  triggers_->stop();
  make_triggers();
  ASSERT_TRUE(triggers_->start().has_value());
  loop_.run_ready();
  EXPECT_EQ(starter_.runs.size(), 1U);
}

TEST_F(TriggersTest, WhatTheLogTellsStartsWhoeverListensAndAFailedStartIsTriedAgain) {
  write(".github/workflows/evaluate.yml", workflow("{repository_dispatch: {types: [version.created]}}"));
  write(".github/workflows/publish.yml", workflow("{registry_package: {types: [published]}}"));
  pushed(push());
  ASSERT_TRUE(triggers_->start().has_value());
  append({.type = "alias.set", .actor = "alice", .subject = "model/flight-delay"});
  loop_.run_ready();
  starter_.fails_next = true;
  append({.type = "version.created", .actor = "job:4", .subject = "model/flight-delay/3", .payload = {{"run", "r"}}});
  loop_.run_ready();
  EXPECT_LT(starter_.runs.size(), 2U);
  pass(std::chrono::seconds{10});
  ASSERT_EQ(starter_.runs.size(), 2U);
  const auto& dispatched = starter_.runs[0].event_name == "repository_dispatch" ? starter_.runs[0] : starter_.runs[1];
  const auto& package = starter_.runs[0].event_name == "repository_dispatch" ? starter_.runs[1] : starter_.runs[0];
  EXPECT_EQ(dispatched.workflow_path, ".github/workflows/evaluate.yml");
  EXPECT_EQ(dispatched.event_payload.at("action").as_string(), "version.created");
  EXPECT_EQ(dispatched.event_payload.at("client_payload").as_object().at("subject").as_string(),
            "model/flight-delay/3");
  EXPECT_EQ(package.event_payload.at("registry_package").as_object().at("name").as_string(), "flight-delay");
}

TEST_F(TriggersTest, DataThatHasChangedStartsWhatListensInItsRepository) {
  write(".github/workflows/any.yml", workflow("{repository_dispatch: {types: [data.changed]}}"));
  write(".github/workflows/both.yml", workflow("{repository_dispatch: {types: [data.changed.raw, data.changed]}}"));
  write(".github/workflows/raw.yml", workflow("{repository_dispatch: {types: [data.changed.raw]}}"));
  pushed(push());
  ASSERT_TRUE(triggers_->start().has_value());
  const auto changed = [&](const std::string& repo, const std::string& name, const std::string& actor) {
    append({.type = "data.changed",
            .actor = actor,
            .subject = "data/" + repo + "/" + name,
            .payload = {{"repo", repo}, {"name", name}}});
    loop_.run_ready();
    return std::exchange(starter_.runs, {});
  };
  const auto runs = changed("flights", "raw", "weir");
  ASSERT_EQ(runs.size(), 3U);
  EXPECT_EQ(runs[2].event_payload.at("action").as_string(), "data.changed");
  EXPECT_EQ(runs[2].event_payload.at("client_payload").as_object().at("payload").as_object().at("name").as_string(),
            "raw");
  EXPECT_EQ(changed("flights", "airports", "weir").size(), 2U);
  EXPECT_EQ(changed("trains", "raw", "weir").size(), 0U) << "another repository's data";
  EXPECT_EQ(changed("flights", "raw", "job:7").size(), 0U) << "what a job pushes starts nothing";
}

TEST_F(TriggersTest, RunsThatStartEachOtherStopAfterThreeLevels) {
  write(".github/workflows/again.yml", workflow("{workflow_run: {workflows: [Again], types: [completed]}}"));
  pushed(push());
  ASSERT_TRUE(triggers_->start().has_value());
  std::int64_t cause = 0;
  for (int run = 1; run <= 6; ++run) {
    auto created = run_event("run.created", run, "Again", "main", cause);
    if (run > 1) created.payload["level"] = starter_.runs.back().options.level;
    cause = append(run_event("run.completed", run, "Again", "main", append(created)));
    loop_.run_ready();
  }
  EXPECT_EQ(starter_.runs.size(), 3U);
}

TEST_F(TriggersTest, ARepositoryDispatchStartsWhatListensToItsType) {
  write(".github/workflows/data.yml", workflow("{repository_dispatch: {types: [new-data]}}"));
  write(".github/workflows/any.yml", workflow("repository_dispatch"));
  pushed(push());
  EXPECT_EQ(triggers_->repository_dispatch("flights", "new-data", {{"rows", 12}}, alice_)->size(), 2U);
  EXPECT_EQ(starter_.runs[1].event_payload.at("client_payload").as_object().at("rows").as_int64(), 12);
  EXPECT_EQ(triggers_->repository_dispatch("flights", "other", {}, alice_)->size(), 1U);
  EXPECT_FALSE(triggers_->repository_dispatch("flights", "", {}, alice_).has_value());
}

TEST_F(TriggersTest, MissedTimesAreSkippedOrMadeUpForOneByOneWhereAskedFor) {
  write(".github/workflows/nightly.yml", workflow("{schedule: [{cron: '30 2 * * *'}]}"));
  pushed(push());
  rules_.missed = ScheduleRules::Missed::kSkip;
  loop_.advance(std::chrono::hours{24 * 3 + 4});
  ASSERT_TRUE(triggers_->start().has_value());
  pass(std::chrono::hours{1});
  EXPECT_EQ(starter_.runs.size(), 0U);
  pass(std::chrono::hours{24});
  EXPECT_EQ(starter_.runs.size(), 1U) << "the next time comes as always";

  triggers_->stop();
  rules_.missed = ScheduleRules::Missed::kAll;
  loop_.advance(std::chrono::hours{24 * 3});
  make_triggers();
  ASSERT_TRUE(triggers_->start().has_value());
  pass(std::chrono::minutes{5});
  EXPECT_EQ(starter_.runs.size(), 4U);
}

TEST_F(TriggersTest, ASchedulesTimeIsThatOfItsZoneAndAnUnknownZoneIsTold) {
  // The loop's clock starts at midnight UTC; Shanghai is 8 hours ahead.
  write(".github/workflows/morning.yml", workflow("{schedule: [{cron: '0 9 * * *', timezone: Asia/Shanghai}]}"));
  pushed(push());
  ASSERT_TRUE(triggers_->start().has_value());
  pass(std::chrono::minutes{59});
  EXPECT_TRUE(starter_.runs.empty());
  pass(std::chrono::minutes{2});
  ASSERT_EQ(starter_.runs.size(), 1U);
  EXPECT_EQ(starter_.runs[0].reason, "schedule 0 9 * * * in Asia/Shanghai");
  write(".github/workflows/morning.yml", workflow("{schedule: [{cron: '0 9 * * *', timezone: Mars/Base}]}"));
  EXPECT_EQ(pushed(push()).size(), 1U);
  EXPECT_THAT(starter_.runs.back().problem, HasSubstr("morning.yml:1:"));
  EXPECT_THAT(starter_.runs.back().problem, HasSubstr("\"Mars/Base\" is no time zone"));
  write(".github/workflows/morning.yml", workflow("{schedule: [{cron: '0 9 * * *', timezone: Europe/Berln}]}"));
  pushed(push());
  EXPECT_THAT(starter_.runs.back().problem, HasSubstr("did you mean \"Europe/Berlin\"?"));
}

TEST_F(TriggersTest, JitterMovesAScheduleByAFixedPart) {
  rules_.jitter = std::chrono::minutes{20};
  write(".github/workflows/hourly.yml", workflow("{schedule: [{cron: '0 * * * *'}]}"));
  pushed(push());
  ASSERT_TRUE(triggers_->start().has_value());
  std::vector<int> minutes;
  for (int minute = 1; minute <= 180; ++minute) {
    pass(std::chrono::minutes{1});
    if (starter_.runs.size() > minutes.size()) minutes.push_back(minute % 60);
  }
  ASSERT_EQ(minutes.size(), 2U);
  EXPECT_EQ(minutes[0], minutes[1]);
  EXPECT_GT(minutes[0], 0);
  EXPECT_LE(minutes[0], 20);
}

TEST_F(TriggersTest, AScheduleThatLeftTheDefaultBranchFiresNoMore) {
  write(".github/workflows/nightly.yml", workflow("{schedule: [{cron: '0 * * * *'}]}"));
  pushed(push());
  ASSERT_TRUE(triggers_->start().has_value());
  pass(std::chrono::minutes{61});
  EXPECT_EQ(starter_.runs.size(), 1U);
  write(".github/workflows/nightly.yml", workflow("workflow_dispatch"));
  pushed(push());
  pass(std::chrono::hours{3});
  EXPECT_EQ(starter_.runs.size(), 1U);
}

}  // namespace
}  // namespace weir::event
