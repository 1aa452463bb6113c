#include "workflow/time_zone.h"

#include <gtest/gtest.h>

#include "workflow/cron.h"

namespace weir::workflow {
namespace {

std::string big_endian(std::int64_t value, int width) {
  std::string out;
  for (int i = width - 1; i >= 0; --i) {
    out += static_cast<char>(static_cast<std::uint64_t>(value) >> (8U * static_cast<unsigned>(i)));
  }
  return out;
}

// A zone file: an old block that is empty but for one offset, then changes of 64 bits and the rule.
std::string zone_file(const std::vector<std::pair<std::int64_t, int>>& changes, std::string_view rule, int first = 0) {
  const auto header = [](std::size_t count, std::size_t types) {
    std::string out = "TZif2" + std::string(15, '\0');
    for (const std::size_t value : {std::size_t{0}, std::size_t{0}, std::size_t{0}, count, types, std::size_t{1}}) {
      out += big_endian(static_cast<std::int64_t>(value), 4);
    }
    return out;
  };
  const auto type = [](int offset) { return big_endian(offset, 4) + std::string(2, '\0'); };
  std::string out = header(0, 1) + type(0) + std::string(1, '\0');
  out += header(changes.size(), changes.size() + 1);
  for (const auto& [from, offset] : changes) out += big_endian(from, 8);
  for (std::size_t i = 0; i < changes.size(); ++i) out += static_cast<char>(i + 1);
  out += type(first);
  for (const auto& [from, offset] : changes) out += type(offset);
  return out + std::string(1, '\0') + "\n" + std::string(rule) + "\n";
}

TimeZone zone_of(std::string_view rule) {
  auto zone = TimeZone::parse(zone_file({}, rule));
  EXPECT_TRUE(zone) << zone.error().message;
  return zone ? std::move(*zone) : TimeZone{};
}

TimePoint at(const char* iso) {
  return *parse_iso8601(iso);
}

std::string next_of(const char* cron, const TimeZone& zone, const char* after) {
  const auto next = Cron::parse(cron)->next(at(after), zone);
  return next ? to_iso8601(*next) : "never";
}

constexpr const char* kBerlin = "CET-1CEST,M3.5.0,M10.5.0/3";
constexpr const char* kSydney = "AEST-10AEDT,M10.1.0,M4.1.0/3";

TEST(TimeZone, RulesHoldForEveryYear) {
  const auto hours = [](std::string_view rule, const char* instant) {
    return std::chrono::duration<double, std::ratio<3600>>(zone_of(rule).offset_at(at(instant))).count();
  };
  EXPECT_EQ(hours(kBerlin, "2026-01-15T00:00:00Z"), 1);
  EXPECT_EQ(hours(kBerlin, "2026-07-15T00:00:00Z"), 2);
  EXPECT_EQ(hours(kBerlin, "2026-03-29T00:59:59Z"), 1);
  EXPECT_EQ(hours(kBerlin, "2026-03-29T01:00:00Z"), 2);
  EXPECT_EQ(hours(kBerlin, "2026-10-25T00:59:59Z"), 2);
  EXPECT_EQ(hours(kBerlin, "2050-10-30T01:00:00Z"), 1);
  EXPECT_EQ(hours(kSydney, "2026-01-15T00:00:00Z"), 11);
  EXPECT_EQ(hours(kSydney, "2026-07-15T00:00:00Z"), 10);
  EXPECT_EQ(hours("<+0545>-5:45", "2026-07-15T00:00:00Z"), 5.75);
  EXPECT_EQ(hours("XST3XDT,J60/0,300/25:30", "2026-02-28T12:00:00Z"), -3);
  EXPECT_EQ(hours("XST3XDT,J60/0,300/25:30", "2026-03-01T12:00:00Z"), -2);
}

TEST(TimeZone, ChangesOfThePastComeBeforeTheRule) {
  const auto zone = TimeZone::parse(zone_file({{0, 3'600}, {86'400, 7'200}}, "CET-1", 60));
  ASSERT_TRUE(zone) << zone.error().message;
  using std::chrono::seconds;
  EXPECT_EQ(zone->offset_at(TimePoint{seconds{-1}}), seconds{60});
  EXPECT_EQ(zone->offset_at(TimePoint{seconds{0}}), seconds{3'600});
  EXPECT_EQ(zone->offset_at(TimePoint{seconds{90'000}}), seconds{3'600}) << "after the last change the rule holds";
}

TEST(TimeZone, WhatIsNoZoneFileIsRefused) {
  const std::string good = zone_file({{0, 3'600}}, kBerlin);
  ASSERT_TRUE(TimeZone::parse(good));
  for (std::size_t length = 0; length < good.size() - 1; ++length) {
    // A rule that is cut may still be one.
    if (length < good.size() - std::string_view(kBerlin).size() - 1)
      EXPECT_FALSE(TimeZone::parse(std::string_view(good).substr(0, length))) << length;
  }
  for (const char* rule :
       {"CET", "CET-1CEST", "CET-1CEST,M3.5.0", "CET-1CEST,M13.5.0,M10.5.0", "CET-1CEST,M3.5.0,M1x"}) {
    EXPECT_FALSE(TimeZone::parse(zone_file({}, rule))) << rule;
  }
}

TEST(TimeZone, SchedulesFollowTheClocksOfTheirZone) {
  const auto berlin = zone_of(kBerlin);
  EXPECT_EQ(next_of("0 2 * * *", berlin, "2026-01-15T00:30:00Z"), "2026-01-15T01:00:00Z");
  EXPECT_EQ(next_of("0 2 * * *", berlin, "2026-07-15T00:30:00Z"), "2026-07-16T00:00:00Z");
  EXPECT_EQ(next_of("30 0 1 * *", berlin, "2026-07-15T00:00:00Z"), "2026-07-31T22:30:00Z");
}

TEST(TimeZone, AScheduleInASkippedHourComesAtTheJump) {
  const auto berlin = zone_of(kBerlin);
  EXPECT_EQ(next_of("30 2 * * *", berlin, "2026-03-28T12:00:00Z"), "2026-03-29T01:00:00Z");
  EXPECT_EQ(next_of("30 2 * * *", berlin, "2026-03-29T01:00:00Z"), "2026-03-30T00:30:00Z");
  EXPECT_EQ(next_of("*/20 * * * *", berlin, "2026-03-29T00:40:00Z"), "2026-03-29T01:00:00Z");
  EXPECT_EQ(next_of("*/20 * * * *", berlin, "2026-03-29T01:00:00Z"), "2026-03-29T01:20:00Z");
}

TEST(TimeZone, AScheduleInARepeatedHourComesOnceUnlessItIsOfEveryHour) {
  const auto berlin = zone_of(kBerlin);
  EXPECT_EQ(next_of("30 2 * * *", berlin, "2026-10-24T12:00:00Z"), "2026-10-25T00:30:00Z");
  EXPECT_EQ(next_of("30 2 * * *", berlin, "2026-10-25T00:30:00Z"), "2026-10-26T01:30:00Z");
  EXPECT_EQ(next_of("0 * * * *", berlin, "2026-10-25T00:00:00Z"), "2026-10-25T01:00:00Z");
  EXPECT_EQ(next_of("0 * * * *", berlin, "2026-10-25T01:00:00Z"), "2026-10-25T02:00:00Z");
}

}  // namespace
}  // namespace weir::workflow
