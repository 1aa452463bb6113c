#include "io/thread_loop.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "io/http_test_support.h"

namespace weir::io {
namespace {

using std::chrono::milliseconds;
using testing::Event;

TEST(ThreadLoop, RunsTasksInOrderOnItsOwnThread) {
  ThreadLoop loop;
  std::vector<int> seen;
  Event done;
  for (int i = 0; i < 100; ++i) loop.post([&seen, i] { seen.push_back(i); });
  std::thread::id thread;
  loop.post([&] {
    thread = std::this_thread::get_id();
    loop.post([&] { done.set(); });
  });
  ASSERT_TRUE(done.wait());
  EXPECT_NE(thread, std::this_thread::get_id());
  ASSERT_EQ(seen.size(), 100U);
  EXPECT_TRUE(std::ranges::is_sorted(seen));
}

TEST(ThreadLoop, TimersFireInTheOrderOfTheirTimesAndNotBefore) {
  ThreadLoop loop;
  std::string order;
  Event done;
  const auto start = std::chrono::steady_clock::now();
  loop.after(milliseconds{30}, [&] {
    order += "c";
    done.set();
  });
  loop.after(milliseconds{10}, [&] { order += "b"; });
  loop.after(milliseconds{0}, [&] { order += "a"; });
  ASSERT_TRUE(done.wait());
  EXPECT_GE(std::chrono::steady_clock::now() - start, milliseconds{30});
  EXPECT_EQ(order, "abc");
}

TEST(ThreadLoop, ACancelledTimerDoesNotFireEvenWhenItIsDue) {
  ThreadLoop loop;
  Event done;
  bool fired = false;
  loop.post([&] {
    const auto id = loop.after(milliseconds{0}, [&] { fired = true; });
    loop.post([&loop, id] { loop.cancel(id); });
    loop.after(milliseconds{1}, [&] { done.set(); });
  });
  ASSERT_TRUE(done.wait());
  EXPECT_FALSE(fired);
  loop.cancel(12345);
}

TEST(ThreadLoop, WatchesDescriptorsUntilTheCallbackHasEnough) {
  ThreadLoop loop;
  int pipe[2];
  ASSERT_EQ(::pipe2(pipe, O_CLOEXEC), 0);
  std::string seen;
  Event done;
  loop.watch_readable(pipe[0], [&] {
    char c = 0;
    if (::read(pipe[0], &c, 1) == 1) seen += c;
    if (c == 'z') done.set();
    return c != 'z';
  });
  ASSERT_EQ(::write(pipe[1], "xyz!", 4), 4);
  ASSERT_TRUE(done.wait());
  Event later;
  loop.after(milliseconds{5}, [&] { later.set(); });
  ASSERT_TRUE(later.wait());
  EXPECT_EQ(seen, "xyz");

  Event again;
  loop.watch_readable(pipe[0], [&] {
    again.set();
    loop.unwatch(pipe[0]);
    return true;
  });
  EXPECT_TRUE(again.wait());
  loop.stop();
  ::close(pipe[0]);
  ::close(pipe[1]);
}

TEST(ThreadLoop, StopDropsWhatHasNotRun) {
  auto held = std::make_shared<int>(1);
  ThreadLoop loop;
  loop.after(std::chrono::hours{1}, [held] {});
  loop.watch_readable(0, [held] { return true; });
  loop.stop();
  loop.post([held] {});
  loop.after(milliseconds{0}, [held] {});
  EXPECT_EQ(held.use_count(), 1);
}

TEST(ThreadLoop, TakesTasksFromManyThreads) {
  int count = 0;
  Event done;
  ThreadLoop loop;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int k = 0; k < 5000; ++k) {
        loop.post([&] {
          if (++count == 20'000) done.set();
        });
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(done.wait());
}

}  // namespace
}  // namespace weir::io
