#include "data/csv.h"

#include <gtest/gtest.h>

#include "data/table.h"

namespace weir::data {
namespace {

using Records = std::vector<std::vector<std::string>>;

TEST(Csv, ReadsQuotesCommasLineEndsAndDoubledQuotes) {
  const auto records = read_csv("a,b\r\n\"x, y\",\"say \"\"hi\"\"\"\n\"two\nlines\",\n");
  ASSERT_TRUE(records.has_value()) << records.error().message;
  EXPECT_EQ(*records, (Records{{"a", "b"}, {"x, y", "say \"hi\""}, {"two\nlines", ""}}));
}

TEST(Csv, GivesTheSameForEveryWayToCutTheTextIntoPieces) {
  const std::string text =
      "\xEF\xBB\xBF"
      "a,\"b\"\"c\"\r\n\r\n\"d\r\ne\",f\rg,h";
  const auto whole = read_csv(text);
  ASSERT_TRUE(whole.has_value()) << whole.error().message;
  EXPECT_EQ(*whole, (Records{{"a", "b\"c"}, {"d\r\ne", "f"}, {"g", "h"}}));
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    Records records;
    CsvReader reader([&](const auto& fields) {
      records.push_back(fields);
      return true;
    });
    ASSERT_TRUE(reader.feed(std::string_view(text).substr(0, cut)).has_value());
    ASSERT_TRUE(reader.feed(std::string_view(text).substr(cut)).has_value());
    ASSERT_TRUE(reader.finish().has_value());
    EXPECT_EQ(records, *whole) << cut;
  }
}

TEST(Csv, ATextOfNothingHasNoRecords) {
  EXPECT_TRUE(read_csv("")->empty());
  EXPECT_TRUE(read_csv("\n\r\n\n")->empty());
  EXPECT_EQ(*read_csv("\xEF\xBB"), (Records{{"\xEF\xBB"}}));
}

TEST(Csv, NamesTheLineOfAMistake) {
  EXPECT_EQ(read_csv("a,b\n1,\"2\"x\n").error().message,
            "CSV line 2: 'x' after a closing quote, expected a comma or the line's end");
  EXPECT_EQ(read_csv("a,b\r\n\"1\r\n2\",3\r\n4,5\"\r\n").error().message,
            "CSV line 4: a quote inside an unquoted field; quote the whole field");
  EXPECT_EQ(read_csv("a\n1\n\"2\n3").error().message, "CSV line 3: the text ends inside a quoted field of this record");
  EXPECT_EQ(read_csv(std::string_view("a\0b", 3)).error().message, "CSV line 1: a NUL byte; is this a text file?");
}

TEST(Csv, BoundsARecordAndItsFields) {
  const CsvLimits limits{.record_bytes_max = 20, .fields_max = 3};
  EXPECT_EQ(read_csv("a\n\"" + std::string(30, 'x'), limits).error().message,
            "CSV line 2: a record of more than 20 bytes; is a closing quote missing?");
  EXPECT_EQ(read_csv("a,b,c,d\n", limits).error().message, "CSV line 1: more than 3 fields");
}

TEST(Csv, StopsWhenTheCallerHasEnough) {
  int seen = 0;
  CsvReader reader([&](const auto&) { return ++seen < 2; });
  ASSERT_TRUE(reader.feed("a\nb\nc\nd\n").has_value());
  ASSERT_TRUE(reader.finish().has_value());
  EXPECT_EQ(seen, 2);
}

TEST(Table, InfersNumbersAndCategoriesAndSeesMissingValues) {
  const auto table = read_table("x,carrier,empty,mixed\n1,UA,,1\n,AA,NA,x\n2.5,NA,,3\n-1e3,UA,nan,\n");
  ASSERT_TRUE(table.has_value()) << table.error().message;
  EXPECT_EQ(table->rows, 4U);
  const Column* x = table->find("x");
  ASSERT_NE(x, nullptr);
  EXPECT_EQ(x->kind, Kind::kNumber);
  EXPECT_EQ(x->numbers[0], 1.0);
  EXPECT_TRUE(std::isnan(x->numbers[1]));
  EXPECT_EQ(x->numbers[3], -1000.0);
  const Column* carrier = table->find("carrier");
  EXPECT_EQ(carrier->kind, Kind::kCategory);
  EXPECT_EQ(carrier->categories, (std::vector<std::string>{"UA", "AA"}));
  EXPECT_EQ(carrier->codes, (std::vector<std::uint32_t>{0, 1, kMissing, 0}));
  EXPECT_EQ(table->find("empty")->kind, Kind::kCategory);
  EXPECT_EQ(table->find("mixed")->kind, Kind::kCategory);
  EXPECT_EQ(table->find("absent"), nullptr);
}

TEST(Table, SamplesMoreRowsThanItMayHold) {
  std::string text = "i\n";
  for (int i = 0; i < 10'000; ++i) text += fmt::format("{}\n", i);
  const auto table = read_table(text, {.rows_max = 1000});
  ASSERT_TRUE(table.has_value());
  EXPECT_EQ(table->rows, 1000U);
  EXPECT_EQ(table->rows_read, 10'000);
  double mean = 0.0;
  for (const double value : table->columns[0].numbers) mean += value / 1000.0;
  EXPECT_NEAR(mean, 4999.5, 4 * 2887 / std::sqrt(1000.0));
  EXPECT_EQ(read_table(text, {.rows_max = 1000})->columns[0].numbers, table->columns[0].numbers);
}

TEST(Table, RefusesRaggedRecordsAndBrokenHeaders) {
  EXPECT_EQ(read_table("a,b\n1,2\n3\n").error().message, "CSV record 3: 1 fields, the header has 2");
  EXPECT_EQ(read_table("a,a\n1,2\n").error().message, "CSV header: column \"a\" is there twice");
  EXPECT_EQ(read_table("a,\n1,2\n").error().message, "CSV header: column 2 has no name");
  EXPECT_FALSE(read_table("").has_value());
}

TEST(NumberText, IsTheShortestThatReadsBack) {
  EXPECT_EQ(number_text(3.0), "3");
  EXPECT_EQ(number_text(0.0005), "0.0005");
  EXPECT_EQ(number_text(0.1), "0.1");
  EXPECT_EQ(parse_number(number_text(1.0 / 3.0)), 1.0 / 3.0);
}

TEST(EventTime, IsReadFromTextSecondsAndMilliseconds) {
  const auto expected = parse_iso8601("2013-07-04T12:00:00Z").value();
  EXPECT_EQ(parse_event_time("2013-07-04T12:00:00Z"), expected);
  EXPECT_EQ(parse_event_time("2013-07-04 12:00:00+00:00"), expected);
  EXPECT_EQ(parse_event_time(static_cast<double>(to_micros(expected)) / 1e6), expected);
  EXPECT_EQ(parse_event_time(static_cast<double>(to_micros(expected)) / 1e3), expected);
  EXPECT_EQ(parse_event_time("1200"), std::nullopt);
  EXPECT_EQ(parse_event_time("noon"), std::nullopt);
}

}  // namespace
}  // namespace weir::data
