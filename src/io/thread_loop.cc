#include "io/thread_loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

namespace weir::io {
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;
using Watcher = std::move_only_function<bool()>;

// Without a wake-up descriptor a loop can neither start nor be told so: the process is out of descriptors at start.
int check_descriptor(int fd, const char* what) {
  if (fd < 0) throw std::system_error(errno, std::generic_category(), what);
  return fd;
}

}  // namespace

struct ThreadLoop::Impl {
  const int epoll_fd = check_descriptor(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
  const int wake_fd = check_descriptor(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd");

  std::mutex mutex;
  bool stopping = false;
  bool awake = true;  // the thread will look at `ready` before it sleeps
  std::deque<Task> ready;
  TimerId last_timer = 0;
  std::map<std::pair<SteadyTime, TimerId>, Task> timers;
  std::unordered_map<TimerId, SteadyTime> timer_times;
  std::unordered_map<int, std::shared_ptr<Watcher>> watchers;

  std::mutex join_mutex;
  std::thread thread;

  ~Impl() {
    ::close(wake_fd);
    ::close(epoll_fd);
  }

  // Call with the mutex held.
  void wake() {
    if (std::exchange(awake, true)) return;
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(wake_fd, &one, sizeof one);
  }

  // Milliseconds to sleep at most, rounded up so that a timer is due when the sleep ends; -1 for no limit. Mutex held.
  int sleep_millis() const {
    if (!ready.empty()) return 0;
    if (timers.empty()) return -1;
    const auto wait = timers.begin()->first.first - std::chrono::steady_clock::now();
    const auto millis = std::chrono::ceil<std::chrono::milliseconds>(wait).count();
    return static_cast<int>(std::clamp<std::int64_t>(millis, 0, 3'600'000));
  }

  void run();
  bool run_ready();
  void run_watchers(int count, const epoll_event* events);
};

// Runs everything that is due. False once the loop is to stop.
bool ThreadLoop::Impl::run_ready() {
  std::deque<Task> tasks;
  const auto now = std::chrono::steady_clock::now();
  std::unique_lock lock(mutex);
  tasks.swap(ready);
  while (!stopping) {
    Task task;
    if (!tasks.empty()) {
      task = std::move(tasks.front());
      tasks.pop_front();
    } else if (!timers.empty() && timers.begin()->first.first <= now) {
      // Taken one at a time, so that a task can still cancel a timer that is due together with it.
      timer_times.erase(timers.begin()->first.second);
      task = std::move(timers.begin()->second);
      timers.erase(timers.begin());
    } else {
      return true;
    }
    lock.unlock();
    task();
    task = nullptr;  // what the task holds must not outlive its turn
    lock.lock();
  }
  lock.unlock();
  return false;
}

void ThreadLoop::Impl::run_watchers(int count, const epoll_event* events) {
  for (int i = 0; i < count; ++i) {
    const int fd = events[i].data.fd;
    if (fd == wake_fd) {
      std::uint64_t ignored = 0;
      [[maybe_unused]] const auto got = ::read(wake_fd, &ignored, sizeof ignored);
      continue;
    }
    std::shared_ptr<Watcher> watcher;
    {
      const std::scoped_lock lock(mutex);
      if (stopping) return;
      if (const auto found = watchers.find(fd); found != watchers.end()) watcher = found->second;
    }
    if (watcher == nullptr || (*watcher)()) continue;
    const std::scoped_lock lock(mutex);
    const auto found = watchers.find(fd);
    // The callback may have replaced itself by watching the same number again.
    if (found == watchers.end() || found->second != watcher) continue;
    watchers.erase(found);
    ::epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, nullptr);
  }
}

void ThreadLoop::Impl::run() {
  std::array<epoll_event, 64> events{};
  while (run_ready()) {
    int millis = 0;
    {
      const std::scoped_lock lock(mutex);
      millis = sleep_millis();
      awake = false;
    }
    const int count = ::epoll_wait(epoll_fd, events.data(), static_cast<int>(events.size()), millis);
    {
      const std::scoped_lock lock(mutex);
      awake = true;
    }
    if (count > 0) run_watchers(count, events.data());
  }
}

ThreadLoop::ThreadLoop() : impl_(std::make_unique<Impl>()) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = impl_->wake_fd;
  ::epoll_ctl(impl_->epoll_fd, EPOLL_CTL_ADD, impl_->wake_fd, &event);
  impl_->thread = std::thread([impl = impl_.get()] { impl->run(); });
}

ThreadLoop::~ThreadLoop() {
  stop();
}

void ThreadLoop::post(Task task) {
  const std::scoped_lock lock(impl_->mutex);
  if (impl_->stopping) return;
  impl_->ready.push_back(std::move(task));
  impl_->wake();
}

Loop::TimerId ThreadLoop::after(Duration delay, Task task) {
  const auto time = std::chrono::steady_clock::now() + delay;
  const std::scoped_lock lock(impl_->mutex);
  const TimerId id = ++impl_->last_timer;
  if (impl_->stopping) return id;
  impl_->timer_times.emplace(id, time);
  const auto placed = impl_->timers.emplace(std::pair{time, id}, std::move(task)).first;
  if (placed == impl_->timers.begin()) impl_->wake();
  return id;
}

void ThreadLoop::cancel(TimerId id) {
  Task dropped;  // destroyed without the lock: what it holds may call back
  const std::scoped_lock lock(impl_->mutex);
  const auto time = impl_->timer_times.find(id);
  if (time == impl_->timer_times.end()) return;
  const auto timer = impl_->timers.find({time->second, id});
  dropped = std::move(timer->second);
  impl_->timers.erase(timer);
  impl_->timer_times.erase(time);
}

void ThreadLoop::watch_readable(int fd, std::move_only_function<bool()> on_readable) {
  auto watcher = std::make_shared<Watcher>(std::move(on_readable));
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  const std::scoped_lock lock(impl_->mutex);
  if (impl_->stopping) return;
  impl_->watchers.insert_or_assign(fd, std::move(watcher));
  if (::epoll_ctl(impl_->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0 && errno == EEXIST) {
    ::epoll_ctl(impl_->epoll_fd, EPOLL_CTL_MOD, fd, &event);
  }
}

void ThreadLoop::unwatch(int fd) {
  std::shared_ptr<Watcher> dropped;
  const std::scoped_lock lock(impl_->mutex);
  const auto found = impl_->watchers.find(fd);
  if (found == impl_->watchers.end()) return;
  dropped = std::move(found->second);
  impl_->watchers.erase(found);
  ::epoll_ctl(impl_->epoll_fd, EPOLL_CTL_DEL, fd, nullptr);
}

void ThreadLoop::stop() {
  {
    const std::scoped_lock lock(impl_->mutex);
    impl_->stopping = true;
    impl_->wake();
  }
  const std::scoped_lock join_lock(impl_->join_mutex);
  if (impl_->thread.joinable()) impl_->thread.join();
  // Tasks are dropped without the lock: what they hold may post while it is destroyed.
  std::deque<Task> ready;
  std::map<std::pair<SteadyTime, TimerId>, Task> timers;
  std::unordered_map<int, std::shared_ptr<Watcher>> watchers;
  const std::scoped_lock lock(impl_->mutex);
  ready.swap(impl_->ready);
  timers.swap(impl_->timers);
  watchers.swap(impl_->watchers);
  impl_->timer_times.clear();
}

}  // namespace weir::io
