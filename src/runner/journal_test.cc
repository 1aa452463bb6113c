#include "runner/journal.h"

#include <gtest/gtest.h>

#include <thread>

#include "runner/test_folder.h"
#include "types/job_spec.h"

namespace weir::runner {
namespace {

TEST(Journal, RecordsOfSeveralThreadsStandInTheOrderOfTheirNumbers) {
  constexpr std::int64_t kEach = 200;
  TestFolder folder;
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

}  // namespace
}  // namespace weir::runner
