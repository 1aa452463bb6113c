#include "engine/job_turns.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "io/file.h"
#include "io/test_folder.h"
#include "types/job_spec.h"

namespace weir::engine {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class JobTurns : public ::testing::Test {
 protected:
  void begin(std::string_view log) {
    fs::create_directories(dir_);
    std::ofstream(dir_ / "runner.err").flush();
    std::ofstream(dir_ / "log.txt", std::ios::app) << log;
  }
  [[nodiscard]] std::vector<std::string> log() const {
    std::size_t consumed = 0;
    std::vector<std::string> texts;
    for (auto& line : types::read_log(io::read_file(dir_ / "log.txt").value_or(""), consumed)) {
      texts.push_back(std::move(line.text));
    }
    return texts;
  }

  io::TestFolder root_;
  fs::path dir_ = root_ / "jobs/7";
  TimePoint now_ = from_micros(1'700'000'000'000'000);
};

TEST_F(JobTurns, TheLogGoesOnFromTurnToTurn) {
  begin("0 1 o one\n");
  ASSERT_TRUE(note_preemption(dir_, 1, now_, "why").has_value());
  ASSERT_TRUE(begin_turn(dir_, "runner.err").has_value());
  EXPECT_TRUE(fs::exists(root_ / "jobs/7.preempted-1/runner.err"));
  EXPECT_FALSE(fs::exists(dir_ / "runner.err"));
  begin("0 2 o two\n");
  ASSERT_TRUE(note_preemption(dir_, 2, now_, "why else").has_value());
  ASSERT_TRUE(begin_turn(dir_, "runner.err").has_value());
  EXPECT_TRUE(fs::exists(root_ / "jobs/7.preempted-2/runner.err"));
  EXPECT_THAT(log(),
              ElementsAre("one", AllOf(StartsWith("Turn 1 of this job was preempted at 2023-"), HasSubstr(": why")),
                          "two", AllOf(StartsWith("Turn 2 "), HasSubstr(": why else"))));
}

TEST_F(JobTurns, BeginningAgainAfterACrashLosesNothing) {
  begin("0 1 o one\n");
  // The folder was moved, and the server died before its log was.
  fs::rename(dir_, root_ / "jobs/7.preempted-1");
  ASSERT_TRUE(begin_turn(dir_, "runner.err").has_value());
  EXPECT_THAT(log(), ElementsAre("one"));
  // Prepared twice before a runner was started.
  ASSERT_TRUE(begin_turn(dir_, "runner.err").has_value());
  EXPECT_THAT(log(), ElementsAre("one"));
  EXPECT_FALSE(fs::exists(root_ / "jobs/7.preempted-2"));
}

TEST_F(JobTurns, ThePreemptionIsToldOnceAndOnALineOfItsOwn) {
  begin("0 1 o whole\n0 2 o torn");
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(note_preemption(dir_, 1, now_ + std::chrono::seconds{i}, "why").has_value());
  }
  EXPECT_THAT(log(), ElementsAre("whole", "torn", StartsWith("Turn 1 ")));
  ASSERT_TRUE(note_preemption(dir_, 2, now_, "why").has_value());
  EXPECT_THAT(log().back(), StartsWith("Turn 2 "));
  // A job that never began has nothing to tell.
  ASSERT_TRUE(note_preemption(root_ / "jobs/8", 1, now_, "why").has_value());
  EXPECT_FALSE(fs::exists(root_ / "jobs/8"));
}

}  // namespace
}  // namespace weir::engine
