#pragma once

#include <cstdint>
#include <functional>

#include "base/clock.h"

namespace weir {

// A single-threaded event loop: everything posted runs one after another, never two at once, so that an actor which
// lives on one loop needs no locks. `io::ThreadLoop` is the real one; `FakeLoop` steps under a test's control.
class Loop {
 public:
  using Task = std::move_only_function<void()>;
  using TimerId = std::uint64_t;

  virtual ~Loop() = default;

  // Runs `task` on the loop, later. Any thread.
  virtual void post(Task task) = 0;

  // Runs `task` once `delay` has passed. Any thread.
  virtual TimerId after(Duration delay, Task task) = 0;

  // Forgets a timer; one that has fired or is unknown is ignored. Any thread; a task already running goes on.
  virtual void cancel(TimerId id) = 0;
};

}  // namespace weir
