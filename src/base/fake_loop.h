#pragma once

#include <atomic>
#include <map>
#include <queue>
#include <utility>

#include "base/loop.h"

namespace weir {

// Clock and loop of deterministic tests: time moves only by advance(). One thread runs it; any
// may ask for the time.
class FakeLoop final : public Loop, public Clock {
 public:
  explicit FakeLoop(TimePoint start = parse_iso8601("2026-01-01").value()) : now_(start) {}

  [[nodiscard]] TimePoint now() const override { return now_; }

  void post(Task task) override { ready_.push(std::move(task)); }

  TimerId after(Duration delay, Task task) override {
    const TimerId id = ++last_id_;
    timers_.emplace(std::pair{now() + delay, id}, std::move(task));
    return id;
  }

  void cancel(TimerId id) override {
    std::erase_if(timers_, [&](const auto& timer) { return timer.first.second == id; });
  }

  // Runs what is ready, until nothing is.
  void run_ready() {
    while (!ready_.empty()) {
      Task task = std::move(ready_.front());
      ready_.pop();
      task();
    }
  }

  // Moves time on, firing timers in order, each at its own time.
  void advance(Duration step) {
    const TimePoint end = now() + step;
    run_ready();
    while (!timers_.empty() && timers_.begin()->first.first <= end) {
      now_ = std::max(now(), timers_.begin()->first.first);
      Task task = std::move(timers_.begin()->second);
      timers_.erase(timers_.begin());
      task();
      run_ready();
    }
    now_ = end;
  }

 private:
  std::atomic<TimePoint> now_;
  TimerId last_id_ = 0;
  std::queue<Task> ready_;
  std::map<std::pair<TimePoint, TimerId>, Task> timers_;
};

}  // namespace weir
