#include "runner/journal.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <sstream>
#include <thread>

#include "io/test_folder.h"
#include "types/job_spec.h"

namespace weir::runner {
namespace {

TEST(Journal, RecordsOfSeveralThreadsStandInTheOrderOfTheirNumbers) {
  constexpr std::int64_t kEach = 200;
  io::TestFolder folder;
  SystemClock clock;
  auto journal = Journal::open(folder / "journal.jsonl", clock);
  ASSERT_TRUE(journal.has_value());
  const auto write = [&] {
    for (std::int64_t i = 0; i < kEach; ++i) EXPECT_TRUE(journal->append("annotation", {{"i", i}}).has_value());
  };
  std::thread other(write);
  write();
  other.join();

  std::size_t consumed = 0;
  const auto records = types::read_journal(folder.read("journal.jsonl"), consumed);
  ASSERT_EQ(records.size(), static_cast<std::size_t>(2 * kEach));
  for (std::size_t i = 0; i < records.size(); ++i) {
    EXPECT_EQ(records[i].fields.at("seq").to_number<std::size_t>(), i + 1);
  }
}

// While it lives, files of this process end at `size_bytes`, as on a disk that is full: the beginning of a write fits.
class FullDisk {
 public:
  explicit FullDisk(std::size_t size_bytes) {
    ::signal(SIGXFSZ, SIG_IGN);
    EXPECT_EQ(::getrlimit(RLIMIT_FSIZE, &before_), 0);
    const rlimit narrow{size_bytes, before_.rlim_max};
    EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &narrow), 0);
  }
  ~FullDisk() { ::setrlimit(RLIMIT_FSIZE, &before_); }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

 private:
  rlimit before_{};
};

TEST(JobLog, LinesThatFindNoRoomAreCountedWhereTheyAreMissing) {
  io::TestFolder folder;
  SystemClock clock;
  const auto log = JobLog::open(folder / "log.txt", clock).value();
  log->line(0, 'o', "one");
  log->flush();
  {
    const FullDisk full(folder.read("log.txt").size() + 30);
    log->line(0, 'o', "two\n" + std::string(100, '3') + "\nfour");
    log->flush();
    log->line(0, 'o', "five");
    log->flush();
  }
  log->line(0, 'o', "six");
  log->flush();
  std::istringstream text(folder.read("log.txt"));
  std::vector<std::string> lines;
  for (std::string line; std::getline(text, line);)
    lines.push_back(line.substr(line.find(' ', line.find(' ') + 1) + 1));
  EXPECT_EQ(lines, (std::vector<std::string>{"o one", "o two",
                                             "c [3 lines are missing here: the disk had no room for them]", "o six"}));
}

TEST(Journal, ARecordThatFoundNoRoomLeavesNothingAndTheNextOneIsWhole) {
  io::TestFolder folder;
  SystemClock clock;
  auto journal = Journal::open(folder / "journal.jsonl", clock);
  ASSERT_TRUE(journal.has_value());
  ASSERT_TRUE(journal->append("job_started", {}));
  {
    const FullDisk full(folder.read("journal.jsonl").size() + 10);
    EXPECT_FALSE(journal->append("step_started", {{"step", 0}}));
  }
  ASSERT_TRUE(journal->append("job_finished", {}));

  std::size_t consumed = 0;
  const auto records = types::read_journal(folder.read("journal.jsonl"), consumed);
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[1].type, "job_finished");
  EXPECT_EQ(records[1].fields.at("seq").to_number<int>(), 2);
}

}  // namespace
}  // namespace weir::runner
