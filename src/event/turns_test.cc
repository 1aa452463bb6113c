#include "event/turns.h"

#include <gtest/gtest.h>

#include <optional>
#include <thread>
#include <vector>

namespace weir::event {
namespace {

TEST(Turns, GivesOneThingInTheOrderOfThoseWhoCame) {
  Turns turns;
  std::vector<int> order;
  std::vector<std::jthread> threads;
  {
    const auto first = turns.take("flights");
    for (int i = 1; i <= 5; ++i) {
      threads.emplace_back([&turns, &order, i] {
        const auto turn = turns.take("flights");
        order.push_back(i);
      });
      while (turns.standing("flights") != static_cast<std::uint64_t>(i) + 1) std::this_thread::yield();
    }
    EXPECT_TRUE(order.empty());
  }
  threads.clear();
  EXPECT_EQ(order, (std::vector{1, 2, 3, 4, 5}));
  EXPECT_EQ(turns.standing("flights"), 0U);
}

TEST(Turns, DifferentThingsDoNotWaitForEachOther) {
  Turns turns;
  const auto one = turns.take("flights");
  const auto other = turns.take("rides");
  EXPECT_EQ(turns.standing("flights"), 1U);
  EXPECT_EQ(turns.standing("rides"), 1U);
}

}  // namespace
}  // namespace weir::event
