#include <gtest/gtest.h>

#include <latch>
#include <thread>

#include "base/broadcast.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"

namespace weir {
namespace {

TEST(Hash, HmacIsThatOfTheStandardsTestCases) {
  // RFC 4231, test case 2.
  EXPECT_EQ(hex_encode(hmac_sha256("Jefe", "what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST(Clock, TimesSurviveTheWayThroughText) {
  for (const char* text : {"2013-07-04T05:06:07Z", "2024-02-29T23:59:59.250Z", "1999-12-31T00:00:00.000001Z"}) {
    const auto time = parse_iso8601(text);
    ASSERT_TRUE(time) << time.error().message;
    EXPECT_EQ(to_iso8601(*time), text);
  }
}

TEST(Clock, OffsetsAndShortFormsAreRead) {
  EXPECT_EQ(to_iso8601(*parse_iso8601("2013-07-04")), "2013-07-04T00:00:00Z");
  EXPECT_EQ(to_iso8601(*parse_iso8601("2013-07-04 05:06:07")), "2013-07-04T05:06:07Z");
  EXPECT_EQ(to_iso8601(*parse_iso8601("2013-07-04T01:00:00+02:00")), "2013-07-03T23:00:00Z");
}

TEST(Clock, WhatIsNotATimeIsRefusedWithAnExample) {
  for (const char* text : {"", "2013", "2013-13-01", "2013-02-30", "2013-01-01T25:00:00Z", "2013-01-01x"}) {
    EXPECT_FALSE(parse_iso8601(text)) << text;
  }
}

TEST(Clock, DurationsAreReadInEveryUnit) {
  EXPECT_EQ(*parse_duration("150ms"), std::chrono::milliseconds{150});
  EXPECT_EQ(*parse_duration("2d"), std::chrono::hours{48});
  EXPECT_EQ(*parse_duration("1.5h"), std::chrono::minutes{90});
  for (const char* text : {"", "5", "5 m", "-5m", "m", "1e30w", "5y"}) EXPECT_FALSE(parse_duration(text)) << text;
}

TEST(Hash, KnownAnswers) {
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(base64_encode("any carnal pleas"), "YW55IGNhcm5hbCBwbGVhcw==");
}

TEST(Json, BadTextSaysWhere) {
  const auto bad = parse_json("{\"a\": 1,}", "request body");
  ASSERT_FALSE(bad);
  EXPECT_NE(bad.error().message.find("request body is not valid JSON at byte"), std::string::npos);
  EXPECT_FALSE(parse_json("1 2", "x"));
  EXPECT_FALSE(parse_json(std::string(1000, '['), "x"));
  EXPECT_TRUE(parse_json("  {\"a\": [1, 2.5, null]} \n", "x"));
}

TEST(Broadcast, WhoDropsItsHandleWaitsForTheCallThatIsUnderWay) {
  Broadcast<int> bus;
  std::latch called{1};
  auto seen = std::make_unique<int>(0);
  auto handle = bus.subscribe([&](const int&) {
    called.count_down();
    for (int i = 0; i < 1'000; ++i) std::this_thread::yield();
    ++*seen;
  });
  std::thread loop([&] { bus.publish(1); });
  called.wait();
  handle.reset();
  EXPECT_EQ(*seen, 1);
  seen.reset();
  loop.join();
  bus.publish(1);
  EXPECT_FALSE(bus.heard());
}

TEST(Broadcast, AListenerMayDropItsOwnHandle) {
  Broadcast<int> bus;
  int calls = 0;
  std::shared_ptr<void> handle;
  handle = bus.subscribe([&](const int&) {
    ++calls;
    handle.reset();
  });
  bus.publish(1);
  bus.publish(1);
  EXPECT_EQ(calls, 1);
}

}  // namespace
}  // namespace weir
