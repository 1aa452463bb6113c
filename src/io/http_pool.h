#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace weir::io {

// Threads for work that blocks, started when first needed, at most `threads_max`; what is beyond waits in order.
class BlockingPool {
 public:
  using Job = std::move_only_function<void()>;

  explicit BlockingPool(int threads_max) : threads_max_(static_cast<std::size_t>(threads_max)) {}
  ~BlockingPool() { stop(); }
  BlockingPool(const BlockingPool&) = delete;
  BlockingPool& operator=(const BlockingPool&) = delete;

  // Any thread. Runs on the caller's own thread when not one thread can be had.
  void submit(Job job);

  // Runs what waits and joins. Nothing may be submitted afterwards.
  void stop();

 private:
  void work();

  const std::size_t threads_max_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> jobs_;
  std::size_t idle_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace weir::io
