// Steps in the background, and those that wait for them and end them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "runner/test_job.h"

namespace weir::runner {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

json::object with(json::object more, std::string_view key, json::value value) {
  more[key] = std::move(value);
  return more;
}

void background(TestJob& job, std::string_view id, std::string_view script, json::object more = {}) {
  more["id"] = id;
  more["background"] = true;
  job.run_step(script, std::move(more));
}

void control(TestJob& job, std::string_view key, json::value value, json::object more = {}) {
  job.spec.steps.push_back(with(std::move(more), key, std::move(value)));
}

// A script that goes on once `file` is there.
std::string until(std::string_view file) {
  return fmt::format("while ! test -e {}; do sleep 0.02; done", file);
}

TEST(Background, StepsGoOnSideBySideAndLogsStayApart) {
  TestJob job;
  background(job, "a", "echo a begins; " + until("go") + "; echo a ends");
  background(job, "b", "echo b begins; " + until("go") + "; echo b ends");
  job.run_step("echo foreground; touch go");
  control(job, "wait-all", true);
  job.run_step("echo after");
  const JobRecord record = job.run();
  EXPECT_EQ(record.conclusion(), "success") << record.text();
  EXPECT_EQ(record.output_of(0), "a begins\na ends\n");
  EXPECT_EQ(record.output_of(1), "b begins\nb ends\n");
  EXPECT_EQ(record.output_of(2), "foreground\n");
  EXPECT_THAT(record.output_of(3), HasSubstr("Waiting for background step(s): Run echo a begins"));
  EXPECT_THAT(record.output_of(3), HasSubstr("success"));
  EXPECT_EQ(record.step(3, "name"), "Wait for all");
}

TEST(Background, OutputsAndEnvironmentAreThereOnceItWasWaitedFor) {
  TestJob job;
  background(
      job, "a",
      "echo x=1 >> $GITHUB_OUTPUT; echo V=2 >> $GITHUB_ENV; mkdir -p bin; echo $PWD/bin >> $GITHUB_PATH; touch done");
  const char* const look =
      "echo [${{ steps.a.outputs.x }}] [${{ steps.a.outcome }}] [$V] [${{ env.V }}] $(echo $PATH | grep -c work/bin)";
  job.run_step(until("done") + "; sleep 0.1; " + look);
  control(job, "wait", json::array{"a"});
  job.run_step(look);
  const JobRecord record = job.run();
  EXPECT_EQ(record.output_of(1), "[] [] [] [] 0\n") << record.text();
  EXPECT_EQ(record.output_of(3), "[1] [success] [2] [2] 1\n");
}

TEST(Background, AFailureFailsTheStepThatWaitsForIt) {
  TestJob job;
  background(job, "bad", "exit 3");
  background(job, "soft", "exit 4", {{"continue-on-error", true}});
  control(job, "wait", json::array{"soft"});
  job.run_step(until("go") + "; echo still ${{ job.status }} ${{ steps.soft.outcome }}");
  job.folder.write("job/work/go", "");
  control(job, "wait", json::array{"bad"});
  job.run_step("echo never");
  control(job, "wait-all", true);
  const JobRecord record = job.run();
  EXPECT_EQ(record.step(2), "success") << record.text();
  EXPECT_EQ(record.output_of(3), "still success failure\n");
  EXPECT_EQ(record.step(4), "failure");
  EXPECT_EQ(record.step(5), "skipped");
  EXPECT_EQ(record.step(6), "success") << "it was waited for already";
  EXPECT_EQ(record.conclusion(), "failure");
}

TEST(Background, AFailureThatAWaitOverlooksCountsInTheEnd) {
  TestJob job;
  background(job, "bad", "exit 3");
  control(job, "wait", json::array{"bad"}, {{"continue-on-error", true}});
  job.run_step("echo goes on ${{ job.status }}");
  const JobRecord record = job.run();
  EXPECT_EQ(record.output_of(2), "goes on success\n");
  EXPECT_EQ(record.conclusion(), "failure");
}

TEST(Background, WhatNobodyWaitedForIsWaitedForBeforeTheEnd) {
  TestJob job;
  job.spec.outputs = {{"x", "${{ steps.late.outputs.x }}"}};
  background(job, "late", until("go") + "; echo x=7 >> $GITHUB_OUTPUT; exit 0");
  job.run_step("(sleep 0.2; touch go) > /dev/null 2>&1 &");
  const JobRecord record = job.run();
  EXPECT_EQ(record.output("x"), "7") << record.text();
  EXPECT_EQ(record.step(0), "success");
}

TEST(Background, CancelSendsSigtermAndTheJobGoesOn) {
  TestJob job;
  background(job, "server", "trap 'echo tidy; exit 0' TERM; echo up; touch up; while true; do sleep 0.02; done");
  background(job, "other", until("go") + "; echo other ends");
  job.run_step(until("up"));
  control(job, "cancel", "server");
  job.run_step("touch go; echo next ${{ steps.server.conclusion }} ${{ job.status }}");
  const JobRecord record = job.run();
  EXPECT_THAT(record.output_of(0), HasSubstr("tidy\n")) << record.text();
  EXPECT_TRUE(record.all("annotation").empty());
  EXPECT_EQ(record.step(0), "cancelled");
  EXPECT_EQ(record.step(3), "success");
  EXPECT_EQ(record.output_of(4), "next cancelled success\n");
  EXPECT_EQ(record.output_of(1), "other ends\n") << "the other one is left alone";
  EXPECT_EQ(record.conclusion(), "success");
}

TEST(Background, ADaemonOfAnotherStepSurvivesACancel) {
  TestJob job;
  background(job, "one", "setsid sh -c 'touch one.up; exec sleep 600' > /dev/null 2>&1 & echo $! > one.pid; wait");
  background(job, "two", "(setsid sleep 600 > /dev/null 2>&1 & echo $! > two.pid); sleep 600 & touch two.up; wait");
  job.run_step(until("one.up") + "; " + until("two.up"));
  control(job, "cancel", "two");
  job.run_step("kill -0 $(cat one.pid) && echo one lives; kill -0 $(cat two.pid) 2> /dev/null || echo two is gone");
  control(job, "cancel", "one");
  const JobRecord record = job.run();
  EXPECT_EQ(record.output_of(4), "one lives\ntwo is gone\n") << record.text();
}

TEST(Background, AtMostTenRunAtATime) {
  TestJob job;
  for (int i = 0; i < 13; ++i) background(job, fmt::format("s{}", i), fmt::format("touch up{}; {}", i, until("go")));
  job.run_step("while [ $(ls | grep -c ^up) -lt 10 ]; do sleep 0.02; done; sleep 0.2; ls | grep -c ^up; touch go");
  control(job, "wait-all", true);
  const JobRecord record = job.run();
  EXPECT_EQ(record.output_of(13), "10\n") << record.text();
  EXPECT_EQ(record.conclusion(), "success");
  for (int i = 0; i < 13; ++i) EXPECT_EQ(record.step(i), "success");
}

TEST(Background, HasATimeOfItsOwn) {
  TestJob job;
  background(job, "slow", "echo begun; sleep 600", {{"timeout-minutes", 0.005}, {"name", "Slow"}});
  job.run_step("sleep 0.1");
  control(job, "wait", json::array{"slow"});
  const JobRecord record = job.run();
  EXPECT_EQ(record.step(0), "failure");
  EXPECT_EQ(record.step(2), "failure");
  EXPECT_THAT(record.annotations("error"), Contains("The action 'Slow' has timed out after 0.005 minutes."));
}

TEST(Background, TheJobsCancellationEndsThemAll) {
  TestJob job;
  background(job, "a", "echo a; touch a; sleep 600");
  background(job, "b", "echo b; touch b; sleep 600", {{"if", "always()"}});
  job.run_step(until("a") + "; " + until("b") + "; echo ready; sleep 600");
  job.run_step("echo after ${{ job.status }}", {{"if", "always()"}});
  job.start();
  job.wait_for("ready");
  job.signal(SIGTERM);
  const JobRecord record = job.finish();
  EXPECT_EQ(record.step(0), "cancelled");
  EXPECT_EQ(record.step(1), "cancelled");
  EXPECT_EQ(record.step(2), "cancelled");
  EXPECT_EQ(record.output_of(3), "after cancelled\n");
  EXPECT_EQ(record.conclusion(), "cancelled");
}

TEST(Background, TheJobsCancellationEndsAWaitAndTheSecondSignalEverything) {
  TestJob job;
  background(job, "a", "trap '' INT TERM; echo stubborn; while true; do sleep 0.02; done");
  control(job, "wait", json::array{"a"});
  job.start();
  job.wait_for("stubborn");
  job.signal(SIGTERM);
  TestJob::wait_until([&] { return !job.look().all("job_cancelled").empty(); }, "the cancellation");
  job.signal(SIGTERM);
  const JobRecord record = job.finish();
  EXPECT_EQ(record.step(0), "cancelled");
  EXPECT_EQ(record.conclusion(), "cancelled");
}

TEST(Background, ASkippedOneIsNotWaitedFor) {
  TestJob job;
  background(job, "no", "echo never", {{"if", "false"}});
  control(job, "wait", json::array{"no"});
  control(job, "cancel", "no");
  job.run_step("echo ${{ steps.no.outcome }}");
  const JobRecord record = job.run();
  EXPECT_EQ(record.step(0), "skipped");
  EXPECT_EQ(record.output_of(3), "skipped\n") << record.text();
}

TEST(Background, ControlStepsRunAfterAFailure) {
  TestJob job;
  background(job, "a", until("go"));
  job.run_step("touch go; exit 1");
  control(job, "wait", json::array{"a"});
  const JobRecord record = job.run();
  EXPECT_EQ(record.step(2), "success");
  EXPECT_EQ(record.conclusion(), "failure");
}

TEST(Background, CommandsOfOneChangeNothingForTheOthers) {
  TestJob job;
  background(job, "a",
             "echo '::set-env name=LEAK::yes'; echo '::stop-commands::x1y2z3'; touch a; " + until("go") +
                 "; echo '::error::hidden'",
             {{"env", {{"ACTIONS_ALLOW_UNSECURE_COMMANDS", "true"}}}});
  job.run_step(until("a") + "; sleep 0.1; echo [$LEAK]; echo '::warning::seen'; touch go");
  control(job, "wait", json::array{"a"});
  job.run_step("echo [$LEAK] [$ACTIONS_ALLOW_UNSECURE_COMMANDS]");
  const JobRecord record = job.run();
  EXPECT_EQ(record.output_of(1), "[]\n") << record.text();
  EXPECT_THAT(record.annotations("warning"), ElementsAre("seen"));
  EXPECT_EQ(record.annotations("error").size(), 0U);
  EXPECT_EQ(record.output_of(3), "[yes] []\n");
}

TEST(Background, CompositeAndJavaScriptActionsCanRunThere) {
  TestJob job;
  job.folder.write("job/work/act/action.yml",
                   "outputs: {x: {value: \"${{ steps.i.outputs.x }}\"}}\nruns:\n  using: composite\n  steps:\n"
                   "    - {id: i, run: 'echo x=5 >> $GITHUB_OUTPUT; echo K=1 >> $GITHUB_ENV', shell: bash}\n"
                   "    - {run: 'echo inside $K; while ! test -e go; do sleep 0.02; done', shell: bash}\n"
                   "    - uses: ./js\n");
  job.folder.write("job/work/js/action.yml", "runs: {using: node20, main: m.js, post: p.js}");
  job.folder.write("job/work/js/m.js", "console.log('js', process.env.K)");
  job.folder.write("job/work/js/p.js", "console.log('post')");
  job.uses_step("./act", {}, {{"id", "act"}, {"background", true}});
  job.run_step("echo [$K] [${{ steps.act.outputs.x }}]; touch go");
  control(job, "wait", json::array{"act"});
  job.run_step("echo [$K] [${{ steps.act.outputs.x }}] [${{ steps.i.outputs.x }}]");
  const JobRecord record = job.run();
  EXPECT_EQ(record.output_of(0), "inside 1\njs 1\n") << record.text();
  EXPECT_EQ(record.output_of(1), "[] []\n");
  EXPECT_EQ(record.output_of(3), "[1] [5] []\n");
  EXPECT_EQ(record.output_of(4), "post\n");
}

}  // namespace
}  // namespace weir::runner
