#include "runner/supervisor.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <semaphore>
#include <thread>
#include <utility>

namespace weir::runner {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t kReadBytes = 64U << 10;
constexpr Duration kOrphanPause = std::chrono::seconds{2};
constexpr auto kOrphanLook = std::chrono::milliseconds{20};  // between looks, while others go on
constexpr std::string_view kMark = "WEIR_STEP_PROCESS";

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
  sigaddset(&signals, SIGUSR1);
  sigaddset(&signals, SIGCHLD);
  return signals;
}

void sooner(std::optional<SteadyClock::time_point>& deadline, std::optional<SteadyClock::time_point> other) {
  if (other && (!deadline || *other < *deadline)) deadline = other;
}

}  // namespace

struct Supervisor::Strand {
  std::thread thread;
  std::binary_semaphore resume{0};
  std::binary_semaphore yielded{0};
  std::function<void()> switch_view;
  const std::function<bool()>* ready = nullptr;  // what it waits for; null: for the turn only
  std::optional<TimePoint> until;
  bool ended = false;
  bool stopping = false;
};

struct Supervisor::Stream {
  int fd;
  LineSplitter splitter;
  std::weak_ptr<Strand> owner;
  bool kept = true;        // drain() looks at it still
  bool got_bytes = false;  // since somebody last looked

  Stream(int read_end, LineSplitter::Use use, const StrandPtr& strand)
      : fd(read_end), splitter(std::move(use)), owner(strand) {}
  ~Stream() {
    if (fd >= 0) ::close(fd);
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
};

// What is being waited for: a step's process, or a thread that works inside the runner.
struct Supervisor::Watch {
  StrandPtr owner;
  int done_fd = -1;
  bool done = false;
  bool is_work = false;
  pid_t pid = 0;
  std::string mark;
  std::optional<TimePoint> step_deadline;
  const std::function<bool()>* on_cancel = nullptr;
  std::shared_ptr<std::atomic<bool>> stop;
  std::set<pid_t> others;  // children that were there before
  StopReason reason = StopReason::kNone;
  int signal_sent = 0;
  bool hasty = false;  // SIGKILL follows the first signal, whichever it was
  std::optional<TimePoint> next_signal_at;
};

// A watch is known to the supervisor as long as this lives.
class Supervisor::Watching {
 public:
  Watching(Supervisor& supervisor, Watch& watch) : supervisor_(supervisor), watch_(watch) {
    watch.owner = supervisor.current_;
    supervisor.watches_.push_back(&watch);
    if (watch.is_work) ++supervisor.works_;
  }
  ~Watching() {
    std::erase(supervisor_.watches_, &watch_);
    if (watch_.is_work) --supervisor_.works_;
  }
  Watching(const Watching&) = delete;
  Watching& operator=(const Watching&) = delete;

 private:
  Supervisor& supervisor_;
  Watch& watch_;
};

// What belongs to a strand is in place as long as this lives. For the job's own thread, which keeps the turn.
class Supervisor::Turn {
 public:
  explicit Turn(StrandPtr strand) : strand_(std::move(strand)) {
    if (strand_) strand_->switch_view();
  }
  ~Turn() {
    if (strand_) strand_->switch_view();
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  StrandPtr strand_;
};

Supervisor::Supervisor(const Options& options, std::function<void()> after_lines)
    : options_(options), after_lines_(std::move(after_lines)) {
  buffer_.resize(kReadBytes);
}

Supervisor::~Supervisor() {
  // One that has not ended waits for a turn that never comes; the process is about to end.
  for (const auto& strand : strands_) strand->thread.detach();
  if (signal_fd_ >= 0) ::close(signal_fd_);
}

Result<std::unique_ptr<Supervisor>> Supervisor::create(const Options& options, std::function<void()> after_lines) {
  std::unique_ptr<Supervisor> supervisor(new Supervisor(options, std::move(after_lines)));
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
  return cancel_signals_ >= 2 || preempted_;
}

// ---- what runs

std::set<pid_t> Supervisor::roots() const {
  std::set<pid_t> pids;
  for (const auto* watch : watches_) {
    if (watch->pid != 0) pids.insert(watch->pid);
  }
  return pids;
}

void Supervisor::note_others(Watch& watch) {
  if (works_ > (watch.is_work ? 1 : 0) || reap_children(roots())) {
    for (const auto& other : living_descendants()) watch.others.insert(other.pid);
  }
}

Result<SupervisedEnd> Supervisor::run(io::ProcessOptions options, LineSplitter::Use use_line,
                                      std::optional<Duration> limit, const std::function<bool()>& on_cancel) {
  if (stopping()) return SupervisedEnd{.status = {}, .stopped = StopReason::kCancelled};
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno(errno, "cannot make a pipe");
  streams_.push_back(std::make_unique<Stream>(ends[0], std::move(use_line), current_));
  Stream& stream = *streams_.back();
  Watch watch;
  if (marks_ && options.env) {
    watch.mark = fmt::format("{}", ++marks_made_);
    (*options.env)[std::string(kMark)] = watch.mark;
  }
  note_others(watch);
  options.stdout_fd = ends[1];
  options.stderr_fd = ends[1];
  auto process = io::Process::start(options);
  ::close(ends[1]);
  if (!process) {
    std::erase_if(streams_, [&](const auto& item) { return item.get() == &stream; });
    return std::unexpected(std::move(process).error());
  }
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  watch.pid = process->pid();
  watch.done_fd = process->pid_fd();
  if (limit) watch.step_deadline = SteadyClock::now() + *limit;
  watch.on_cancel = &on_cancel;
  const Watching watching(*this, watch);

  wait([&watch] { return watch.done; }, std::nullopt);
  const auto status = process->wait().value_or(io::ExitStatus{255, 0});
  watch.done_fd = -1;
  if (watch.reason != StopReason::kNone) finish_stop(watch);
  drain(stream, watch);
  return SupervisedEnd{.status = status, .stopped = watch.reason};
}

Supervisor::WorkEnd Supervisor::run_work(std::function<void()> work, std::shared_ptr<std::atomic<bool>> stop,
                                         std::optional<Duration> limit, const std::function<bool()>& on_cancel) {
  if (stopping()) return {.finished = false, .stopped = StopReason::kCancelled};
  Watch watch;
  watch.is_work = true;
  watch.stop = std::move(stop);
  watch.done_fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  watch.on_cancel = &on_cancel;
  const Watching watching(*this, watch);
  note_others(watch);
  if (limit) watch.step_deadline = SteadyClock::now() + *limit;
  std::thread thread([work = std::move(work), fd = watch.done_fd] {
    work();
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(fd, &one, sizeof one);
  });
  wait([&watch] { return watch.done || watch.reason != StopReason::kNone; }, std::nullopt);
  if (!watch.done) {
    const auto give_up_at = SteadyClock::now() + options_.pauses.interrupt + options_.pauses.terminate + kOrphanPause;
    wait([&] { return watch.done || killed(); }, give_up_at);
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
  wait([] { return true; }, SteadyClock::now());
}

// ---- the turn

Supervisor::StrandPtr Supervisor::start(std::function<void()> body, std::function<void()> switch_view) {
  auto strand = std::make_shared<Strand>();
  strand->switch_view = std::move(switch_view);
  strand->thread = std::thread([strand = strand.get(), body = std::move(body)] {
    strand->resume.acquire();
    body();
    strand->ended = true;
    strand->yielded.release();
  });
  strands_.push_back(strand);
  resume(strand);
  return strand;
}

bool Supervisor::ended(const Strand& strand) {
  return strand.ended;
}

bool Supervisor::stopping() const {
  return current_ != nullptr && current_->stopping;
}

void Supervisor::wait_until(const std::function<bool()>& ready) {
  if (!ready()) wait(ready, std::nullopt);
}

// Lets things happen at least once, and until `ready` holds or `until` has come.
void Supervisor::wait(const std::function<bool()>& ready, std::optional<TimePoint> until) {
  if (current_ == nullptr) {
    do {
      pump(until);
      if (!strands_.empty()) resume_ready();
    } while (!ready() && !(until && SteadyClock::now() >= *until));
    return;
  }
  const StrandPtr strand = current_;
  strand->ready = &ready;
  strand->until = until;
  strand->yielded.release();
  strand->resume.acquire();
  strand->ready = nullptr;
  strand->until.reset();
}

void Supervisor::resume(const StrandPtr& strand) {
  current_ = strand;
  Strand& running = *current_;
  running.switch_view();
  running.resume.release();
  running.yielded.acquire();
  running.switch_view();
  const StrandPtr had_turn = std::exchange(current_, nullptr);
  if (!had_turn->ended) return;
  had_turn->thread.join();
  std::erase(strands_, had_turn);
}

void Supervisor::resume_ready() {
  // What one does may be what another waits for.
  for (bool any = true; any;) {
    any = false;
    for (const auto& strand : std::vector<StrandPtr>(strands_)) {
      const bool due = strand->until && SteadyClock::now() >= *strand->until;
      if (strand->ended || (!due && strand->ready != nullptr && !(*strand->ready)())) continue;
      resume(strand);
      any = true;
    }
  }
}

void Supervisor::stop(Strand& strand) {
  strand.stopping = true;
  for (auto* watch : std::vector<Watch*>(watches_)) {
    if (watch->owner.get() != &strand || watch->done) continue;
    watch->hasty = true;
    begin_stop(*watch, StopReason::kCancelled, SIGTERM);
  }
}

// ---- what happens meanwhile

std::optional<Supervisor::TimePoint> Supervisor::next_deadline(std::optional<TimePoint> until) const {
  std::optional<TimePoint> deadline = until;
  sooner(deadline, job_deadline_);
  if (cancelled_at_ && !killed()) sooner(deadline, *cancelled_at_ + options_.cancel_limit);
  for (const auto* watch : watches_) {
    sooner(deadline, watch->next_signal_at);
    if (watch->reason == StopReason::kNone && !watch->done) sooner(deadline, watch->step_deadline);
  }
  for (const auto& strand : strands_) sooner(deadline, strand->until);
  return deadline;
}

void Supervisor::pump(std::optional<TimePoint> until) {
  std::vector<pollfd> fds{{signal_fd_, POLLIN, 0}};
  for (const auto* watch : watches_) fds.push_back({watch->done ? -1 : watch->done_fd, POLLIN, 0});
  const std::size_t first_stream = fds.size();
  for (const auto& stream : streams_) fds.push_back({stream->fd, POLLIN, 0});

  if (::poll(fds.data(), fds.size(), poll_timeout(next_deadline(until))) > 0) {
    bool any = false;
    for (std::size_t i = first_stream; i < fds.size(); ++i) {
      if (fds[i].revents == 0) continue;
      read_stream(*streams_[i - first_stream]);
      any = true;
    }
    if (any) {
      after_lines_();
      std::erase_if(streams_, [](const auto& stream) { return stream->fd < 0 && !stream->kept; });
    }
    for (std::size_t i = 1; i < first_stream; ++i) {
      if (fds[i].revents != 0) watches_[i - 1]->done = true;
    }
    if (fds[0].revents != 0) take_signals();
  }
  check_deadlines();
}

void Supervisor::read_stream(Stream& stream) {
  const Turn turn(current_ == nullptr ? stream.owner.lock() : nullptr);
  // The semaphores of strands are no critical section, and the pipe does not block.
  // NOLINTNEXTLINE(clang-analyzer-unix.BlockInCriticalSection)
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

void Supervisor::take_signals() {
  signalfd_siginfo info{};
  // NOLINTNEXTLINE(clang-analyzer-unix.BlockInCriticalSection): as above
  while (::read(signal_fd_, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
    if (info.ssi_signo == SIGCHLD) {
      // Orphans that ended would stay around as zombies until the step's end. A thread at work waits for its own.
      if (works_ == 0 && !work_abandoned_) reap_children(roots());
      continue;
    }
    if (info.ssi_signo == SIGUSR1) {
      preempt();
      continue;
    }
    ++cancel_signals_;
    if (cancel_signals_ == 1 && !cancelled_) {
      cancel();
    } else {
      // The second asks for haste; so does the first after the job's deadline has passed.
      cancel_signals_ = std::max(cancel_signals_, 2);
      kill_now();
    }
  }
}

void Supervisor::cancel() {
  cancelled_ = true;
  cancelled_at_ = SteadyClock::now();
  options_.on_cancelled();
  for (auto* watch : std::vector<Watch*>(watches_)) {
    const Turn turn(current_ == nullptr ? watch->owner : nullptr);
    if (watch->on_cancel != nullptr && (*watch->on_cancel)()) begin_stop(*watch, StopReason::kCancelled, SIGINT);
  }
}

void Supervisor::preempt() {
  if (cancelled_) return;
  cancelled_ = preempted_ = true;
  for (auto* watch : std::vector<Watch*>(watches_)) begin_stop(*watch, StopReason::kCancelled, SIGTERM);
}

void Supervisor::kill_now() {
  for (auto* watch : watches_) {
    if (watch->reason == StopReason::kNone) watch->reason = StopReason::kCancelled;
    if (watch->stop) watch->stop->store(true);
    signal_descendants(*watch, SIGKILL);
  }
}

void Supervisor::check_deadlines() {
  const auto now = SteadyClock::now();
  if (job_deadline_ && now >= *job_deadline_) {
    job_deadline_.reset();
    if (!cancelled_) {
      timed_out_ = true;
      cancel();
    }
  }
  if (cancelled_at_ && !killed() && now >= *cancelled_at_ + options_.cancel_limit) {
    cancel_signals_ = 2;
    kill_now();
  }
  for (auto* watch : watches_) {
    if (watch->reason == StopReason::kNone && watch->step_deadline && !watch->done && now >= *watch->step_deadline) {
      begin_stop(*watch, StopReason::kStepTimeout, SIGINT);
    }
    if (watch->next_signal_at && now >= *watch->next_signal_at) {
      signal_descendants(*watch, watch->signal_sent == SIGINT ? SIGTERM : SIGKILL);
    }
  }
}

void Supervisor::begin_stop(Watch& watch, StopReason reason, int signal) {
  if (watch.reason != StopReason::kNone) return;
  watch.reason = reason;
  if (watch.stop) watch.stop->store(true);
  signal_descendants(watch, signal);
}

void Supervisor::signal_descendants(Watch& watch, int signal) {
  watch.signal_sent = signal;
  watch.next_signal_at.reset();
  if (signal == SIGTERM && preempted_) {
    watch.next_signal_at = SteadyClock::now() + options_.preempt_grace;
  } else if (signal == SIGINT || (signal == SIGTERM && watch.hasty)) {
    watch.next_signal_at = SteadyClock::now() + options_.pauses.interrupt;
  } else if (signal == SIGTERM) {
    watch.next_signal_at = SteadyClock::now() + options_.pauses.terminate;
  }
  for (const auto& process : descendants_of(watch)) {
    if (spare_roots_ && process.pid == watch.pid && signal != SIGKILL) continue;
    ::kill(process.pid, signal);
    if (signal == SIGTERM) ::kill(process.pid, SIGCONT);  // a stopped process would never see it
  }
}

std::vector<TreeProcess> Supervisor::descendants_of(const Watch& watch) const {
  if (watches_.size() < 2) return without_spared(living_descendants(watch.others));
  // Not what runs side by side with it, nor what has come to this process from there: that tells its mark.
  std::set<pid_t> except = watch.others;
  for (const auto* other : watches_) {
    if (other != &watch && other->pid != 0) except.insert(other->pid);
  }
  return without_spared(living_descendants(except, [&watch](pid_t pid) {
    if (pid == watch.pid) return false;
    const std::string mark = variable_of(pid, kMark);
    return mark.empty() ? !watch.is_work : mark != watch.mark;
  }));
}

std::vector<TreeProcess> Supervisor::without_spared(std::vector<TreeProcess> all) const {
  if (spared_) std::erase_if(all, spared_);
  return all;
}

void Supervisor::finish_stop(Watch& watch) {
  // The step's own process is gone; what it started must go too.
  for (int round = 0; round < 1'000; ++round) {
    if (works_ == 0) reap_children(roots());
    const auto left = descendants_of(watch);
    if (left.empty()) return;
    if (watch.signal_sent == SIGKILL) {
      for (const auto& process : left) ::kill(process.pid, SIGKILL);
      wait_for_any(left, kOrphanPause);
      if (round > 100) return;  // in the kernel's hands
    } else if (watches_.size() > 1) {
      wait([] { return false; }, std::min(*watch.next_signal_at, SteadyClock::now() + kOrphanLook));
    } else {
      const auto pause = *watch.next_signal_at - SteadyClock::now();
      wait_for_any(left, std::max(Duration{0}, std::chrono::ceil<Duration>(pause)));
      take_signals();
      check_deadlines();
    }
  }
}

void Supervisor::drain(Stream& stream, Watch& watch) {
  const auto end = SteadyClock::now() + options_.output_limit;
  watch.done = true;
  const bool patient = watch.reason == StopReason::kNone;
  const auto silence = patient ? options_.output_silence : Duration{0};
  auto silent_at = SteadyClock::now() + silence;
  while (stream.fd >= 0) {
    stream.got_bytes = false;
    wait([&] { return stream.got_bytes || stream.fd < 0 || (patient && watch.reason != StopReason::kNone); },
         std::min(end, silent_at));
    const auto now = SteadyClock::now();
    if (now >= end) break;
    if (stream.got_bytes) {
      silent_at = now + silence;
    } else if (now >= silent_at || watch.reason != StopReason::kNone) {
      break;
    }
  }
  stream.kept = false;
  std::erase_if(streams_, [](const auto& item) { return item->fd < 0 && !item->kept; });
}

std::vector<std::string> Supervisor::end_orphans() {
  if (work_abandoned_ || !reap_children()) return {};
  std::vector<std::string> names;
  for (const int signal : {SIGTERM, SIGKILL}) {
    const auto deadline = SteadyClock::now() + kOrphanPause;
    std::set<pid_t> signalled;
    for (;;) {
      const auto left = without_spared(living_descendants());
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
