#include "io/http_pool.h"

#include <system_error>
#include <utility>

namespace weir::io {

void BlockingPool::submit(Job job) {
  std::unique_lock lock(mutex_);
  if (idle_ <= jobs_.size() && threads_.size() < threads_max_) {
    try {
      threads_.emplace_back([this] { work(); });
    } catch (const std::system_error&) {
      if (threads_.empty()) {
        lock.unlock();
        job();
        return;
      }
    }
  }
  jobs_.push_back(std::move(job));
  lock.unlock();
  wake_.notify_one();
}

void BlockingPool::stop() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

void BlockingPool::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    ++idle_;
    wake_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    --idle_;
    if (jobs_.empty()) return;
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job();
    job = nullptr;
    lock.lock();
  }
}

}  // namespace weir::io
