#include "engine/local_executor.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <future>
#include <map>
#include <unordered_map>
#include <utility>

#include "engine/job_turns.h"
#include "engine/session.h"
#include "io/descriptor.h"
#include "io/file.h"
#include "io/process.h"

namespace weir::engine {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLockName = "runner.err";
constexpr const char* kJournalName = "journal.jsonl";
constexpr Duration kPidPoll{std::chrono::milliseconds{20}};

using io::Descriptor;

// Plain write: a job's files need not survive a power cut, which no runner survives either.
Result<void> write_plain(const fs::path& path, std::string_view bytes) {
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!file) return fail_errno(errno, fmt::format("cannot write {}", path.string()));
  return io::write_all(file.get(), bytes, path.string());
}

// A descriptor from which `bytes` can be read once, without anybody having to wait: a pipe that is large enough, or
// anonymous memory where no pipe is.
Result<Descriptor> readable_bytes(std::string_view bytes) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0) {
    Descriptor reader(ends[0]);
    const Descriptor writer(ends[1]);
    const int wanted = static_cast<int>(std::min<std::size_t>(bytes.size(), 1U << 20));
    if (wanted > 65'536) ::fcntl(writer.get(), F_SETPIPE_SZ, wanted);
    if (bytes.empty() || ::write(writer.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size())) {
      ::fcntl(reader.get(), F_SETFL, 0);  // the flag belongs to the open file, which the runner shares
      return reader;
    }
  }
  Descriptor memory(::memfd_create("weir-runner-input", MFD_CLOEXEC));
  if (!memory) return fail_errno(errno, "cannot make the runner's input");
  if (::write(memory.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) {
    return fail_errno(errno, "cannot write the runner's input");
  }
  ::lseek(memory.get(), 0, SEEK_SET);
  return memory;
}

// Whether somebody holds the lock of a file; a file that is not there is not locked.
bool is_locked(const fs::path& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file || ::flock(file.get(), LOCK_EX | LOCK_NB) == 0) return false;
  return errno == EWOULDBLOCK;
}

bool runner_lives(const fs::path& job_dir) {
  return is_locked(job_dir / kLockName) || is_locked(job_dir / kJournalName);
}

// This process's environment, marked as the job's.
std::map<std::string, std::string> environment_for(const fs::path& job_dir) {
  std::map<std::string, std::string> all;
  for (char** item = environ; *item != nullptr; ++item) {
    const std::string_view text = *item;
    const auto equals = text.find('=');
    if (equals != std::string_view::npos) all.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  all[kTrackingVariable] = tracking_id(job_dir);
  return all;
}

std::string last_lines(const fs::path& path) {
  auto text = io::read_file(path).value_or("");
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  if (text.size() > 500) text.erase(0, text.size() - 500);
  return text;
}

}  // namespace

struct LocalExecutor::Impl : std::enable_shared_from_this<Impl> {
  struct Running {
    fs::path dir;
    std::optional<io::Process> process;  // a child of this server's
    Descriptor adopted;                  // pidfd of an earlier server's
    pid_t pid = 0;                       // 0: alive, but its journal does not say it yet
    int watch = -1;                      // inotify
    bool killed = false;
    bool cancelled = false;  // asked to stop; twice would mean at once

    [[nodiscard]] int pid_fd() const { return process ? process->pid_fd() : adopted.get(); }
  };

  Impl(io::ThreadLoop& the_loop, Log& the_log, Options the_options)
      : loop(the_loop),
        log(the_log),
        options(std::move(the_options)),
        inotify(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
    // Runners start in their job's folder, from where a relative path leads elsewhere.
    options.runner = fs::absolute(options.runner);
  }

  io::ThreadLoop& loop;
  Log& log;
  Options options;
  Listener listener;
  Descriptor inotify;
  std::map<std::int64_t, Running> running;
  std::unordered_map<int, std::int64_t> job_of_watch;
  std::atomic<bool> detached = false;  // changed on the loop

  void follow(std::int64_t job, Running& entry) {
    if (!inotify || !listener.on_progress) return;
    entry.watch = ::inotify_add_watch(inotify.get(), entry.dir.c_str(), IN_MODIFY);
    if (entry.watch >= 0) job_of_watch[entry.watch] = job;
  }

  void unfollow(const Running& entry) {
    if (entry.watch < 0) return;
    job_of_watch.erase(entry.watch);
    ::inotify_rm_watch(inotify.get(), entry.watch);
  }

  void watch_progress() {
    if (!inotify || detached) return;
    loop.watch_readable(inotify.get(), [weak = weak_from_this()] {
      const auto self = weak.lock();
      if (!self || self->detached) return false;
      self->report_progress();
      // Logs grow in many small writes: look again after a pause instead of at each of them.
      self->loop.after(self->options.progress_pause, [weak] {
        if (const auto later = weak.lock()) later->watch_progress();
      });
      return false;
    });
  }

  void report_progress() {
    alignas(inotify_event) std::array<char, 16'384> buffer;
    std::vector<std::int64_t> grown;
    for (;;) {
      // Does not block: the descriptor was made so. NOLINTNEXTLINE(clang-analyzer-unix.BlockInCriticalSection)
      const auto size = ::read(inotify.get(), buffer.data(), buffer.size());
      if (size <= 0) break;
      for (ssize_t at = 0; at < size;) {
        const auto* event = reinterpret_cast<const inotify_event*>(buffer.data() + at);
        at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
        const auto found = job_of_watch.find(event->wd);
        if (found != job_of_watch.end()) grown.push_back(found->second);
      }
    }
    std::ranges::sort(grown);
    const auto repeated = std::ranges::unique(grown);
    grown.erase(repeated.begin(), repeated.end());
    for (const auto job : grown) listener.on_progress(job);
  }

  void watch_end(std::int64_t job, int pid_fd) {
    loop.watch_readable(pid_fd, [weak = weak_from_this(), job] {
      if (const auto self = weak.lock(); self && !self->detached) self->ended(job);
      return false;
    });
  }

  void ended(std::int64_t job) {
    const auto found = running.find(job);
    if (found == running.end()) return;
    Running entry = std::move(found->second);
    running.erase(found);
    if (entry.pid_fd() >= 0) loop.unwatch(entry.pid_fd());  // closed with the entry; the number may be another's then
    unfollow(entry);
    JobEnd end{.report = read_report_file(entry.dir), .error = {}};
    // What a dead runner leaves behind, also one that died while no server was there. Before the runner is waited for:
    // until then its number is nobody else's.
    if (!end.report.finished) kill_job(entry.pid, tracking_id(entry.dir));
    std::optional<io::ExitStatus> status;
    if (entry.process) status = entry.process->wait();
    if (!end.report.finished) {
      end.error = "the runner died";
      if (status && status->signal == 0 && status->code == ENOSPC) {
        end.error = fmt::format("the runner found no room on the disk of {}; free some there and run the job again",
                                entry.dir.string());
      } else if (status) {
        end.error +=
            status->signal != 0 ? fmt::format(" (signal {})", status->signal) : fmt::format(" (exit {})", status->code);
      }
      if (const auto text = last_lines(entry.dir / kLockName); !text.empty()) end.error += ": " + text;
    }
    listener.on_end(job, std::move(end));
  }

  // A runner of an earlier server's is alive, but perhaps has not written its process id yet.
  void find_adopted(std::int64_t job) {
    const auto found = running.find(job);
    if (found == running.end() || detached) return;
    auto& entry = found->second;
    const bool alive = runner_lives(entry.dir);
    const auto report = read_report_file(entry.dir);
    const auto pid = static_cast<pid_t>(report.pid);
    if (alive && pid > 0) {
      entry.adopted = Descriptor(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
      // Still locked: then the number was that of the runner when the descriptor was made, not a later process's.
      if (entry.adopted && runner_lives(entry.dir)) {
        entry.pid = pid;
        if (entry.killed) kill_job(pid, tracking_id(entry.dir));
        if (entry.cancelled && !report.cancelled) signal(entry, SIGTERM);
        watch_end(job, entry.adopted.get());
        return;
      }
    }
    if (!alive) return ended(job);
    loop.after(kPidPoll, [weak = weak_from_this(), job] {
      if (const auto self = weak.lock()) self->find_adopted(job);
    });
  }

  void detach() {
    if (detached.exchange(true)) return;
    for (const auto& [job, entry] : running) {
      if (entry.pid_fd() >= 0) loop.unwatch(entry.pid_fd());
    }
    if (inotify) loop.unwatch(inotify.get());
    running.clear();
  }

  static void signal(const Running& entry, int number) {
    if (entry.pid_fd() >= 0) ::syscall(SYS_pidfd_send_signal, entry.pid_fd(), number, nullptr, 0);
  }
};

LocalExecutor::LocalExecutor(io::ThreadLoop& loop, Log& log, Options options)
    : impl_(std::make_shared<Impl>(loop, log, std::move(options))) {}

LocalExecutor::~LocalExecutor() {
  if (impl_->detached) return;
  // The loop may be in the middle of a callback, which also has the map of what runs.
  std::promise<void> detached;
  auto waiting = detached.get_future();
  impl_->loop.post([impl = impl_, detached = std::move(detached)]() mutable {
    impl->detach();
    detached.set_value();
  });
  waiting.wait();  // a loop that has stopped drops the task, and with it the promise
}

void LocalExecutor::listen(Listener listener) {
  impl_->listener = std::move(listener);
  if (impl_->listener.on_progress) impl_->watch_progress();
}

Result<void> LocalExecutor::prepare(const JobLaunch& launch) {
  if (launch.preemptions > 0) WEIR_TRY(begin_turn(launch.job_dir, kLockName));
  WEIR_TRY(io::make_dirs(launch.job_dir));
  return write_plain(launch.job_dir / "spec.json", json::serialize(types::to_json(launch.spec)));
}

Result<void> LocalExecutor::start(const JobLaunch& launch) {
  const auto lock_path = launch.job_dir / kLockName;
  const Descriptor lock(::open(lock_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!lock) return fail_errno(errno, fmt::format("cannot open {}", lock_path.string()));
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    return fail(Code::kFailedPrecondition, "a runner is at work in {} already", launch.job_dir.string());
  }
  const Descriptor input = WEIR_TRY(readable_bytes(launch.secrets));
  const auto job = launch.spec.job_id;
  Impl::Running entry;
  entry.dir = launch.job_dir;
  impl_->follow(job, entry);  // first, so that not even its first line is missed
  std::vector<std::string> argv{impl_->options.runner.string(), launch.job_dir.string()};
  if (impl_->options.nice > 0) argv.push_back(fmt::format("--nice={}", impl_->options.nice));
  auto process = io::Process::start({.argv = std::move(argv),
                                     .working_dir = launch.job_dir,
                                     .env = environment_for(launch.job_dir),
                                     .stdin_fd = input.get(),
                                     .stdout_fd = lock.get(),
                                     .stderr_fd = lock.get(),
                                     .new_session = true,
                                     // As Supervisor::hold_signals() does: its first moments are no time to be ended.
                                     .held_signals = {SIGTERM, SIGINT, SIGUSR1}});
  if (!process) {
    impl_->unfollow(entry);
    return std::unexpected(std::move(process).error());
  }
  entry.pid = process->pid();
  entry.process = *std::move(process);
  impl_->watch_end(job, entry.pid_fd());
  impl_->running[job] = std::move(entry);
  return {};
}

Result<Adoption> LocalExecutor::adopt(std::int64_t job, const fs::path& job_dir) {
  std::error_code ignored;
  if (!fs::exists(job_dir / kLockName, ignored)) return Adoption::kNeverStarted;
  const bool alive = runner_lives(job_dir);
  if (!alive && !read_report_file(job_dir).started) return Adoption::kNeverStarted;
  auto& entry = impl_->running[job];
  entry.dir = job_dir;
  if (alive) impl_->follow(job, entry);
  impl_->loop.post([weak = std::weak_ptr(impl_), job] {
    if (const auto self = weak.lock()) self->find_adopted(job);
  });
  return alive ? Adoption::kRunning : Adoption::kEnded;
}

void LocalExecutor::cancel(std::int64_t job) {
  const auto found = impl_->running.find(job);
  if (found == impl_->running.end() || std::exchange(found->second.cancelled, true)) return;
  Impl::signal(found->second, SIGTERM);
}

void LocalExecutor::preempt(std::int64_t job) {
  const auto found = impl_->running.find(job);
  if (found != impl_->running.end()) Impl::signal(found->second, SIGUSR1);
}

void LocalExecutor::kill(std::int64_t job) {
  const auto found = impl_->running.find(job);
  if (found == impl_->running.end()) return;
  found->second.killed = true;
  if (found->second.pid > 0) kill_job(found->second.pid, tracking_id(found->second.dir));
}

void LocalExecutor::detach() {
  impl_->detach();
}

}  // namespace weir::engine
