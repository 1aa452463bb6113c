#include "monitor/row_store.h"

#include "monitor/test_world.h"

namespace weir::monitor {
namespace {

using std::chrono::days;
using std::chrono::hours;

const Place kPlace{"flights", "production"};
const TimePoint kDay = parse_iso8601("2013-05-01").value();

class RowStoreTest : public testing::Test {
 protected:
  // Rows of one request, an hour apart, with keys "<request>-<index>".
  static RowBatch batch(std::string request, int rows, TimePoint start, std::string version = "1") {
    RowBatch made{.place = kPlace, .model = "m", .version = std::move(version), .request_id = request, .arrival = kDay};
    for (int i = 0; i < rows; ++i) {
      made.rows.push_back({.features = {{"x", i}},
                           .key = fmt::format("{}-{}", request, i),
                           .event_time = start + hours{i},
                           .prediction = i % 2,
                           .score = i % 2});
    }
    return made;
  }
  static serve::Feedback by_key(std::string key, json::value label) {
    return {.endpoint = "flights", .environment = "production", .key = std::move(key), .label = std::move(label)};
  }
  static serve::Feedback by_request(std::string request, json::value label,
                                    std::optional<std::int64_t> row = std::nullopt) {
    return {.endpoint = "flights",
            .environment = "production",
            .request_id = std::move(request),
            .row = row,
            .label = std::move(label)};
  }
  void add(const RowBatch& one) {
    const auto added = store.add(std::span(&one, 1));
    ASSERT_TRUE(added.has_value()) << added.error().message;
  }
  Result<RowStore::Labelled> label(const serve::Feedback& one) {
    return store.label(std::span(&one, 1), kDay + days{2});
  }
  LabelCounts counts(std::string_view version = "1") {
    return store.labels(kPlace, version, kDay, kDay + days{7}).value();
  }

  TestWorld world;
  RowStore store{world.db()};
};

TEST_F(RowStoreTest, JoinsLabelsByKey) {
  add(batch("r", 4, kDay));
  EXPECT_EQ(label(by_key("r-1", 1))->joined, 1);
  EXPECT_EQ(label(by_key("r-2", 1))->joined, 1);
  EXPECT_EQ(counts().rows, 4);
  EXPECT_EQ(counts().labels, 2);
  EXPECT_EQ(counts().judged, 2);
  EXPECT_EQ(counts().correct, 1);
}

TEST_F(RowStoreTest, JoinsLabelsByRequestRowAndList) {
  add(batch("one", 1, kDay));
  add(batch("two", 2, kDay));
  EXPECT_EQ(label(by_request("one", 0))->joined, 1);
  EXPECT_EQ(label(by_request("two", json::array{0, 1}))->joined, 2);
  EXPECT_EQ(counts().correct, 3);
  EXPECT_EQ(label(by_request("two", 0, 1))->joined, 1) << "a correction";
  EXPECT_EQ(counts().correct, 2);
}

TEST_F(RowStoreTest, RefusesALabelThatCouldBeOfSeveralRowsAndKeepsNothingOfTheCall) {
  add(batch("r", 3, kDay));
  const std::vector<serve::Feedback> both = {by_key("r-0", 0), by_request("r", 1)};
  const auto result = store.label(both, kDay);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, Code::kInvalidArgument);
  EXPECT_EQ(counts().labels, 0);
  EXPECT_FALSE(label(by_request("r", json::array{1})).has_value());
  EXPECT_FALSE(label(by_request("r", 1, 3)).has_value());
}

TEST_F(RowStoreTest, ALabelThatComesBeforeItsRowWaitsForIt) {
  EXPECT_EQ(label(by_key("late-0", 0))->waiting, 1);
  EXPECT_EQ(label(by_request("req", json::array{1, 1}))->waiting, 2);
  add(batch("late", 1, kDay));
  add(batch("req", 2, kDay));
  EXPECT_EQ(counts().labels, 3);
  EXPECT_EQ(counts().correct, 2);
  EXPECT_EQ(world.number("SELECT COUNT(*) FROM monitor_early_labels"), 0);
}

TEST_F(RowStoreTest, AKeyThatReturnsGivesItsLabelToUnlabelledRowsOnly) {
  add(batch("r", 1, kDay));
  EXPECT_EQ(label(by_key("r-0", 0))->joined, 1);
  add(batch("r", 1, kDay + hours{5}));
  EXPECT_EQ(label(by_key("r-0", 1))->joined, 1);
  EXPECT_EQ(counts().correct, 1) << "the first row keeps its own label";
  EXPECT_EQ(label(by_key("r-0", 0))->joined, 1) << "all are labelled: the newest is corrected";
  EXPECT_EQ(counts().correct, 2);
}

TEST_F(RowStoreTest, CountsOneVersionWithinATime) {
  add(batch("a", 2, kDay));
  add(batch("b", 3, kDay, "2"));
  add(batch("c", 5, kDay + days{8}));
  EXPECT_EQ(counts("1").rows, 2);
  EXPECT_EQ(counts("2").rows, 3);
}

TEST_F(RowStoreTest, FindsOldestAndNewestRows) {
  EXPECT_EQ(store.newest(kPlace, kDay).value(), std::nullopt);
  add(batch("a", 3, kDay));
  add(batch("b", 1, kDay + days{30}));
  EXPECT_EQ(store.newest(kPlace, kDay + days{10}).value(), kDay + hours{2});
  EXPECT_EQ(store.oldest(kPlace, kDay + hours{1}).value(), kDay + hours{1});
  EXPECT_EQ(store.oldest({"other", "production"}, kDay).value(), std::nullopt);
}

TEST_F(RowStoreTest, GivesAWindowsRowsOrAnEvenSampleOfThem) {
  add(batch("a", 100, kDay));
  EXPECT_EQ(store.rows(kPlace, kDay, kDay + days{1}, 1000)->size(), 24U);
  const auto sample = store.rows(kPlace, kDay, kDay + days{7}, 20).value();
  EXPECT_EQ(sample.size(), 20U);
  EXPECT_EQ(sample[0].version, "1");
  EXPECT_TRUE(sample[0].features.contains("x"));
}

TEST_F(RowStoreTest, DeletesWhatArrivedLongAgo) {
  add(batch("a", 3, kDay));
  RowBatch young = batch("b", 2, kDay);
  young.arrival = kDay + days{40};
  add(young);
  EXPECT_EQ(store.expire(kPlace, kDay + days{10}).value(), false);
  EXPECT_EQ(counts().rows, 2);
}

TEST_F(RowStoreTest, NumbersRowsOnAfterARestart) {
  add(batch("a", 3, kDay));
  world.reopen();
  RowStore again{world.db()};
  const RowBatch more = batch("b", 2, kDay);
  ASSERT_TRUE(again.add(std::span(&more, 1)).has_value());
  EXPECT_EQ(world.number("SELECT COUNT(*) FROM monitor_rows"), 5);
}

}  // namespace
}  // namespace weir::monitor
