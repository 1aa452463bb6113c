// Cancellation and time limits: every child is reached, and steps that asked for it still run.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <charconv>
#include <fstream>
#include <iterator>

#include "runner/test_job.h"

namespace weir::runner {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

bool is_alive(pid_t pid) {
  if (::kill(pid, 0) != 0) return false;
  std::ifstream stat(fmt::format("/proc/{}/stat", pid));
  std::string text((std::istreambuf_iterator<char>(stat)), {});
  const auto end = text.rfind(") ");
  return end != std::string::npos && text[end + 2] != 'Z';
}

pid_t pid_in(const TestJob& job, const std::string& name) {
  pid_t pid = 0;
  TestJob::wait_until([&] { return job.folder.read("job/work/" + name).ends_with('\n'); }, name);
  const std::string text = job.folder.read("job/work/" + name);
  std::from_chars(text.data(), text.data() + text.size(), pid);
  EXPECT_GT(pid, 0);
  return pid;
}

TEST(Cancel, EndsTheStepAndRunsWhatWantsToRunNevertheless) {
  TestJob job;
  job.run_step("echo running; sleep 600; echo never");
  job.run_step("echo skipped");
  job.run_step("echo always ${{ job.status }} ${{ cancelled() }} ${{ failure() }}", {{"if", "always()"}});
  job.run_step("echo cancelled", {{"if", "cancelled()"}});
  job.run_step("echo failure", {{"if", "failure()"}});
  job.start();
  job.wait_for("running");

  job.signal(SIGTERM);
  const JobRecord record = job.finish();

  EXPECT_EQ(job.exit_code, 0);
  EXPECT_EQ(record.conclusion(), "cancelled");
  EXPECT_EQ(record.step(0), "cancelled");
  EXPECT_EQ(record.step(1), "skipped");
  EXPECT_EQ(record.output_of(2), "always cancelled true false\n");
  EXPECT_EQ(record.output_of(3), "cancelled\n");
  EXPECT_EQ(record.step(4), "skipped");
  EXPECT_THAT(record.annotations("error"), Contains("The operation was canceled."));
}

TEST(Cancel, AStepThatAlwaysRunsIsNotInterrupted) {
  TestJob job;
  job.run_step("echo cleaning; for i in 1 2 3 4; do sleep 0.1; done; echo cleaned", {{"if", "always()"}});
  job.start();
  job.wait_for("cleaning");
  job.signal(SIGTERM);
  const JobRecord record = job.finish();
  EXPECT_EQ(record.step(0), "success");
  EXPECT_THAT(record.output_of(0), HasSubstr("cleaned"));
  EXPECT_EQ(record.conclusion(), "cancelled");
}

TEST(Cancel, ReachesChildrenThatLeftTheGroupAndTheSession) {
  TestJob job;
  job.run_step(
      "setsid sh -c 'echo $$ > session.pid; exec sleep 600' &\n"
      "sh -c 'sleep 600 & echo $! > orphan.pid'\n"
      "set -m; sleep 600 & echo $! > group.pid\necho ready; wait");
  job.start();
  job.wait_for("ready");
  const pid_t pids[] = {pid_in(job, "session.pid"), pid_in(job, "orphan.pid"), pid_in(job, "group.pid")};
  for (const pid_t pid : pids) EXPECT_TRUE(is_alive(pid));

  job.signal(SIGTERM);
  const JobRecord record = job.finish();

  EXPECT_EQ(record.step(0), "cancelled");
  for (const pid_t pid : pids) EXPECT_FALSE(is_alive(pid)) << pid;
}

TEST(Preempt, GivesTheStepItsGraceForACheckpointAndStartsNothingMore) {
  TestJob job;
  job.run_step(
      "trap 'sleep 0.2; echo epoch 7 > checkpoint; exit 1' TERM; echo training; while true; do sleep 0.05; done");
  job.run_step("echo never", {{"if", "always()"}});
  job.start();
  job.wait_for("training");
  job.signal(SIGUSR1);
  const JobRecord record = job.finish();
  EXPECT_EQ(job.exit_code, 0);
  EXPECT_EQ(job.folder.read("job/work/checkpoint"), "epoch 7\n");
  EXPECT_EQ(record.journal.back().type, "job_preempted");
  EXPECT_EQ(record.step(0), "cancelled");
  EXPECT_THAT(record.output_of(1), Not(HasSubstr("never")));
}

TEST(Preempt, KillsWhatOutlivesItsGrace) {
  TestJob job;
  job.spec.preempt_grace = std::chrono::milliseconds{100};
  job.run_step("trap '' TERM; echo stubborn; while true; do sleep 0.05; done");
  job.start();
  job.wait_for("stubborn");
  job.signal(SIGUSR1);
  EXPECT_EQ(job.finish().journal.back().type, "job_preempted");
}

TEST(Cancel, TheSecondSignalKillsAtOnce) {
  TestJob job;
  job.run_step("trap '' INT TERM; echo stubborn; while true; do sleep 0.05; done");
  job.run_step("echo even this is not run", {{"if", "always()"}});
  job.start();
  job.wait_for("stubborn");
  const auto begin = std::chrono::steady_clock::now();
  job.signal(SIGTERM);
  std::this_thread::sleep_for(std::chrono::milliseconds{20});  // two signals at once would be one
  job.signal(SIGTERM);
  const JobRecord record = job.finish();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds{5});
  EXPECT_EQ(record.conclusion(), "cancelled");
  EXPECT_EQ(record.step(0), "cancelled");
  EXPECT_EQ(record.step(1), "skipped");
}

TEST(Cancel, StubbornProcessesAreKilledInTheEnd) {
  TestJob job;
  job.run_step("trap '' INT TERM; echo stubborn; while true; do sleep 0.05; done");
  job.start();
  job.wait_for("stubborn");
  job.signal(SIGTERM);
  const JobRecord record = job.finish();
  EXPECT_EQ(record.step(0), "cancelled");
}

// Signals that a process blocks, as a bit each.
std::uint64_t blocked_signals(pid_t pid) {
  std::ifstream status(fmt::format("/proc/{}/status", pid));
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("SigBlk:")) return std::stoull(line.substr(7), nullptr, 16);
  }
  return 0;
}

TEST(Cancel, BeforeTheRunnerListensIsHeardAllTheSame) {
  TestJob job;
  job.run_step("echo never");
  job.run_step("echo always", {{"if", "always()"}});
  job.begin();
  TestJob::wait_until([&] { return (blocked_signals(job.pid()) & (1U << (SIGTERM - 1))) != 0; }, "its first line");
  job.signal(SIGTERM);
  job.send_input();
  const JobRecord record = job.finish();
  EXPECT_EQ(job.exit_code, 0);
  EXPECT_EQ(record.conclusion(), "cancelled");
  EXPECT_EQ(record.step(0), "skipped");
  EXPECT_EQ(record.output_of(1), "always\n");
  EXPECT_EQ(record.all("job_cancelled").size(), 1U);
}

TEST(Cancel, BeforeTheFirstStepNothingRuns) {
  TestJob job;
  for (int i = 0; i < 200; ++i) job.run_step("sleep 0.01");
  job.start();
  job.wait_for("sleep");
  job.signal(SIGINT);
  const JobRecord record = job.finish();
  EXPECT_EQ(record.conclusion(), "cancelled");
  EXPECT_EQ(record.step(199), "skipped");
}

TEST(Timeout, OfAStepFailsIt) {
  TestJob job;
  job.run_step("echo begun; sleep 600", {{"timeout-minutes", 0.005}, {"name", "Slow"}});
  job.run_step("echo next", {{"if", "failure()"}});
  const JobRecord record = job.run();
  EXPECT_EQ(record.step(0), "failure");
  EXPECT_THAT(record.annotations("error"), ElementsAre("The action 'Slow' has timed out after 0.005 minutes."));
  EXPECT_EQ(record.output_of(1), "next\n");
  EXPECT_EQ(record.conclusion(), "failure");
}

TEST(Timeout, OfAStepMayBeAnExpression) {
  TestJob job;
  job.run_step("sleep 600", {{"timeout-minutes", "${{ fromJSON('0.003') }}"}, {"continue-on-error", true}});
  EXPECT_EQ(job.run().conclusion(), "success");
}

TEST(Timeout, OfAStepSparesTheBackgroundOfEarlierSteps) {
  TestJob job;
  job.run_step("sleep 600 > /dev/null 2>&1 & echo $! > server.pid");
  job.run_step("sleep 600", {{"timeout-minutes", 0.003}, {"continue-on-error", true}});
  job.run_step("kill -0 $(cat server.pid) && echo alive");
  const JobRecord record = job.run();
  EXPECT_EQ(record.output_of(2), "alive\n");
  EXPECT_FALSE(is_alive(pid_in(job, "server.pid")));
}

TEST(Timeout, OfTheJobEndsItAsTimedOut) {
  TestJob job;
  job.spec.timeout = std::chrono::seconds{1};
  job.run_step("sleep 600");
  job.run_step("echo cleanup for ${{ job.status }}", {{"if", "always()"}});
  job.run_step("echo stopped", {{"if", "cancelled()"}});
  job.run_step("echo failed", {{"if", "failure()"}});
  const JobRecord record = job.run();
  // By which the server tells it from a cancellation that somebody asked for.
  EXPECT_EQ(record.conclusion(), "timed_out");
  EXPECT_EQ(record.step(0), "cancelled");
  EXPECT_EQ(record.output_of(1), "cleanup for cancelled\n");
  EXPECT_EQ(record.output_of(2), "stopped\n");
  EXPECT_EQ(record.step(3), "skipped");
  EXPECT_THAT(record.annotations("error"), Contains("The job has exceeded the maximum execution time of 1s"));
}

TEST(Cancel, AKilledRunnerLeavesAJournalThatCanBeRead) {
  TestJob job;
  job.run_step("echo first");
  job.run_step("echo $$ > step.pid; echo second; exec sleep 600");
  job.start();
  job.wait_for("second");
  const pid_t step = pid_in(job, "step.pid");
  job.signal(SIGKILL);
  const JobRecord record = job.finish();
  // A server would do this, which finds the step by its tracking id.
  ::kill(step, SIGKILL);
  TestJob::wait_until([&] { return !is_alive(step); }, "the step's end");
  EXPECT_EQ(record.conclusion(), "unfinished");
  EXPECT_EQ(record.step(0), "success");
  EXPECT_EQ(record.output_of(0), "first\n");
  EXPECT_THAT(record.output_of(1), HasSubstr("second"));
}

}  // namespace
}  // namespace weir::runner
