#include "workflow/cron.h"

#include <gtest/gtest.h>

namespace weir::workflow {
namespace {

std::string next_of(const char* cron, const char* after) {
  const auto parsed = Cron::parse(cron);
  if (!parsed) return parsed.error().message;
  const auto next = parsed->next(*parse_iso8601(after));
  return next ? to_iso8601(*next) : "never";
}

TEST(Cron, TheNextTimeIsTheFirstMinuteAfterwardsThatFits) {
  EXPECT_EQ(next_of("* * * * *", "2024-01-01T00:00:00Z"), "2024-01-01T00:01:00Z");
  EXPECT_EQ(next_of("* * * * *", "2024-01-01T00:00:59.5Z"), "2024-01-01T00:01:00Z");
  EXPECT_EQ(next_of("0 2 * * *", "2024-01-01T02:00:00Z"), "2024-01-02T02:00:00Z");
  EXPECT_EQ(next_of("0 2 * * *", "2024-01-01T01:59:59Z"), "2024-01-01T02:00:00Z");
  EXPECT_EQ(next_of("*/15 * * * *", "2024-01-01T00:14:00Z"), "2024-01-01T00:15:00Z");
  EXPECT_EQ(next_of("5/20 * * * *", "2024-01-01T00:26:00Z"), "2024-01-01T00:45:00Z");
  EXPECT_EQ(next_of("10-30/10 8-9 * * *", "2024-01-01T09:30:00Z"), "2024-01-02T08:10:00Z");
  EXPECT_EQ(next_of("59 23 31 12 *", "2024-12-31T23:59:00Z"), "2025-12-31T23:59:00Z");
  EXPECT_EQ(next_of("0 0 29 2 *", "2024-02-29T00:00:00Z"), "2028-02-29T00:00:00Z");
  EXPECT_EQ(next_of("0 0 29 2 *", "2096-03-01T00:00:00Z"), "2104-02-29T00:00:00Z");
}

TEST(Cron, WeekdaysCountFromSundayWhichIsAlsoSeven) {
  EXPECT_EQ(next_of("0 0 * * 0", "2024-01-01T00:00:00Z"), "2024-01-07T00:00:00Z");
  EXPECT_EQ(next_of("0 0 * * 7", "2024-01-01T00:00:00Z"), "2024-01-07T00:00:00Z");
  EXPECT_EQ(next_of("0 0 * * 5-7", "2024-01-06T12:00:00Z"), "2024-01-07T00:00:00Z");
  EXPECT_EQ(next_of("0 0 * * sun", "2024-01-01T00:00:00Z"), "2024-01-07T00:00:00Z");
  EXPECT_EQ(next_of("0 0 * JAN,Jul MON-FRI", "2024-01-31T12:00:00Z"), "2024-07-01T00:00:00Z");
}

TEST(Cron, WithBothDaysRestrictedEitherFits) {
  EXPECT_EQ(next_of("0 0 13 * 5", "2024-09-01T00:00:00Z"), "2024-09-06T00:00:00Z");
  EXPECT_EQ(next_of("0 0 13 * 5", "2024-09-06T00:00:00Z"), "2024-09-13T00:00:00Z");
  EXPECT_EQ(next_of("0 0 */2 * 1", "2024-09-02T00:00:00Z"), "2024-09-09T00:00:00Z") << "a star means not restricted";
}

TEST(Cron, MatchesSaysWhetherAMinuteFits) {
  const auto cron = Cron::parse("30 2 * * 1-5");
  EXPECT_TRUE(cron->matches(*parse_iso8601("2024-01-01T02:30:59Z")));
  EXPECT_FALSE(cron->matches(*parse_iso8601("2024-01-01T02:31:00Z")));
  EXPECT_FALSE(cron->matches(*parse_iso8601("2024-01-06T02:30:00Z")));
  EXPECT_TRUE(Cron::parse("0 0 1 1 *")->matches(*parse_iso8601("1960-01-01T00:00:30Z")));
}

TEST(Cron, LinesOfABlockAreSpaceToo) {
  EXPECT_EQ(next_of("0 6 * * *\n", "2024-01-01"), next_of("0 6 * * *", "2024-01-01"));
  EXPECT_EQ(next_of("0 6\r\n* * *", "2024-01-01"), next_of("0 6 * * *", "2024-01-01"));
}

TEST(Cron, WhatIsWrongIsNamed) {
  EXPECT_EQ(next_of("60 * * * *", "2024-01-01"),
            "cron \"60 * * * *\": minute \"60\" is not a value from 0 to 59, a range a-b, a step /n or *");
  EXPECT_EQ(next_of("* * * FOO *", "2024-01-01"),
            "cron \"* * * FOO *\": month \"FOO\" is not a value from 1 to 12 or a name such as JAN, a range a-b, a "
            "step /n or *");
  EXPECT_EQ(next_of("* * * *", "2024-01-01"),
            "cron \"* * * *\" has 4 field(s), not 5: minute, hour, day of month, month, day of week");
  EXPECT_EQ(next_of("@daily", "2024-01-01"),
            "cron \"@daily\": words with @ are not known on GitHub; write \"0 0 * * *\"");
  EXPECT_EQ(next_of("0 0 31 2 *", "2024-01-01"), "cron \"0 0 31 2 *\" never comes: no month has that day");
  for (const char* bad : {"",
                          "*/0 * * * *",
                          "5-1 * * * *",
                          "1, * * * *",
                          ",1 * * * *",
                          "1,,2 * * * *",
                          "-1 * * * *",
                          "1- * * * *",
                          "a * * * *",
                          "1/ * * * *",
                          "** * * * *",
                          "* * 0 * *",
                          "* * 32 * *",
                          "* * * 0 *",
                          "* * * * 8",
                          "* * * * * *",
                          "99999999999 * * * *",
                          "1.5 * * * *",
                          "*/99999999999 * * * *",
                          "L * * * *"}) {
    EXPECT_FALSE(Cron::parse(bad)) << bad;
  }
}

}  // namespace
}  // namespace weir::workflow
