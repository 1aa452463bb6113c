#include "engine/local_executor.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <fstream>
#include <future>
#include <mutex>

#include "io/file.h"
#include "io/test_folder.h"

namespace weir::engine {
namespace {

namespace fs = std::filesystem;
constexpr std::chrono::seconds kDeadline{20};

// A folder, a loop and shell scripts in place of weir-runner.
class LocalExecutorTest : public testing::Test {
 protected:
  LocalExecutorTest() : log_(clock_, 2, LogLevel::kError) {}
  ~LocalExecutorTest() override { loop_.stop(); }

  // The script sees its job's folder as $1; `journal` appends a record.
  void runner(const std::string& body) {
    std::ofstream file(root_ / "runner");
    file << "#!/bin/bash\ncd \"$1\"\njournal() { echo \"$1\" >> journal.jsonl; }\n" << body << "\n";
    file.close();
    ::chmod((root_ / "runner").c_str(), 0755);
  }

  // One that comes to listen for signals, which are held until then. (Shells leave them so.)
  void listening_runner(const std::string& body) {
    runner(
        "test -n \"$LISTENS\" || LISTENS=1 exec python3 -c 'import os, signal, sys; "
        "signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM}); "
        "os.execv(\"/bin/bash\", [\"bash\", *sys.argv[1:]])' \"$0\" \"$@\"\n" +
        body);
  }

  std::unique_ptr<LocalExecutor> executor() {
    return std::make_unique<LocalExecutor>(loop_, log_, LocalExecutor::Options{.runner = root_ / "runner"});
  }

  template <class Do>
  auto on_loop(Do what) {
    std::promise<decltype(what())> done;
    loop_.post([&] { done.set_value(what()); });
    return done.get_future().get();
  }

  void listen(LocalExecutor& executor) {
    on_loop([&] {
      executor.listen({.on_end =
                           [this](std::int64_t job, JobEnd end) {
                             const std::scoped_lock lock(mutex_);
                             ends_[job] = std::move(end);
                             changed_.notify_all();
                           },
                       .on_progress =
                           [this](std::int64_t) {
                             const std::scoped_lock lock(mutex_);
                             ++progress_;
                             changed_.notify_all();
                           }});
      return 0;
    });
  }

  JobLaunch launch(std::int64_t job, const std::string& secrets = "{}") {
    JobLaunch launch{.job_dir = root_ / "jobs" / std::to_string(job), .secrets = secrets};
    launch.spec.job_id = job;
    return launch;
  }

  Result<void> start(LocalExecutor& executor, const JobLaunch& launch) {
    return on_loop([&]() -> Result<void> {
      WEIR_TRY(executor.prepare(launch));
      return executor.start(launch);
    });
  }

  JobEnd wait_for_end(std::int64_t job) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, kDeadline, [&] { return ends_.contains(job); }));
    return ends_[job];
  }

  bool wait_for_file(const fs::path& path) {
    const auto deadline = std::chrono::steady_clock::now() + kDeadline;
    while (!fs::exists(path)) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::yield();
    }
    return true;
  }

  // Whether a process ends. One that nobody has waited for yet, as init may take its time, has ended.
  static bool ends(pid_t pid) {
    const auto deadline = std::chrono::steady_clock::now() + kDeadline;
    while (::kill(pid, 0) == 0 && std::chrono::steady_clock::now() < deadline) {
      const auto stat = io::read_file(fmt::format("/proc/{}/stat", pid)).value_or("");
      if (stat.find(") Z") != std::string::npos) return true;
      std::this_thread::yield();
    }
    return ::kill(pid, 0) != 0;
  }

  SystemClock clock_;
  Log log_;
  io::TestFolder root_;
  io::ThreadLoop loop_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::int64_t, JobEnd> ends_;
  int progress_ = 0;
};

TEST_F(LocalExecutorTest, ARunnerGetsItsFolderItsSpecificationAndSecretsOnItsInput) {
  runner(
      "read -r secrets; journal '{\"type\":\"job_started\"}'; test -s spec.json || exit 3\n"
      "journal \"{\\\"type\\\":\\\"job_finished\\\",\\\"conclusion\\\":\\\"success\\\",\\\"outputs\\\":$secrets}\"");
  const auto executor = this->executor();
  listen(*executor);
  ASSERT_TRUE(start(*executor, launch(1, "{\"token\":\"abc\"}")).has_value());
  const auto end = wait_for_end(1);
  EXPECT_EQ(end.error, "");
  EXPECT_TRUE(end.report.finished);
  EXPECT_EQ(end.report.outputs.at("token").as_string(), "abc");
}

TEST_F(LocalExecutorTest, ARunnerIsToldHowFarItGivesWay) {
  runner("echo \"$2\" > told; journal '{\"seq\":1,\"t\":\"2026-01-01T00:00:00Z\",\"type\":\"job_started\"}'");
  for (const int nice : {0, 10}) {
    LocalExecutor executor(loop_, log_, {.runner = root_ / "runner", .nice = nice});
    listen(executor);
    const auto job = launch(nice + 1);
    ASSERT_TRUE(start(executor, job).has_value());
    wait_for_end(nice + 1);
    EXPECT_EQ(io::read_file(job.job_dir / "told"), nice == 0 ? "\n" : "--nice=10\n");
  }
}

TEST_F(LocalExecutorTest, SecretsLargerThanAPipeArriveWhole) {
  runner(
      "journal '{\"type\":\"job_started\"}'; size=$(wc -c)\n"
      "journal "
      "\"{\\\"type\\\":\\\"job_finished\\\",\\\"conclusion\\\":\\\"success\\\",\\\"outputs\\\":{\\\"size\\\":$size}}"
      "\"");
  const auto executor = this->executor();
  listen(*executor);
  ASSERT_TRUE(start(*executor, launch(1, std::string(3'000'000, 'x'))).has_value());
  EXPECT_EQ(wait_for_end(1).report.outputs.at("size").to_number<int>(), 3'000'000);
}

TEST_F(LocalExecutorTest, ARunnerThatDiesIsAnErrorThatSaysHowAndWhatItSaidLast) {
  runner("journal '{\"type\":\"job_started\"}'; echo out of memory >&2; kill -9 $$");
  const auto executor = this->executor();
  listen(*executor);
  ASSERT_TRUE(start(*executor, launch(1)).has_value());
  EXPECT_EQ(wait_for_end(1).error, "the runner died (signal 9): out of memory");

  runner(fmt::format("exit {}", ENOSPC));  // with no room to say so in its own words
  ASSERT_TRUE(start(*executor, launch(2)).has_value());
  EXPECT_EQ(wait_for_end(2).error,
            fmt::format("the runner found no room on the disk of {}; free some there and run the "
                        "job again",
                        (root_ / "jobs/2").string()));
}

TEST_F(LocalExecutorTest, AMissingRunnerIsAnErrorThatNamesIt) {
  const auto executor = this->executor();
  listen(*executor);
  const auto started = start(*executor, launch(1));
  ASSERT_FALSE(started.has_value());
  EXPECT_NE(started.error().message.find("runner"), std::string::npos);
}

TEST_F(LocalExecutorTest, ARunnerThatIsCancelledBeforeItListensIsNotEndedByIt) {
  runner(
      "journal '{\"type\":\"job_started\"}'; kill -TERM $$; kill -INT $$; kill -USR1 $$\n"
      "journal '{\"type\":\"job_finished\",\"conclusion\":\"success\"}'");
  const auto executor = this->executor();
  listen(*executor);
  ASSERT_TRUE(start(*executor, launch(1)).has_value());
  EXPECT_EQ(wait_for_end(1).error, "");
}

TEST_F(LocalExecutorTest, CancelReachesTheRunnerAndKillReachesWhatItStarted) {
  listening_runner(
      "trap 'journal \"{\\\"type\\\":\\\"job_finished\\\",\\\"conclusion\\\":\\\"cancelled\\\"}\"; exit 0' TERM\n"
      "journal '{\"type\":\"job_started\"}'; touch ready; while test -e \"$0\"; do read -r -t 1 < <(:); done");
  const auto executor = this->executor();
  listen(*executor);
  ASSERT_TRUE(start(*executor, launch(1)).has_value());
  ASSERT_TRUE(wait_for_file(root_ / "jobs/1/ready"));
  on_loop([&] { return executor->cancel(1), 0; });
  EXPECT_EQ(wait_for_end(1).report.conclusion, types::Conclusion::kCancelled);

  runner(
      "trap '' TERM; journal '{\"type\":\"job_started\"}'; (trap '' TERM; echo $BASHPID > child; sleep 600) &\n"
      "while ! test -s child; do :; done; touch ready; wait");
  ASSERT_TRUE(start(*executor, launch(2)).has_value());
  ASSERT_TRUE(wait_for_file(root_ / "jobs/2/ready"));
  const auto child = std::stoi(*io::read_file(root_ / "jobs/2/child"));
  on_loop([&] { return executor->kill(2), 0; });
  EXPECT_EQ(wait_for_end(2).error, "the runner died (signal 9)");
  EXPECT_TRUE(ends(child)) << "a child of the runner's is still there";
}

// A child of the runner's in a session of its own, as a daemon would be.
constexpr const char* kDaemon =
    "setsid bash -c 'echo $$ > child; exec sleep 600' < /dev/null > /dev/null 2>&1 &\n"
    "while ! test -s child; do :; done\n";

TEST_F(LocalExecutorTest, WhatARunnerThatDiedLeftBehindIsKilledInEverySession) {
  runner(fmt::format("journal '{{\"type\":\"job_started\"}}'\n{}(trap '' HUP; sleep 600) & kill -9 $$", kDaemon));
  const auto executor = this->executor();
  listen(*executor);
  ASSERT_TRUE(start(*executor, launch(1)).has_value());
  EXPECT_EQ(wait_for_end(1).error, "the runner died (signal 9)");
  EXPECT_TRUE(ends(std::stoi(*io::read_file(root_ / "jobs/1/child"))));
}

TEST_F(LocalExecutorTest, WhatARunnerLeftThatDiedWithoutAServerIsKilledByTheNextServer) {
  runner(fmt::format("journal \"{{\\\"type\\\":\\\"job_started\\\",\\\"pid\\\":$$}}\"\n{}touch ready; kill -STOP $$",
                     kDaemon));
  auto first = executor();
  listen(*first);
  ASSERT_TRUE(start(*first, launch(1)).has_value());
  ASSERT_TRUE(wait_for_file(root_ / "jobs/1/ready"));
  const auto pid = static_cast<pid_t>(read_report_file(root_ / "jobs/1").pid);
  const auto child = std::stoi(*io::read_file(root_ / "jobs/1/child"));
  first.reset();
  ::kill(pid, SIGKILL);
  ASSERT_EQ(::waitpid(pid, nullptr, 0), pid);
  EXPECT_EQ(::kill(child, 0), 0);

  const auto second = executor();
  listen(*second);
  EXPECT_EQ(on_loop([&] { return second->adopt(1, root_ / "jobs/1"); }).value(), Adoption::kEnded);
  EXPECT_EQ(wait_for_end(1).error, "the runner died");
  EXPECT_TRUE(ends(child));
}

TEST_F(LocalExecutorTest, AnotherJobsProcessesAreSpared) {
  runner(
      fmt::format("journal '{{\"type\":\"job_started\"}}'\n{}touch ready; while test -e \"$0\" && ! test -e go; do "
                  "read -r -t 0.05 < "
                  "<(sleep 0.02); done; kill -9 $$",
                  kDaemon));
  const auto executor = this->executor();
  listen(*executor);
  ASSERT_TRUE(start(*executor, launch(1)).has_value());
  ASSERT_TRUE(start(*executor, launch(10)).has_value());
  ASSERT_TRUE(wait_for_file(root_ / "jobs/1/ready") && wait_for_file(root_ / "jobs/10/ready"));
  const auto child = std::stoi(*io::read_file(root_ / "jobs/10/child"));
  std::ofstream(root_ / "jobs/1/go") << "";
  wait_for_end(1);
  EXPECT_EQ(::kill(child, 0), 0);
  std::ofstream(root_ / "jobs/10/go") << "";
  wait_for_end(10);
  EXPECT_TRUE(ends(child));
}

TEST_F(LocalExecutorTest, NoCallbackComesOnceTheExecutorHasGone) {
  listening_runner(
      "journal '{\"type\":\"job_started\"}'; trap 'exit 0' TERM\n"
      "while test -e \"$0\" && ! test -e go; do echo line >> log.txt; done");
  std::atomic<bool> gone = false;
  for (int round = 1; round <= 5; ++round) {
    gone = false;
    std::atomic<int> told = 0;
    LocalExecutor::Options options{.runner = root_ / "runner", .progress_pause = Duration{0}};
    auto executor = std::make_unique<LocalExecutor>(loop_, log_, options);
    on_loop([&] {
      executor->listen({.on_end = [&](std::int64_t, const JobEnd&) { EXPECT_FALSE(gone); },
                        .on_progress =
                            [&](std::int64_t) {
                              EXPECT_FALSE(gone);
                              ++told;
                            }});
      return 0;
    });
    ASSERT_TRUE(start(*executor, launch(round)).has_value());
    const auto deadline = std::chrono::steady_clock::now() + kDeadline;
    while (told < 3 && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
    EXPECT_GE(told, 3);
    executor.reset();
    gone = true;
    std::ofstream(root_ / fmt::format("jobs/{}/go", round)) << "";
    on_loop([] { return 0; });
  }
}

TEST_F(LocalExecutorTest, AnExecutorMayGoAfterItsLoopHasStopped) {
  runner(
      "journal '{\"type\":\"job_started\"}'; touch ready; while test -e \"$0\" && ! test -e go; do read -r -t 0.05 < "
      "<(sleep 0.02); "
      "done");
  auto executor = this->executor();
  listen(*executor);
  ASSERT_TRUE(start(*executor, launch(1)).has_value());
  ASSERT_TRUE(wait_for_file(root_ / "jobs/1/ready"));
  loop_.stop();
  executor.reset();
  std::ofstream(root_ / "jobs/1/go") << "";
}

TEST_F(LocalExecutorTest, ALaterServerAdoptsARunningJobAndHearsItsEnd) {
  runner(
      "journal \"{\\\"type\\\":\\\"job_started\\\",\\\"pid\\\":$$}\"; touch ready\n"
      "while test -e \"$0\" && ! test -e go; do read -r -t 0.05 < <(sleep 0.02); done\n"
      "journal '{\"type\":\"job_finished\",\"conclusion\":\"success\"}'");
  auto first = executor();
  listen(*first);
  ASSERT_TRUE(start(*first, launch(1)).has_value());
  ASSERT_TRUE(wait_for_file(root_ / "jobs/1/ready"));
  on_loop([&] { return first->detach(), 0; });
  const auto second = executor();
  listen(*second);
  EXPECT_EQ(on_loop([&] { return second->adopt(1, root_ / "jobs/1"); }).value(), Adoption::kRunning);
  std::ofstream(root_ / "jobs/1/go") << "";
  EXPECT_TRUE(wait_for_end(1).report.finished);
}

TEST_F(LocalExecutorTest, ARunnerThatHasNotWrittenAnythingYetIsAdoptedAllTheSame) {
  runner(
      "touch forked; while test -e \"$0\" && ! test -e go; do read -r -t 0.05 < <(sleep 0.02); done\n"
      "journal \"{\\\"type\\\":\\\"job_started\\\",\\\"pid\\\":$$}\"\n"
      "journal '{\"type\":\"job_finished\",\"conclusion\":\"success\"}'");
  auto first = executor();
  listen(*first);
  ASSERT_TRUE(start(*first, launch(1)).has_value());
  ASSERT_TRUE(wait_for_file(root_ / "jobs/1/forked"));
  on_loop([&] { return first->detach(), 0; });
  const auto second = executor();
  listen(*second);
  EXPECT_EQ(on_loop([&] { return second->adopt(1, root_ / "jobs/1"); }).value(), Adoption::kRunning);
  EXPECT_FALSE(on_loop([&] { return second->start(launch(1)); }).has_value()) << "a job was started twice";
  std::ofstream(root_ / "jobs/1/go") << "";
  EXPECT_TRUE(wait_for_end(1).report.finished);
}

TEST_F(LocalExecutorTest, WhatEndedWhileNoServerWasThereIsReadFromItsJournal) {
  const auto executor = this->executor();
  listen(*executor);
  fs::create_directories(root_ / "jobs/1");
  std::ofstream(root_ / "jobs/1/runner.err") << "";
  std::ofstream(root_ / "jobs/1/journal.jsonl") << "{\"type\":\"job_started\",\"pid\":1}\n"
                                                << "{\"type\":\"job_finished\",\"conclusion\":\"failure\"}\n";
  EXPECT_EQ(on_loop([&] { return executor->adopt(1, root_ / "jobs/1"); }).value(), Adoption::kEnded);
  const auto end = wait_for_end(1);
  EXPECT_EQ(end.report.conclusion, types::Conclusion::kFailure);
  EXPECT_EQ(end.error, "");
}

TEST_F(LocalExecutorTest, AJobWhoseRunnerDiedBeforeItsFirstStepMayBeStarted) {
  const auto executor = this->executor();
  listen(*executor);
  EXPECT_EQ(on_loop([&] { return executor->adopt(1, root_ / "jobs/1"); }).value(), Adoption::kNeverStarted);
  fs::create_directories(root_ / "jobs/2");
  std::ofstream(root_ / "jobs/2/runner.err") << "";
  EXPECT_EQ(on_loop([&] { return executor->adopt(2, root_ / "jobs/2"); }).value(), Adoption::kNeverStarted);
}

TEST_F(LocalExecutorTest, GrowthOfTheLogIsToldWhileTheJobRuns) {
  runner(
      "journal '{\"type\":\"job_started\"}'\n"
      "while test -e \"$0\" && ! test -e go; do echo line >> log.txt; read -r -t 0.05 < <(sleep 0.02); done\n"
      "journal '{\"type\":\"job_finished\",\"conclusion\":\"success\"}'");
  const auto executor = this->executor();
  listen(*executor);
  ASSERT_TRUE(start(*executor, launch(1)).has_value());
  {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, kDeadline, [&] { return progress_ >= 2; }));
  }
  std::ofstream(root_ / "jobs/1/go") << "";
  wait_for_end(1);
}

}  // namespace
}  // namespace weir::engine
