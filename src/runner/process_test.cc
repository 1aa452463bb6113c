// What a job's processes inherit, and what they do not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "runner/priority.h"
#include "runner/test_job.h"

namespace weir::runner {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

// Files that a process has open, a line each.
std::string open_files(pid_t pid) {
  std::string all;
  std::error_code error;
  for (fs::directory_iterator entry(fmt::format("/proc/{}/fd", pid), error), end; !error && entry != end;
       entry.increment(error)) {
    std::error_code closed_meanwhile;
    all += fs::read_symlink(entry->path(), closed_meanwhile).string() + "\n";
  }
  return all;
}

TEST(Inherited, NeitherRunnerNorStepsHaveWhatTheStarterLeftOpen) {
  TestJob job;
  job.folder.write("left-open", "");
  job.prelude = fmt::format("exec 7< '{}'", (job.folder / "left-open").string());
  job.run_step("readlink /proc/$$/fd/* || true; touch listed; while ! test -e go; do sleep 0.02; done");
  job.start();
  TestJob::wait_until([&] { return fs::exists(job.folder / "job/work/listed"); }, "the step's list");
  const auto files = open_files(job.pid());
  job.folder.write("job/work/go", "");
  const JobRecord record = job.finish();
  EXPECT_THAT(files, HasSubstr("journal.jsonl"));
  EXPECT_THAT(files, Not(HasSubstr("left-open")));
  EXPECT_THAT(record.output_of(0), HasSubstr("/dev/null"));
  EXPECT_THAT(record.output_of(0), Not(HasSubstr("left-open")));
}

TEST(Inherited, EveryStepCarriesTheTrackingIdThatTheServerGave) {
  TestJob job;
  job.prelude = "export RUNNER_TRACKING_ID=weir:/jobs/42";
  job.run_step("echo $RUNNER_TRACKING_ID");
  job.run_step("echo $RUNNER_TRACKING_ID", {{"env", {{"RUNNER_TRACKING_ID", "none"}}}});
  const JobRecord record = job.run();
  EXPECT_EQ(record.output_of(0), "weir:/jobs/42\n");
  EXPECT_EQ(record.output_of(1), "weir:/jobs/42\n");
}

TEST(Priority, AJobAndAllThatItStartsGiveWay) {
  // Beyond what the tests themselves were started with: a runner never takes more than its starter has.
  const int nice = std::min(19, current_nice() + 7);
  TestJob job;
  job.nice = nice;
  job.run_step(fmt::format(
      "nice; bash -c 'nice'; setsid --wait nice; cat /proc/self/autogroup 2>/dev/null || echo nice {}", nice));
  job.start();
  const JobRecord record = job.finish();
  EXPECT_EQ(record.conclusion(), "success");
  EXPECT_THAT(record.output_of(0), testing::StartsWith(fmt::format("{0}\n{0}\n{0}\n", nice)));
  EXPECT_THAT(record.output_of(0), testing::EndsWith(fmt::format("nice {}\n", nice)));
}

TEST(Priority, OnlyANumberFromZeroToNineteenIsOne) {
  EXPECT_EQ(parse_nice("--nice=0"), 0);
  EXPECT_EQ(parse_nice("--nice=19"), 19);
  for (const auto* text : {"--nice=20", "--nice=-1", "--nice=", "--nice=1x", "--nice", "10"}) {
    EXPECT_FALSE(parse_nice(text)) << text;
  }
}

}  // namespace
}  // namespace weir::runner
