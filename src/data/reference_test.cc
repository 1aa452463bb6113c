#include "data/reference.h"

#include <gtest/gtest.h>

#include <random>

#include "data/statistics.h"

namespace weir::data {
namespace {

using Random = std::mt19937_64;
const TimePoint kStart = parse_iso8601("2013-01-01").value();

double normal(Random& random, double mean = 0.0, double deviation = 1.0) {
  return std::normal_distribution<double>(mean, deviation)(random);
}

Column numbers(std::string name, std::vector<double> values) {
  return {.name = std::move(name), .kind = Kind::kNumber, .numbers = std::move(values)};
}

Table table_of(std::vector<Column> columns) {
  Table table;
  table.rows = columns[0].kind == Kind::kNumber ? columns[0].numbers.size() : columns[0].codes.size();
  table.rows_read = static_cast<std::int64_t>(table.rows);
  table.columns = std::move(columns);
  return table;
}

Table normal_table(Random& random, int rows) {
  std::vector<double> values(static_cast<std::size_t>(rows));
  std::ranges::generate(values, [&] { return normal(random); });
  return table_of({numbers("x", std::move(values))});
}

Reference make(Table table, const ReferenceOptions& options = {}) {
  auto reference = Reference::create(std::move(table), options);
  EXPECT_TRUE(reference.has_value()) << reference.error().message;
  return *std::move(reference);
}

// Days of 60 rows each: `temperature` is a matter of the day (35 +- 10, and +- 2 within it), `delay` of the row.
Table days_table(Random& random, int days) {
  std::vector<double> times, temperatures, delays;
  for (int day = 0; day < days; ++day) {
    const double today = normal(random, 35.0, 10.0);
    for (int row = 0; row < 60; ++row) {
      times.push_back(static_cast<double>(to_micros(kStart + std::chrono::days{day} + std::chrono::minutes{row * 20})) /
                      1e6);
      temperatures.push_back(normal(random, today, 2.0));
      delays.push_back(normal(random, 10.0, 30.0));
    }
  }
  return table_of({numbers("when", std::move(times)), numbers("temperature", std::move(temperatures)),
                   numbers("delay", std::move(delays))});
}

Sample day_sample(const Reference& reference, Random& random, double temperature, int rows = 80) {
  Sample sample = reference.sample();
  for (int row = 0; row < rows; ++row) {
    sample.add_number(1, normal(random, temperature, 2.0));
    sample.add_number(2, normal(random, 10.0, 30.0));
  }
  return sample;
}

TEST(Reference, SmallWindowsWithoutDriftAreNotCalledDrifted) {
  Random random(1);
  const Reference reference = make(normal_table(random, 5000));
  int raw = 0;
  int significant = 0;
  int large = 0;
  constexpr int kRounds = 400;
  for (int round = 0; round < kRounds; ++round) {
    Sample sample = reference.sample();
    for (int i = 0; i < 50; ++i) sample.add_number(0, normal(random));
    const auto drifts = reference.compare(sample, 1);
    ASSERT_EQ(drifts.size(), 1U);
    raw += drifts[0].psi_raw > 0.1 ? 1 : 0;
    large += drifts[0].psi > 0.1 ? 1 : 0;
    significant += drifts[0].p < 0.05 ? 1 : 0;
  }
  EXPECT_GT(raw, kRounds * 7 / 10) << "the plain index calls most windows of 50 rows drifted";
  EXPECT_LT(large, kRounds / 6);
  EXPECT_LT(significant, kRounds * 7 / 100) << "nominally 5%";
}

TEST(Reference, AShiftOfHalfADeviationIsFoundWithItsSize) {
  Random random(2);
  const Reference reference = make(normal_table(random, 5000));
  Sample sample = reference.sample();
  for (int i = 0; i < 500; ++i) sample.add_number(0, normal(random, 0.5));
  const auto drifts = reference.compare(sample, 1);
  ASSERT_EQ(drifts.size(), 1U);
  EXPECT_LT(drifts[0].p, 1e-9);
  EXPECT_NEAR(drifts[0].ks.value(), 0.197, 0.05) << "2 Phi(0.25) - 1";
  EXPECT_NEAR(drifts[0].psi, 0.25, 0.08) << "the symmetrised divergence of two normals is the shift squared";
}

TEST(Reference, AHarmlessShiftIsSmallHoweverManyRowsShowIt) {
  Random random(3);
  const Reference reference = make(normal_table(random, 20'000));
  Sample sample = reference.sample();
  for (int i = 0; i < 100'000; ++i) sample.add_number(0, normal(random, 0.03));
  EXPECT_LT(reference.compare(sample, 1)[0].psi, 0.01);
}

TEST(Reference, ADayLikeSomeDaysOfTheReferenceIsNoDrift) {
  Random random(4);
  const Reference reference = make(days_table(random, 90), {.time_column = "when"});
  EXPECT_EQ(reference.pieces(), 90U);
  EXPECT_EQ(reference.pieces_per_window(), 1);
  EXPECT_TRUE(reference.columns()[1].clustered);
  EXPECT_FALSE(reference.columns()[2].clustered);
  EXPECT_EQ(reference.columns()[0].reason, "event time");
  int significant = 0;
  constexpr int kRounds = 300;
  for (int round = 0; round < kRounds; ++round) {
    const auto drifts = reference.compare(day_sample(reference, random, normal(random, 35.0, 10.0)), 1);
    ASSERT_EQ(drifts[0].name, "temperature");
    significant += drifts[0].p < 0.05 ? 1 : 0;
  }
  EXPECT_LT(significant, kRounds * 9 / 100) << "nominally 5%, of a distribution that is known from 90 days alone";
}

TEST(Reference, LongWindowsAreJudgedByShorterPieces) {
  Random random(9);
  const Reference reference = make(days_table(random, 90), {.time_column = "when", .window = std::chrono::days{28}});
  EXPECT_EQ(reference.pieces_per_window(), 4);
  EXPECT_GE(reference.pieces(), 12U);
  EXPECT_TRUE(reference.columns()[1].clustered);
  int significant = 0;
  constexpr int kRounds = 200;
  for (int round = 0; round < kRounds; ++round) {
    Sample sample = reference.sample();
    for (int day = 0; day < 28; ++day) {
      const double today = normal(random, 35.0, 10.0);
      for (int row = 0; row < 80; ++row) sample.add_number(1, normal(random, today, 2.0));
    }
    significant += reference.compare(sample, 1)[0].p < 0.05 ? 1 : 0;
  }
  EXPECT_LT(significant, kRounds * 12 / 100) << "nominally 5%, known from 13 weeks alone";

  Sample warmer = reference.sample();
  for (int day = 0; day < 28; ++day) {
    const double today = normal(random, 60.0, 10.0);
    for (int row = 0; row < 80; ++row) warmer.add_number(1, normal(random, today, 2.0));
  }
  const auto drifts = reference.compare(warmer, 1);
  EXPECT_LT(drifts[0].p, 1e-4);
  EXPECT_GT(drifts[0].psi, 1.0);
}

TEST(Reference, AHotterDayThanAnyIsDrift) {
  Random random(5);
  const Reference reference = make(days_table(random, 90), {.time_column = "when"});
  const auto drifts = reference.compare(day_sample(reference, random, 90.0), 1);
  EXPECT_LT(drifts[0].p, 1e-4);
  EXPECT_GT(drifts[0].psi, 0.3);
  EXPECT_DOUBLE_EQ(drifts[0].unseen, 1.0);
  EXPECT_GT(drifts[1].p, 0.01) << "delay has not changed";
}

TEST(Reference, WithoutEventTimesRowsCountAsIndependent) {
  Random random(6);
  const Reference reference = make(days_table(random, 90), {.leave_out = {"when"}});
  EXPECT_EQ(reference.pieces(), 0U);
  EXPECT_FALSE(reference.columns()[1].clustered);
  EXPECT_FALSE(reference.data_end().has_value());
}

TEST(Reference, KnowsWhenItsDataEnd) {
  Random random(6);
  const Reference reference = make(days_table(random, 10), {.time_column = "when"});
  EXPECT_EQ(reference.data_end(), kStart + std::chrono::days{9} + std::chrono::minutes{59 * 20});
}

TEST(Reference, SeesUnseenCategoriesAndMissingValues) {
  std::string text = "carrier,x\n";
  for (int i = 0; i < 1000; ++i) text += fmt::format("{},{}\n", i % 3 == 0 ? "UA" : "AA", i % 50 == 0 ? "" : "1.5");
  const Reference reference = make(read_table(text).value());
  Sample sample = reference.sample();
  for (int i = 0; i < 100; ++i) {
    sample.add_category(0, i < 20 ? "ZZ" : i % 3 == 0 ? "UA" : "AA");
    if (i < 50) {
      sample.add_missing(1);
    } else {
      sample.add_number(1, 1.5);
    }
  }
  const auto drifts = reference.compare(sample, 1);
  ASSERT_EQ(drifts.size(), 2U);
  EXPECT_EQ(drifts[0].kind, Kind::kCategory);
  EXPECT_DOUBLE_EQ(drifts[0].unseen, 0.2);
  EXPECT_TRUE(drifts[0].chi2.has_value());
  EXPECT_FALSE(drifts[0].ks.has_value());
  EXPECT_LT(drifts[0].p, 1e-9);
  EXPECT_GT(drifts[0].psi, 0.5);
  EXPECT_DOUBLE_EQ(drifts[1].missing, 0.5);
  EXPECT_LT(drifts[1].p, 1e-9);
  EXPECT_LT(drifts[0].p_adjusted, 1e-8);
}

TEST(Reference, AFewRareValuesAreNoDrift) {
  std::string text = "dest\n";
  for (int i = 0; i < 3000; ++i) text += fmt::format("D{}\n", i < 60 ? 100 + i / 2 : i % 20);
  const Reference reference = make(read_table(text).value());
  Sample sample = reference.sample();
  for (int i = 0; i < 200; ++i) sample.add_category(0, i == 0 ? "NEW" : i < 5 ? "D117" : fmt::format("D{}", i % 20));
  const auto drifts = reference.compare(sample, 1);
  EXPECT_GT(drifts[0].p, 0.01);
  EXPECT_LT(drifts[0].psi, 0.1);
}

TEST(Reference, AConstantColumnThatMovesIsDrift) {
  std::string text = "x\n";
  for (int i = 0; i < 200; ++i) text += "0\n";
  const Reference reference = make(read_table(text).value());
  Sample same = reference.sample();
  Sample moved = reference.sample();
  for (int i = 0; i < 60; ++i) {
    same.add_number(0, 0.0);
    moved.add_number(0, 1.0);
  }
  EXPECT_EQ(reference.compare(same, 1)[0].psi, 0.0);
  EXPECT_EQ(reference.compare(same, 1)[0].p, 1.0);
  EXPECT_LT(reference.compare(moved, 1)[0].p, 1e-9);
  EXPECT_GT(reference.compare(moved, 1)[0].psi, 1.0);
}

TEST(Reference, NumbersThatWereRoundedOnTheirWayAreTheSameNumbers) {
  // Wind comes in steps, so that every bin ends on a value that many rows have.
  std::string text = "wind\n";
  for (int i = 0; i < 1000; ++i) text += fmt::format("{}\n", 1.15078 * (i % 20));
  const Reference reference = make(read_table(text).value());
  Sample sample = reference.sample();
  for (int i = 0; i < 500; ++i)
    sample.add_number(0, static_cast<double>(static_cast<float>(1.15078 * (i % 20))) * (1.0 + 1e-12));
  const auto drifts = reference.compare(sample, 1);
  EXPECT_EQ(drifts[0].ks, 0.0);
  EXPECT_LT(drifts[0].psi_raw, 1e-3);
  EXPECT_EQ(drifts[0].unseen, 0.0);
}

TEST(Reference, LeavesOutCalendarsIdentifiersAndWhatItIsTold) {
  std::string text = "flight_id,month,when_at,x,empty,tailnum,prediction\n";
  for (int i = 0; i < 300; ++i) text += fmt::format("f{0},1,2013-01-{1:02} 05:00:00,{0},,N{0},0.{0}\n", i, i % 28 + 1);
  const Reference reference = make(read_table(text).value(), {.leave_out = {"x"}});
  std::vector<std::string> reasons;
  for (const auto& column : reference.columns()) reasons.push_back(column.reason);
  EXPECT_EQ(reasons, (std::vector<std::string>{"nearly every value is different", "calendar", "calendar", "left out",
                                               "no values", "nearly every value is different", ""}));
  EXPECT_TRUE(reference.columns()[6].prediction);
  EXPECT_TRUE(is_calendar_name("Day-of-Year"));
  EXPECT_TRUE(is_calendar_name("order_date"));
  EXPECT_FALSE(is_calendar_name("sched_dep_time"));
}

TEST(Reference, DoesNotCompareTooFewRows) {
  Random random(8);
  const Reference reference = make(normal_table(random, 500));
  Sample sample = reference.sample();
  for (int i = 0; i < 29; ++i) sample.add_number(0, 50.0);
  EXPECT_TRUE(reference.compare(sample, 30).empty());
  EXPECT_FALSE(Reference::create(normal_table(random, 20), {}).has_value());
}

}  // namespace
}  // namespace weir::data
