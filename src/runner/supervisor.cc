#include "runner/supervisor.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <set>
#include <thread>
#include <utility>

#include "runner/process_tree.h"

namespace weir::runner {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t kReadBytes = 64U << 10;
constexpr Duration kOrphanPause = std::chrono::seconds{2};

int poll_timeout(std::optional<SteadyClock::time_point> deadline) {
  if (!deadline) return -1;
  const auto rest = std::chrono::ceil<std::chrono::milliseconds>(*deadline - SteadyClock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(rest, 0, 1 << 30));
}

sigset_t awaited_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGCHLD);
  return signals;
}

void sooner(std::optional<SteadyClock::time_point>& deadline, std::optional<SteadyClock::time_point> other) {
  if (other && (!deadline || *other < *deadline)) deadline = other;
}

}  // namespace

struct Supervisor::Stream {
  int fd;
  LineSplitter splitter;
  bool got_bytes = false;  // since somebody last looked

  Stream(int read_end, LineSplitter::Use use) : fd(read_end), splitter(std::move(use)) {}
  ~Stream() {
    if (fd >= 0) ::close(fd);
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
};

// What is being waited for: a step's process, or a thread that works inside the runner.
struct Supervisor::Watch {
  int done_fd = -1;
  bool done = false;
  bool is_work = false;
  pid_t pid = 0;
  std::optional<SteadyClock::time_point> step_deadline;
  std::optional<SteadyClock::time_point> wake_at;  // for the caller's own purposes
  const std::function<bool()>* on_cancel = nullptr;
  std::shared_ptr<std::atomic<bool>> stop;
  std::set<pid_t> others;  // children that were there before
  StopReason reason = StopReason::kNone;
  int signal_sent = 0;
  std::optional<SteadyClock::time_point> next_signal_at;
};

Supervisor::Supervisor(const Options& options, UseLine use_line, std::function<void()> after_lines)
    : options_(options), use_line_(std::move(use_line)), after_lines_(std::move(after_lines)) {
  buffer_.resize(kReadBytes);
}

Supervisor::~Supervisor() {
  if (signal_fd_ >= 0) ::close(signal_fd_);
}

Result<std::unique_ptr<Supervisor>> Supervisor::create(const Options& options, UseLine use_line,
                                                       std::function<void()> after_lines) {
  std::unique_ptr<Supervisor> supervisor(new Supervisor(options, std::move(use_line), std::move(after_lines)));
  WEIR_TRY(hold_signals());
  const sigset_t signals = awaited_signals();
  supervisor->signal_fd_ = ::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  if (supervisor->signal_fd_ < 0) return fail_errno(errno, "cannot listen for signals");
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGHUP, SIG_IGN);
  return supervisor;
}

Result<void> Supervisor::hold_signals() {
  const sigset_t signals = awaited_signals();
  if (const int error = ::pthread_sigmask(SIG_BLOCK, &signals, nullptr); error != 0) {
    return fail_errno(error, "cannot block signals");
  }
  return {};
}

bool Supervisor::killed() const {
  return cancel_signals_ >= 2;
}

Result<SupervisedEnd> Supervisor::run(int step, io::ProcessOptions options, std::optional<Duration> limit,
                                      const std::function<bool()>& on_cancel) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno(errno, "cannot make a pipe");
  streams_.push_back(std::make_unique<Stream>(ends[0], [this, step](const auto& line) { use_line_(step, line); }));
  Stream& stream = *streams_.back();
  kept_stream_ = &stream;
  Watch watch;
  if (reap_children()) {
    for (const auto& other : living_descendants()) watch.others.insert(other.pid);
  }
  options.stdout_fd = ends[1];
  options.stderr_fd = ends[1];
  auto process = io::Process::start(options);
  ::close(ends[1]);
  if (!process) {
    kept_stream_ = nullptr;
    streams_.pop_back();
    return std::unexpected(std::move(process).error());
  }
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  watch.pid = process->pid();
  watch.done_fd = process->pid_fd();
  if (limit) watch.step_deadline = SteadyClock::now() + *limit;
  watch.on_cancel = &on_cancel;

  while (!watch.done) wait_once(watch);
  const SupervisedEnd end{.status = process->wait().value_or(io::ExitStatus{255, 0}), .stopped = watch.reason};
  watch.done_fd = -1;
  if (watch.reason != StopReason::kNone) finish_stop(watch);
  drain(stream, watch);
  return SupervisedEnd{.status = end.status, .stopped = watch.reason};
}

Supervisor::WorkEnd Supervisor::run_work(std::function<void()> work, std::shared_ptr<std::atomic<bool>> stop,
                                         std::optional<Duration> limit, const std::function<bool()>& on_cancel) {
  Watch watch;
  watch.is_work = true;
  watch.stop = std::move(stop);
  watch.done_fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  watch.on_cancel = &on_cancel;
  if (reap_children()) {
    for (const auto& other : living_descendants()) watch.others.insert(other.pid);
  }
  if (limit) watch.step_deadline = SteadyClock::now() + *limit;
  std::thread thread([work = std::move(work), fd = watch.done_fd] {
    work();
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(fd, &one, sizeof one);
  });
  std::optional<SteadyClock::time_point> give_up_at;
  while (!watch.done) {
    if (watch.reason != StopReason::kNone && !give_up_at) {
      give_up_at = SteadyClock::now() + options_.pauses.interrupt + options_.pauses.terminate + kOrphanPause;
      watch.wake_at = give_up_at;
    }
    if (give_up_at && (SteadyClock::now() >= *give_up_at || killed())) break;
    wait_once(watch);
  }
  if (watch.done) {
    thread.join();
    ::close(watch.done_fd);
  } else {
    thread.detach();  // keeps its descriptor: it may still write to it
    work_abandoned_ = true;
  }
  return {.finished = watch.done, .stopped = watch.reason};
}

void Supervisor::poll_now() {
  Watch watch;
  watch.wake_at = SteadyClock::now();
  wait_once(watch);
}

void Supervisor::wait_once(Watch& watch) {
  std::vector<pollfd> fds{{signal_fd_, POLLIN, 0}};
  fds.push_back({watch.done ? -1 : watch.done_fd, POLLIN, 0});
  for (const auto& stream : streams_) fds.push_back({stream->fd, POLLIN, 0});
  std::optional<SteadyClock::time_point> deadline;
  sooner(deadline, watch.wake_at);
  sooner(deadline, watch.next_signal_at);
  sooner(deadline, job_deadline_);
  if (watch.reason == StopReason::kNone) sooner(deadline, watch.step_deadline);
  if (cancelled_at_ && !killed()) sooner(deadline, *cancelled_at_ + options_.cancel_limit);

  const int ready = ::poll(fds.data(), fds.size(), poll_timeout(deadline));
  if (ready > 0) {
    bool any = false;
    for (std::size_t i = 2; i < fds.size(); ++i) {
      if (fds[i].revents == 0) continue;
      read_stream(*streams_[i - 2]);
      any = true;
    }
    if (any) {
      after_lines_();
      std::erase_if(streams_, [&](const auto& stream) { return stream->fd < 0 && stream.get() != kept_stream_; });
    }
    if (fds[1].revents != 0) watch.done = true;
    if (fds[0].revents != 0) take_signals(watch);
  }
  check_deadlines(watch);
}

void Supervisor::read_stream(Stream& stream) {
  const ssize_t got = ::read(stream.fd, buffer_.data(), buffer_.size());
  if (got > 0) {
    stream.got_bytes = true;
    stream.splitter.push({buffer_.data(), static_cast<std::size_t>(got)});
    return;
  }
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  stream.splitter.finish();
  ::close(std::exchange(stream.fd, -1));
}

void Supervisor::take_signals(Watch& watch) {
  signalfd_siginfo info{};
  while (::read(signal_fd_, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
    if (info.ssi_signo == SIGCHLD) {
      // Orphans that ended would stay around as zombies until the step's end. A thread at work waits for its own.
      if (!watch.is_work && !work_abandoned_) reap_children(watch.pid);
      continue;
    }
    ++cancel_signals_;
    if (cancel_signals_ == 1 && !cancelled_) {
      cancel(watch);
    } else {
      // The second asks for haste; so does the first after the job's deadline has passed.
      cancel_signals_ = std::max(cancel_signals_, 2);
      kill_now(watch);
    }
  }
}

void Supervisor::cancel(Watch& watch) {
  cancelled_ = true;
  cancelled_at_ = SteadyClock::now();
  options_.on_cancelled();
  if (watch.on_cancel != nullptr && (*watch.on_cancel)()) begin_stop(watch, StopReason::kCancelled);
}

void Supervisor::kill_now(Watch& watch) {
  if (watch.on_cancel == nullptr) return;
  if (watch.reason == StopReason::kNone) watch.reason = StopReason::kCancelled;
  if (watch.stop) watch.stop->store(true);
  signal_descendants(watch, SIGKILL);
}

void Supervisor::check_deadlines(Watch& watch) {
  const auto now = SteadyClock::now();
  if (job_deadline_ && now >= *job_deadline_) {
    job_deadline_.reset();
    if (!cancelled_) {
      timed_out_ = true;
      cancel(watch);
    }
  }
  if (watch.reason == StopReason::kNone && watch.step_deadline && now >= *watch.step_deadline) {
    begin_stop(watch, StopReason::kStepTimeout);
  }
  if (cancelled_at_ && !killed() && now >= *cancelled_at_ + options_.cancel_limit) {
    cancel_signals_ = 2;
    kill_now(watch);
  }
  if (watch.next_signal_at && now >= *watch.next_signal_at) {
    signal_descendants(watch, watch.signal_sent == SIGINT ? SIGTERM : SIGKILL);
  }
}

void Supervisor::begin_stop(Watch& watch, StopReason reason) {
  if (watch.reason != StopReason::kNone) return;
  watch.reason = reason;
  if (watch.stop) watch.stop->store(true);
  signal_descendants(watch, SIGINT);
}

void Supervisor::signal_descendants(Watch& watch, int signal) {
  watch.signal_sent = signal;
  watch.next_signal_at.reset();
  if (signal == SIGINT) watch.next_signal_at = SteadyClock::now() + options_.pauses.interrupt;
  if (signal == SIGTERM) watch.next_signal_at = SteadyClock::now() + options_.pauses.terminate;
  for (const auto& process : living_descendants(watch.others)) {
    ::kill(process.pid, signal);
    if (signal == SIGTERM) ::kill(process.pid, SIGCONT);  // a stopped process would never see it
  }
}

void Supervisor::finish_stop(Watch& watch) {
  // The step's own process is gone; what it started must go too.
  for (int round = 0; round < 1'000; ++round) {
    reap_children();
    const auto left = living_descendants(watch.others);
    if (left.empty()) return;
    if (watch.signal_sent == SIGKILL) {
      for (const auto& process : left) ::kill(process.pid, SIGKILL);
      wait_for_any(left, kOrphanPause);
      if (round > 100) return;  // in the kernel's hands
      continue;
    }
    const auto pause = *watch.next_signal_at - SteadyClock::now();
    wait_for_any(left, std::max(Duration{0}, std::chrono::ceil<Duration>(pause)));
    take_signals(watch);
    check_deadlines(watch);
  }
}

void Supervisor::drain(Stream& stream, Watch& watch) {
  const auto end = SteadyClock::now() + options_.output_limit;
  watch.done = true;
  const bool patient = watch.reason == StopReason::kNone;
  auto silent_at = SteadyClock::now() + (patient ? options_.output_silence : Duration{0});
  while (stream.fd >= 0) {
    watch.wake_at = std::min(end, silent_at);
    stream.got_bytes = false;
    wait_once(watch);
    const auto now = SteadyClock::now();
    if (stream.got_bytes) {
      silent_at = now + (patient ? options_.output_silence : Duration{0});
    } else if (now >= silent_at) {
      break;
    }
    if (now >= end || watch.reason != StopReason::kNone) {
      if (!stream.got_bytes || now >= end) break;
    }
  }
  kept_stream_ = nullptr;
  std::erase_if(streams_, [](const auto& item) { return item->fd < 0; });
}

std::vector<std::string> Supervisor::end_orphans() {
  if (work_abandoned_ || !reap_children()) return {};
  std::vector<std::string> names;
  for (const int signal : {SIGTERM, SIGKILL}) {
    const auto deadline = SteadyClock::now() + kOrphanPause;
    std::set<pid_t> signalled;
    for (;;) {
      const auto left = living_descendants();
      if (left.empty()) break;
      for (const auto& process : left) {
        if (!signalled.insert(process.pid).second) continue;
        if (signal == SIGTERM) names.push_back(fmt::format("{} ({})", process.pid, process.name));
        ::kill(process.pid, signal);
        if (signal == SIGTERM) ::kill(process.pid, SIGCONT);
      }
      const auto rest = std::chrono::ceil<Duration>(deadline - SteadyClock::now());
      if (rest <= Duration{0}) break;
      wait_for_any(left, rest);
      reap_children();
    }
  }
  poll_now();
  return names;
}

}  // namespace weir::runner
