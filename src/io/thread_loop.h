#pragma once

#include <memory>

#include "base/loop.h"

namespace weir::io {

// The real event loop: one thread of its own. Destroying it drops what has not run and joins the thread; stop()
// does the same earlier. Tasks must not block for long.
class ThreadLoop final : public Loop {
 public:
  ThreadLoop();
  ~ThreadLoop() override;

  void post(Task task) override;
  TimerId after(Duration delay, Task task) override;
  void cancel(TimerId id) override;

  // Calls `on_readable` on the loop whenever `fd` is readable (level-triggered), until unwatch or false. Unwatch
  // before closing `fd`, also within its callback: afterwards the number may be another file's.
  void watch_readable(int fd, std::move_only_function<bool()> on_readable);
  void unwatch(int fd);

  void stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir::io
