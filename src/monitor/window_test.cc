#include "monitor/window.h"

#include <random>

#include "data/table.h"
#include "monitor/test_world.h"

namespace weir::monitor {
namespace {

using std::chrono::days;

// A thousand rows of two independent features, a label that no request has, and predictions.
data::Reference reference() {
  std::mt19937_64 random(1);
  std::normal_distribution<double> normal;
  std::string csv = "a,b,late,prediction\n";
  for (int i = 0; i < 1000; ++i)
    csv += fmt::format("{},{},{},{}\n", normal(random), normal(random), i % 4 == 0, i % 5 == 0 ? 1 : 0);
  return data::Reference::create(data::read_table(csv).value(), {}).value();
}

std::vector<StoredRow> rows(int count, double shift, unsigned seed, std::string version = "1") {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  std::vector<StoredRow> made;
  for (int i = 0; i < count; ++i) {
    made.push_back({.version = version,
                    .features = {{"a", normal(random) + shift}, {"b", normal(random)}, {"request_only", 1}},
                    .prediction = i % 5 == 0 ? 1 : 0,
                    .score = i % 5 == 0 ? 1.0 : 0.0});
  }
  return made;
}

Window judged(const data::Reference& baseline, const std::vector<StoredRow>& live, const Window* previous = nullptr) {
  Window window{.version = "1"};
  judge_window(window, baseline, live, previous);
  return window;
}

TEST(WindowStart, IsAMondayForWeeksAndMidnightForDays) {
  const auto at = [](std::string_view text) { return parse_iso8601(text).value(); };
  EXPECT_EQ(window_start(at("2013-05-01T13:00:00Z"), days{7}), at("2013-04-29"));
  EXPECT_EQ(window_start(at("2013-04-29"), days{7}), at("2013-04-29"));
  EXPECT_EQ(window_start(at("2013-05-01T13:00:00Z"), days{1}), at("2013-05-01"));
  EXPECT_EQ(window_start(at("1969-12-31T13:00:00Z"), days{7}), at("1969-12-29"));
}

TEST(JudgeWindow, SeesNoDriftWhereThereIsNone) {
  const Window window = judged(reference(), rows(200, 0.0, 2));
  EXPECT_EQ(window.drift, 0.0);
  EXPECT_EQ(window.prediction_drift, 0.0);
  EXPECT_EQ(window.columns.size(), 2U) << "neither the label nor a column that the reference lacks";
  EXPECT_TRUE(window.drifted_columns().empty());
}

TEST(JudgeWindow, FindsAColumnThatBrokeInOneWindow) {
  const Window window = judged(reference(), rows(200, 3.0, 3));
  EXPECT_EQ(window.drifted_columns(), std::vector<std::string>{"a"});
  EXPECT_GT(window.drift.value(), 1.0);
  EXPECT_EQ(window.drift, window.columns.front().drift.psi) << "the most drifted column comes first";
}

TEST(JudgeWindow, BelievesASlowChangeOnceSeveralWindowsShowIt) {
  const data::Reference baseline = reference();
  std::optional<Window> previous;
  int found_after = 0;
  for (int number = 1; number <= 10 && found_after == 0; ++number) {
    Window window =
        judged(baseline, rows(100, 0.4, static_cast<unsigned>(10 + number)), previous ? &*previous : nullptr);
    if (!window.drifted_columns().empty()) found_after = number;
    previous = std::move(window);
  }
  EXPECT_GT(found_after, 1);
  EXPECT_LE(found_after, 6);
}

TEST(JudgeWindow, ManyLooksAtEqualDataRaiseNoFalseAlarm) {
  const data::Reference baseline = reference();
  std::optional<Window> previous;
  int alarms = 0;
  for (unsigned number = 0; number < 400; ++number) {
    Window window = judged(baseline, rows(80, 0.0, 1000 + number), previous ? &*previous : nullptr);
    alarms += window.drift > 0.0 ? 1 : 0;
    previous = std::move(window);
  }
  EXPECT_LE(alarms, 1);
}

TEST(JudgeWindow, ForgetsAColumnThatReturned) {
  const data::Reference baseline = reference();
  Window window = judged(baseline, rows(200, 3.0, 3));
  int still = 0;
  for (unsigned number = 0; number < 20; ++number) {
    window = judged(baseline, rows(100, 0.0, 2000 + number), &window);
    still += window.drifted_columns().empty() ? 0 : 1;
  }
  EXPECT_EQ(still, 0);
  EXPECT_LT(window.columns.front().evidence, 2.0 / kFalseAlarms);
}

TEST(JudgeWindow, CountsPredictionsOfTheLiveVersionOnly) {
  auto mixed = rows(100, 0.0, 4);
  for (StoredRow row : rows(100, 0.0, 5, "0")) {
    row.score = 1.0;
    mixed.push_back(row);
  }
  const Window window = judged(reference(), mixed);
  EXPECT_EQ(window.prediction->drift.count, 100.0);
  EXPECT_EQ(window.prediction_drift, 0.0);
  auto broken = rows(100, 0.0, 6);
  for (StoredRow& row : broken) row.score = 1.0;
  EXPECT_GT(judged(reference(), broken).prediction_drift.value(), 0.3);
}

TEST(JudgeWindow, NullsOfAColumnThatIsSentAreMissing) {
  auto broken = rows(100, 0.0, 7);
  for (StoredRow& row : broken) row.features["b"] = nullptr;
  const Window window = judged(reference(), broken);
  EXPECT_EQ(window.drifted_columns(), std::vector<std::string>{"b"});
  EXPECT_EQ(window.columns.front().drift.missing, 1.0);
}

TEST(JudgeWindow, SaysWhyItSaysNothing) {
  EXPECT_EQ(judged(reference(), rows(20, 3.0, 8)).note, "20 rows, at least 50 are needed");
  EXPECT_FALSE(judged(reference(), rows(20, 3.0, 8)).drift.has_value());
  std::vector<StoredRow> other(60, StoredRow{.version = "1", .features = {{"z", 1}}});
  EXPECT_EQ(judged(reference(), other).note, "the rows and the reference share no column");
}

TEST(Windows, AreStoredAndReadBackAsTheyWere) {
  TestWorld world;
  Window window = judged(reference(), rows(200, 3.0, 3));
  window.place = {"flights", "production"};
  window.start = parse_iso8601("2013-05-01").value();
  window.end = window.start + days{1};
  window.model = "m";
  window.rows = 200;
  ASSERT_TRUE(world.db().write([&](store::Transaction& tx) { return store_window(tx, window, tx.now()); }).has_value());
  const auto load = [&](std::optional<TimePoint> before) {
    return world.db()
        .load<std::vector<Window>>(
            [&](store::Reader& reader) { return load_windows(reader, window.place, 10, before); })
        .value();
  };
  const auto loaded = load(std::nullopt);
  ASSERT_EQ(loaded.size(), 1U);
  EXPECT_EQ(loaded[0].end, window.end);
  EXPECT_EQ(loaded[0].drift, window.drift);
  EXPECT_EQ(json::serialize(detail_to_json(loaded[0])), json::serialize(detail_to_json(window)));
  EXPECT_TRUE(load(window.start).empty());
  EXPECT_EQ(load(window.end).size(), 1U);
}

}  // namespace
}  // namespace weir::monitor
