#include "engine/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <condition_variable>
#include <fstream>

#include "engine/local_executor.h"
#include "engine/test_tables.h"
#include "io/file.h"
#include "io/process.h"
#include "io/test_folder.h"
#include "store/sqlite/sqlite_database.h"

// The engine with its real database, loop and executor; a shell script stands for weir-runner.
namespace weir::engine {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
constexpr std::chrono::seconds kDeadline{30};

constexpr const char* kRunner = R"(#!/bin/bash
cd "$1"
cat > input.json
journal() { echo "$1" >> journal.jsonl; }
journal "{\"seq\":1,\"t\":1000000,\"type\":\"job_started\",\"pid\":$$}"
journal '{"seq":2,"t":2000000,"type":"step_started","step":0,"name":"First"}'
echo "0 2000000 o hello" >> log.txt
while test -e ../hold; do read -r -t 0.05 < <(sleep 0.02); done
journal '{"seq":3,"t":3000000,"type":"step_finished","step":0,"conclusion":"success"}'
layer=""
if test -e ../layers; then layer="$PWD"; fi
journal "{\"seq\":4,\"t\":4000000,\"type\":\"job_finished\",\"conclusion\":\"success\",\"outputs\":{\"x\":\"1\"},\"layer\":\"$layer\"}"
)";

class EngineTest : public testing::Test {
 protected:
  EngineTest() : log_(clock_, 2, LogLevel::kError) {
    fs::create_directories(root_ / "jobs");
    std::ofstream(root_ / "runner") << kRunner;
    ::chmod((root_ / "runner").c_str(), 0755);
    shell(
        "git init -q --bare -b main flights.git && git init -q -b main work && cd work && echo numpy > "
        "requirements.txt "
        "&& git add . && git -c user.name=a -c user.email=a@b commit -q -m 'First' && git push -q ../flights.git main");
    commit_ = shell("git -C work rev-parse HEAD");
    db_ = store::open_sqlite(root_ / "weir.db", test_tables(), clock_, log_).value();
    boot();
  }
  ~EngineTest() override {
    fs::remove(root_ / "jobs" / "hold");
    if (engine_) engine_->stop();
    engine_.reset();
    loop_.stop();
    db_->stop();
  }

  std::string shell(const std::string& command) {
    auto out = io::run_checked({.argv = {"/bin/sh", "-ec", command}, .working_dir = root_}).value();
    while (out.ends_with('\n')) out.pop_back();
    return out;
  }

  void boot() {
    executor_ = std::make_unique<LocalExecutor>(loop_, log_, LocalExecutor::Options{.runner = root_ / "runner"});
    engine_ = std::make_unique<Engine>(
        EngineDeps{.db = db_.get(),
                   .loop = &loop_,
                   .clock = &clock_,
                   .log = &log_,
                   .executor = executor_.get(),
                   .jobs_dir = root_ / "jobs",
                   .envs_dir = (root_ / "envs").string(),
                   .tool_dir = (root_ / "tools").string(),
                   .server_url = [] { return std::string("http://127.0.0.1:4510"); },
                   .git = [this](const std::string&) -> Result<io::Git> { return io::Git(root_ / "flights.git"); },
                   .secrets = [](std::int64_t, const std::string&,
                                 const std::string& environment) -> Result<std::map<std::string, std::string>> {
                     return std::map<std::string, std::string>{{"WHERE", environment}, {"KEY", "s3cret"}};
                   },
                   .vars = [](const std::string&, const std::string&) { return json::object{{"REGION", "north"}}; },
                   .issue_job_token = [](store::Transaction&, const types::JobGrant& grant) -> Result<std::string> {
                     return fmt::format("token-{}", grant.job_id);
                   },
                   .action_variables = [](const StartingJob& job) -> json::object {
                     return {{"ACTIONS_RUNTIME_TOKEN", fmt::format("runtime-{}-{}", job.run, job.job)},
                             {"ID_TOKEN", job.id_token ? "yes" : "no"}};
                   }});
    ended_ = engine_->subscribe([this](const LiveUpdate& update) {
      const std::scoped_lock lock(mutex_);
      updates_.push_back(update);
      changed_.notify_all();
    });
    ASSERT_TRUE(engine_->start().has_value());
  }

  RunRequest request(const std::string& jobs) {
    return {.repo = "flights",
            .workflow_path = ".github/workflows/train.yml",
            .workflow_text = "name: Train\non: push\n" + jobs,
            .commit = commit_,
            .ref = "refs/heads/main",
            .event_name = "push",
            .event_payload = {{"after", commit_}},
            .actor = "alice",
            .reason = "push to main by alice"};
  }

  std::int64_t create(const std::string& jobs) {
    auto run = engine_->create_run(request(jobs));
    if (!run) ADD_FAILURE() << run.error().message;
    return run.value_or(0);
  }

  bool wait_for(const std::function<bool(const LiveUpdate&)>& wanted) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kDeadline, [&] { return std::ranges::any_of(updates_, wanted); });
  }
  bool wait_for_run(std::int64_t run) {
    const auto done = wait_for([&](const LiveUpdate& update) {
      return update.kind == LiveUpdate::Kind::kRun && update.run == run && update.state == "completed";
    });
    const std::scoped_lock lock(mutex_);
    updates_.clear();
    return done;
  }
  bool wait_for_progress(std::int64_t job) {
    return wait_for([&](const LiveUpdate& update) {
      return update.kind == LiveUpdate::Kind::kProgress && update.job == job && update.log_size_bytes > 0;
    });
  }

  json::value spec_of(std::int64_t job) {
    return parse_json(io::read_file(engine_->job_dir(job).value() / "spec.json").value(), "spec.json").value();
  }
  json::value input_of(std::int64_t job) {
    return parse_json(io::read_file(engine_->job_dir(job).value() / "input.json").value(), "input.json").value();
  }

  SystemClock clock_;
  Log log_;
  io::TestFolder root_;
  std::string commit_;
  std::unique_ptr<store::Database> db_;
  io::ThreadLoop loop_;
  std::unique_ptr<LocalExecutor> executor_;
  std::unique_ptr<Engine> engine_;
  Engine::Subscription ended_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<LiveUpdate> updates_;
};

constexpr const char* kOneJob =
    "jobs:\n  train:\n    runs-on: ubuntu-latest\n    steps: [{run: echo}, {run: echo 2}]\n";

TEST_F(EngineTest, ARunIsShownWithItsJobsStepsAndLog) {
  const auto id = create(kOneJob);
  ASSERT_TRUE(wait_for_run(id));
  const auto run = engine_->run(id).value();
  EXPECT_EQ(run.number, 1);
  EXPECT_EQ(run.workflow, "Train");
  EXPECT_EQ(run.state, RunState::kCompleted);
  EXPECT_EQ(run.conclusion, types::Conclusion::kSuccess);
  EXPECT_TRUE(run.started_at && run.completed_at);
  const auto jobs = engine_->jobs(id).value();
  ASSERT_EQ(jobs.size(), 1U);
  EXPECT_EQ(jobs[0].outputs.at("x").as_string(), "1");
  ASSERT_EQ(jobs[0].steps.size(), 1U);
  EXPECT_EQ(jobs[0].steps[0].name, "First");
  EXPECT_EQ(jobs[0].steps[0].conclusion, types::Conclusion::kSuccess);
  const auto outline = engine_->jobs(1, 0, JobParts::kOutline).value();
  EXPECT_EQ(outline[0].name, jobs[0].name);
  EXPECT_EQ(outline[0].conclusion, jobs[0].conclusion);
  EXPECT_TRUE(outline[0].steps.empty());
  EXPECT_THAT(io::read_file(engine_->job_dir(jobs[0].id).value() / "log.txt").value(), HasSubstr("hello"));
  EXPECT_TRUE(engine_->idle());
}

TEST_F(EngineTest, WhyAnEarlierResultWasReusedOrNotIsKnown) {
  constexpr const char* kLine =
      "jobs:\n  prepare: {runs-on: linux, steps: [{run: a}]}\n"
      "  train: {needs: prepare, runs-on: linux, steps: [{run: b}]}\n";
  const auto start = [&](std::vector<std::string> from) {
    auto wanted = request(kLine);
    wanted.options.from = std::move(from);
    const auto run = engine_->create_run(std::move(wanted)).value_or(0);
    EXPECT_TRUE(wait_for_run(run));
    return engine_->jobs(run).value();
  };
  const auto first = start({});
  auto reuse = engine_->reuse(first[0].id).value();
  EXPECT_FALSE(reuse.asked || reuse.reused || reuse.earlier);
  ASSERT_TRUE(reuse.key.has_value());  // another job's may be compared with it
  EXPECT_EQ(reuse.files_count, 1U);

  const auto second = start({"train"});
  reuse = engine_->reuse(second[0].id).value();
  EXPECT_TRUE(reuse.asked && reuse.reused);
  EXPECT_EQ(reuse.earlier.value().job, first[0].id);
  EXPECT_EQ(reuse.earlier->run, 1);
  EXPECT_EQ(reuse.key.value().commit, commit_);
  ASSERT_EQ(reuse.files.size(), 1U);
  EXPECT_EQ(reuse.files[0].path, "requirements.txt");
  EXPECT_EQ(reuse.files[0].object, shell("git -C work rev-parse HEAD:requirements.txt"));
  EXPECT_FALSE(engine_->reuse(second[1].id).value().asked);

  // More files than are kept by name.
  commit_ = shell(
      "cd work && i=0; while [ $i -lt 1200 ]; do echo $i > $i.csv; i=$((i+1)); done; echo torch > requirements.txt && "
      "git add . && git -c user.name=a -c user.email=a@b commit -q -m Second && git push -q ../flights.git main && "
      "git rev-parse HEAD");
  const auto third = start({"train"});
  reuse = engine_->reuse(third[0].id).value();
  EXPECT_TRUE(reuse.asked && !reuse.reused);
  EXPECT_EQ(reuse.earlier.value().job, first[0].id);
  EXPECT_EQ(reuse.differences_count, 1201);
  ASSERT_EQ(reuse.differences.size(), 1000U);
  EXPECT_EQ(json::serialize(reuse.differences[0]), R"({"kind":"file","name":"requirements.txt","change":"changed"})");
  EXPECT_EQ(json::serialize(reuse.differences[1]), R"({"kind":"file","name":"0.csv","change":"new"})");
  EXPECT_EQ(reuse.files_count, 1201U);
  EXPECT_EQ(reuse.files.size(), 1000U);
  EXPECT_EQ(engine_->reuse(9999).error().code, Code::kNotFound);

  // Without the repository what is known stays.
  fs::remove_all(root_ / "flights.git");
  reuse = engine_->reuse(third[0].id).value();
  EXPECT_EQ(reuse.differences_count, 1201);
  EXPECT_TRUE(reuse.files.empty());
}

TEST_F(EngineTest, TheGithubContextIsWhatGithubGives) {
  const auto id = create(kOneJob);
  ASSERT_TRUE(wait_for_run(id));
  const auto spec = spec_of(engine_->jobs(id).value()[0].id);
  const auto& github = spec.at("contexts").at("github");
  EXPECT_EQ(github.at("repository").as_string(), "weir/flights");
  EXPECT_EQ(github.at("repository_owner").as_string(), "weir");
  EXPECT_EQ(github.at("run_id").as_string(), "1");
  EXPECT_EQ(github.at("run_number").as_string(), "1");
  EXPECT_EQ(github.at("ref_name").as_string(), "main");
  EXPECT_EQ(github.at("ref_type").as_string(), "branch");
  EXPECT_EQ(github.at("sha").as_string(), commit_);
  EXPECT_EQ(github.at("event").at("after").as_string(), commit_);
  EXPECT_EQ(github.at("workflow_ref").as_string(), "weir/flights/.github/workflows/train.yml@refs/heads/main");
  EXPECT_EQ(github.at("job").as_string(), "train");
  EXPECT_EQ(spec.at("contexts").at("vars").at("REGION").as_string(), "north");
  EXPECT_TRUE(spec.at("implicit_checkout").as_bool());
}

TEST_F(EngineTest, SecretsAndWhatIsMadeOfThemNeverReachTheDisk) {
  const auto id = create(
      "env: {A: \"${{ secrets.KEY }}-1\", B: plain}\n"
      "jobs:\n  train:\n    runs-on: ubuntu-latest\n"
      "    env: {TOKEN: \"${{ github.token }}\", C: \"${{ vars.REGION }}\", D: \"${{ toJSON(github) }}\"}\n"
      "    steps: [{run: echo}]\n");
  ASSERT_TRUE(wait_for_run(id));
  const auto job = engine_->jobs(id).value()[0].id;
  EXPECT_EQ(spec_of(job).at("env"), json::value({{"B", "plain"}, {"C", "north"}}));
  const auto text = io::read_file(engine_->job_dir(job).value() / "spec.json").value();
  EXPECT_EQ(text.find("s3cret-1"), std::string::npos);
  EXPECT_EQ(text.find("token-"), std::string::npos);
  const auto input = input_of(job);
  EXPECT_EQ(input.at("token").as_string(), fmt::format("token-{}", job));
  EXPECT_EQ(input.at("secrets").at("KEY").as_string(), "s3cret");
  EXPECT_EQ(input.at("env").at("A").as_string(), "s3cret-1");
  EXPECT_EQ(input.at("env").at("TOKEN").as_string(), fmt::format("token-{}", job));
}

TEST_F(EngineTest, ActionsGetVariablesThatDependOnTheJobsPermissions) {
  const auto id = create(
      "permissions: {id-token: write}\n"
      "jobs:\n  may:\n    runs-on: ubuntu-latest\n    steps: [{run: echo}]\n"
      "  may-not:\n    runs-on: ubuntu-latest\n    permissions: {contents: read}\n    steps: [{run: echo}]\n"
      "  all:\n    runs-on: ubuntu-latest\n    permissions: write-all\n    steps: [{run: echo}]\n");
  ASSERT_TRUE(wait_for_run(id));
  const auto jobs = engine_->jobs(id).value();
  const auto asked = [&](std::size_t job) { return input_of(jobs[job].id).at("actions").at("ID_TOKEN").as_string(); };
  EXPECT_EQ(input_of(jobs[0].id).at("actions").at("ACTIONS_RUNTIME_TOKEN").as_string(),
            fmt::format("runtime-{}-{}", id, jobs[0].id));
  EXPECT_EQ(asked(0), "yes");
  EXPECT_EQ(asked(1), "no");
  EXPECT_EQ(asked(2), "yes");
  const auto text = io::read_file(engine_->job_dir(jobs[0].id).value() / "spec.json").value();
  EXPECT_EQ(text.find("runtime-"), std::string::npos);
  const auto github = spec_of(jobs[0].id).at("contexts").at("github");
  EXPECT_EQ(github.at("server_url").as_string(), "http://weir.localhost:4510");
  EXPECT_EQ(github.at("api_url").as_string(), "http://127.0.0.1:4510/api/v3");
  EXPECT_EQ(spec_of(jobs[0].id).at("contexts").at("job").at("check_run_id").to_number<std::int64_t>(), jobs[0].id);
}

TEST_F(EngineTest, WhatAJobMayDoWithCachesIsSaidByItselfItsWorkflowOrTheEvent) {
  const std::string jobs =
      "jobs:\n  own:\n    runs-on: ubuntu-latest\n    cache-mode: write-only\n    steps: [{run: echo}]\n"
      "  plain:\n    runs-on: ubuntu-latest\n    steps: [{run: echo}]\n";
  const auto modes = [&](RunRequest request) {
    const auto id = engine_->create_run(std::move(request)).value();
    EXPECT_TRUE(wait_for_run(id));
    std::vector<std::string> found;
    for (const auto& job : engine_->jobs(id).value()) {
      const auto spec = spec_of(job.id);
      found.push_back(
          fmt::format("{} {}", json_string_or(spec, "cache_mode", ""), spec.at("warnings").as_array().size()));
      EXPECT_EQ(types::cache_mode_name(engine_->cache_mode(job.id).value()), json_string_or(spec, "cache_mode", ""));
    }
    return found;
  };
  EXPECT_EQ(modes(request(jobs)), (std::vector<std::string>{"write-only 0", "write 0"}));
  EXPECT_EQ(modes(request("cache-mode: none\n" + jobs)), (std::vector<std::string>{"write-only 0", "none 0"}));
  auto comment = request(jobs);
  comment.event_name = "issue_comment";
  comment.event_payload = {{"repository", json::object{{"default_branch", "main"}}}};
  EXPECT_EQ(modes(comment), (std::vector<std::string>{"write-only 1", "read 0"}));
}

TEST_F(EngineTest, AWorkflowThatDoesNotParseIsRefusedWithItsDiagnostics) {
  const auto run = engine_->create_run(request("jobs:\n  train:\n    runs-no: x\n"));
  ASSERT_FALSE(run.has_value());
  EXPECT_EQ(run.error().code, Code::kInvalidArgument);
  EXPECT_THAT(run.error().message, HasSubstr("runs-no"));
  auto broken = request("jobs: {}");
  broken.problem = "train.yml:1:1: error: what is wrong";
  const auto recorded = engine_->create_run(broken).value();
  EXPECT_EQ(engine_->run(recorded).value().conclusion, types::Conclusion::kFailure);
  EXPECT_THAT(engine_->run(recorded).value().problem, HasSubstr("what is wrong"));
}

TEST_F(EngineTest, LayersOfNeededJobsComeNearestFirstAndLaterRunsStartWithTheChain) {
  std::ofstream(root_ / "jobs" / "layers") << "";
  const auto id = create(
      "jobs:\n  a: {runs-on: ubuntu-latest, steps: [{run: echo}]}\n"
      "  b: {runs-on: ubuntu-latest, needs: a, steps: [{run: echo}]}\n"
      "  c: {runs-on: ubuntu-latest, needs: b, steps: [{run: echo}]}\n");
  ASSERT_TRUE(wait_for_run(id));
  const auto jobs = engine_->jobs(id).value();
  const auto folder = [&](std::size_t job) { return (root_ / "jobs" / std::to_string(jobs[job].id)).string(); };
  EXPECT_EQ(spec_of(jobs[0].id).at("python_layers"), json::value(json::array{}));
  EXPECT_EQ(spec_of(jobs[2].id).at("python_layers"), json::value({folder(1), folder(0)}));
  const auto next = create(kOneJob);
  ASSERT_TRUE(wait_for_run(next));
  EXPECT_EQ(spec_of(engine_->jobs(next).value()[0].id).at("python_layers"),
            json::value({folder(2), folder(1), folder(0)}));

  auto strict = request(kOneJob);
  strict.options.strict = true;
  const auto last = engine_->create_run(strict).value();
  ASSERT_TRUE(wait_for_run(last));
  const auto spec = spec_of(engine_->jobs(last).value()[0].id);
  EXPECT_TRUE(spec.at("python_layers").as_array().empty());
  EXPECT_FALSE(spec.at("implicit_checkout").as_bool());
}

TEST_F(EngineTest, OptionsNarrowJobsAndMatrixAndAddVariables) {
  auto narrowed = request(
      "jobs:\n  a: {runs-on: ubuntu-latest, steps: [{run: echo}]}\n"
      "  b:\n    runs-on: ubuntu-latest\n    needs: a\n    strategy: {matrix: {n: [1, 2], os: [x, y]}}\n"
      "    steps: [{run: echo}]\n"
      "  c: {runs-on: ubuntu-latest, needs: b, steps: [{run: echo}]}\n");
  narrowed.options.only_jobs = {"b"};
  narrowed.options.matrix = {{"n", "2"}};
  narrowed.options.env = {{"EXTRA", "1"}};
  const auto id = engine_->create_run(narrowed).value();
  ASSERT_TRUE(wait_for_run(id));
  std::vector<std::string> names;
  for (const auto& job : engine_->jobs(id).value()) names.push_back(job.name);
  EXPECT_EQ(names, (std::vector<std::string>{"a", "b (2, x)", "b (2, y)"}));
  EXPECT_EQ(spec_of(engine_->jobs(id).value()[0].id).at("env").at("EXTRA").as_string(), "1");
  narrowed.options.only_jobs = {"bb"};
  EXPECT_THAT(engine_->create_run(narrowed).error().message, HasSubstr("its jobs are a, b, c"));
}

TEST_F(EngineTest, StepsOfARunningJobAreShownAsTheyComeWithThoseThatFollow) {
  std::ofstream(root_ / "jobs" / "hold") << "";
  const auto id = create(kOneJob);
  const auto job = engine_->jobs(id).value()[0].id;
  ASSERT_TRUE(wait_for_progress(job));
  const auto shown = engine_->job(job).value();
  EXPECT_EQ(shown.state, JobState::kInProgress);
  ASSERT_EQ(shown.steps.size(), 2U);
  EXPECT_EQ(shown.steps[0].state, "in_progress");
  EXPECT_EQ(shown.steps[1].name, "Run echo 2");
  EXPECT_EQ(shown.steps[1].state, "queued");
  EXPECT_FALSE(engine_->idle());
  fs::remove(root_ / "jobs" / "hold");
  EXPECT_TRUE(wait_for_run(id));
}

TEST_F(EngineTest, AJobGoesOnWhileTheServerIsAwayAndTheNextOneTakesItOver) {
  std::ofstream(root_ / "jobs" / "hold") << "";
  const auto id = create(
      "jobs:\n  a: {runs-on: ubuntu-latest, steps: [{run: echo}]}\n"
      "  b: {runs-on: ubuntu-latest, needs: a, steps: [{run: echo}]}\n");
  ASSERT_TRUE(wait_for_progress(engine_->jobs(id).value()[0].id));
  engine_->stop();
  engine_.reset();
  boot();
  fs::remove(root_ / "jobs" / "hold");
  ASSERT_TRUE(wait_for_run(id));
  EXPECT_EQ(engine_->run(id).value().conclusion, types::Conclusion::kSuccess);
}

TEST_F(EngineTest, CancelEndsARunAndSaysByWhom) {
  std::ofstream(root_ / "jobs" / "hold") << "";
  const auto id = create(kOneJob);
  ASSERT_TRUE(wait_for_progress(engine_->jobs(id).value()[0].id));
  ASSERT_TRUE(engine_->cancel(id, "carol", "wrong data").has_value());
  ASSERT_TRUE(wait_for_run(id));
  const auto run = engine_->run(id).value();
  EXPECT_EQ(run.conclusion, types::Conclusion::kCancelled);
  EXPECT_EQ(run.problem, "cancelled by carol: wrong data");
  EXPECT_EQ(engine_->cancel(id, "carol").error().code, Code::kFailedPrecondition);
  EXPECT_EQ(engine_->cancel(99, "carol").error().code, Code::kNotFound);
}

TEST_F(EngineTest, RunsAreListedByPagesAndFilters) {
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(wait_for_run(create(kOneJob)));
  const auto first = engine_->runs({.limit = 2}).value();
  ASSERT_EQ(first.size(), 2U);
  EXPECT_EQ(first[0].id, 5);
  const auto second = engine_->runs({.before = first.back().id, .limit = 2}).value();
  EXPECT_EQ(second[0].id, 3);
  EXPECT_EQ(engine_->runs({.repo = "flights", .workflow = "train.yml", .state = RunState::kCompleted}).value().size(),
            5U);
  EXPECT_TRUE(engine_->runs({.repo = "other"}).value().empty());
  EXPECT_TRUE(engine_->runs({.state = RunState::kInProgress}).value().empty());
}

TEST_F(EngineTest, RetentionRemovesWorkspacesThenLogsOfOldRunsAndKeepsTheirRows) {
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(wait_for_run(create(kOneJob)));
  auto other = request(kOneJob);
  other.workflow_path = ".github/workflows/other.yml";
  ASSERT_TRUE(wait_for_run(engine_->create_run(other).value()));
  using Kept = RetentionRules::Kept;
  const auto apply = [&](Kept kept, std::set<std::int64_t> needed = {}) {
    const auto removed =
        engine_->apply_retention({.of = [kept](const std::string&) { return kept; }, .needed = std::move(needed)});
    return std::pair(removed.value().workspaces, removed->logs);
  };
  EXPECT_EQ(apply({.runs = 1}), std::pair(0, 0)) << "they are young";
  EXPECT_EQ(apply({.runs = 1, .workspaces = std::nullopt, .logs = std::nullopt}), std::pair(0, 0));
  const fs::path earlier_turn = engine_->job_dir(1)->parent_path() / "1.preempted-1";
  fs::create_directory(earlier_turn);
  // The newest of the one workflow, the only one of the other, and a run that is needed stay.
  EXPECT_EQ(apply({.runs = 1, .workspaces = Duration{0}}, {2}), std::pair(2, 0));
  EXPECT_FALSE(fs::exists(earlier_turn));
  for (const std::int64_t job : {2, 4, 5}) EXPECT_TRUE(fs::exists(engine_->job_dir(job).value() / "spec.json")) << job;
  for (const std::int64_t job : {1, 3}) {
    const auto dir = engine_->job_dir(job).value();
    EXPECT_FALSE(fs::exists(dir / "spec.json"));
    EXPECT_THAT(io::read_file(dir / "log.txt").value(), HasSubstr("hello"));
  }
  EXPECT_EQ(apply({.runs = 1, .workspaces = Duration{0}}, {2}), std::pair(0, 0));
  EXPECT_EQ(apply({.runs = 1, .workspaces = Duration{0}, .logs = Duration{0}}), std::pair(1, 3));
  EXPECT_EQ(engine_->job_dir(1).error().code, Code::kNotFound);
  EXPECT_TRUE(engine_->job_dir(4).has_value());
  EXPECT_TRUE(engine_->job_dir(5).has_value());
  EXPECT_EQ(engine_->jobs(1).value()[0].steps.size(), 1U);
  EXPECT_EQ(apply({.runs = 0, .workspaces = Duration{0}, .logs = Duration{0}}), std::pair(2, 2));
}

TEST_F(EngineTest, EventsTellWhatLedToWhat) {
  auto asked = request(
      "jobs:\n  a: {runs-on: ubuntu-latest, steps: [{run: echo}]}\n"
      "  b: {runs-on: ubuntu-latest, needs: a, steps: [{run: echo}]}\n");
  const auto id = engine_->create_run(asked).value();
  ASSERT_TRUE(wait_for_run(id));
  const auto events =
      db_->load<std::vector<types::Event>>([](store::Reader& reader) { return store::read_events(reader, 0, 100); })
          .value();
  std::vector<std::string> chain;
  for (std::int64_t at = events.back().sequence; at != 0; at = events[static_cast<std::size_t>(at) - 1].cause) {
    chain.push_back(events[static_cast<std::size_t>(at) - 1].type);
  }
  EXPECT_EQ(chain, (std::vector<std::string>{"run.completed", "job.completed", "job.started", "job.queued",
                                             "job.completed", "job.started", "job.queued", "run.created"}));
  EXPECT_EQ(engine_->job_event(engine_->jobs(id).value()[1].id).value(), events.back().sequence - 1);
}

}  // namespace
}  // namespace weir::engine
