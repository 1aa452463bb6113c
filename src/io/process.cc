#include "io/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace weir::io {
namespace {

// Where `name` is found along PATH; "" if nowhere.
std::string find_program(const std::string& name, std::string_view path) {
  if (name.find('/') != std::string::npos) return name;
  while (!path.empty()) {
    const auto end = path.find(':');
    const std::string_view folder = path.substr(0, end);
    path.remove_prefix(end == std::string_view::npos ? path.size() : end + 1);
    std::string candidate = folder.empty() ? name : std::string(folder) + "/" + name;
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return {};
}

struct SpawnAttributes {
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_t actions;
  SpawnAttributes() {
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_init(&actions);
  }
  ~SpawnAttributes() {
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
  }
  SpawnAttributes(const SpawnAttributes&) = delete;
  SpawnAttributes& operator=(const SpawnAttributes&) = delete;
};

ExitStatus decode(int raw) {
  if (WIFSIGNALED(raw)) return {128 + WTERMSIG(raw), WTERMSIG(raw)};
  return {WEXITSTATUS(raw), 0};
}

void set_up(SpawnAttributes& spawn, const ProcessOptions& options) {
  short flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
  if (options.new_session) {
    flags |= POSIX_SPAWN_SETSID;
  } else if (options.new_group) {
    flags |= POSIX_SPAWN_SETPGROUP;
    posix_spawnattr_setpgroup(&spawn.attributes, 0);
  }
  sigset_t defaults;
  sigfillset(&defaults);
  sigdelset(&defaults, SIGKILL);
  sigdelset(&defaults, SIGSTOP);
  posix_spawnattr_setsigdefault(&spawn.attributes, &defaults);
  sigset_t held;
  sigemptyset(&held);
  for (const int signal : options.held_signals) sigaddset(&held, signal);
  posix_spawnattr_setsigmask(&spawn.attributes, &held);
  posix_spawnattr_setflags(&spawn.attributes, flags);

  if (options.stdin_fd >= 0) {
    posix_spawn_file_actions_adddup2(&spawn.actions, options.stdin_fd, 0);
  } else {
    posix_spawn_file_actions_addopen(&spawn.actions, 0, "/dev/null", O_RDONLY, 0);
  }
  if (options.stdout_fd >= 0) posix_spawn_file_actions_adddup2(&spawn.actions, options.stdout_fd, 1);
  if (options.stderr_fd >= 0) posix_spawn_file_actions_adddup2(&spawn.actions, options.stderr_fd, 2);
  // Libraries open descriptors that children would inherit: a listening socket that outlives its server in one of them
  // keeps the port.
  posix_spawn_file_actions_addclosefrom_np(&spawn.actions, 3);
  if (!options.working_dir.empty()) {
    posix_spawn_file_actions_addchdir_np(&spawn.actions, options.working_dir.c_str());
  }
}

struct Pipe {
  int read_end = -1;
  int write_end = -1;
  ~Pipe() {
    close_read();
    close_write();
  }
  Pipe() = default;
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  bool open() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return false;
    read_end = ends[0];
    write_end = ends[1];
    return true;
  }
  // A socket pair instead: a program that does not read its input then costs an error, not a SIGPIPE.
  bool open_socket() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return false;
    read_end = ends[0];
    write_end = ends[1];
    return true;
  }
  void close_read() {
    if (read_end >= 0) ::close(std::exchange(read_end, -1));
  }
  void close_write() {
    if (write_end >= 0) ::close(std::exchange(write_end, -1));
  }
};

std::string tail(std::string_view text, std::size_t bytes_max) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
  if (text.size() > bytes_max) text.remove_prefix(text.size() - bytes_max);
  return std::string(text);
}

}  // namespace

Result<Process> Process::start(const ProcessOptions& options) {
  if (options.argv.empty()) return fail(Code::kInvalidArgument, "no program to start");
  std::vector<std::string> env_texts;
  std::vector<char*> env_pointers;
  std::string_view path;
  if (options.env) {
    for (const auto& [name, value] : *options.env) {
      env_texts.push_back(name + "=" + value);
      if (name == "PATH") path = value;
    }
    for (auto& text : env_texts) env_pointers.push_back(text.data());
    env_pointers.push_back(nullptr);
  } else if (const char* inherited = std::getenv("PATH"); inherited != nullptr) {
    path = inherited;
  }
  if (path.empty()) path = "/usr/local/bin:/usr/bin:/bin";
  const std::string program = find_program(options.argv[0], path);
  if (program.empty()) return fail(Code::kNotFound, "there is no program \"{}\" on PATH ({})", options.argv[0], path);

  std::vector<std::string> arguments = options.argv;
  std::vector<char*> pointers;
  for (auto& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);

  SpawnAttributes spawn;
  set_up(spawn, options);
  pid_t pid = -1;
  const int error = posix_spawn(&pid, program.c_str(), &spawn.actions, &spawn.attributes, pointers.data(),
                                options.env ? env_pointers.data() : environ);
  if (error != 0) {
    std::error_code ignored;
    if (!options.working_dir.empty() && !std::filesystem::is_directory(options.working_dir, ignored)) {
      return fail(Code::kNotFound, "cannot start \"{}\": there is no folder {}", options.argv[0],
                  options.working_dir.string());
    }
    return fail_errno(error, fmt::format("cannot start \"{}\"", program));
  }
  const int pid_fd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  return Process(pid, pid_fd, options.new_group || options.new_session);
}

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      pid_fd_(std::exchange(other.pid_fd_, -1)),
      group_(other.group_),
      status_(other.status_) {}

Process& Process::operator=(Process&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(pid_fd_, other.pid_fd_);
  std::swap(group_, other.group_);
  std::swap(status_, other.status_);
  return *this;
}

Process::~Process() {
  if (pid_ > 0 && !status_) ::waitpid(pid_, nullptr, WNOHANG);
  if (pid_fd_ >= 0) ::close(pid_fd_);
}

std::optional<ExitStatus> Process::wait(std::optional<Duration> limit) {
  if (status_) return status_;
  const auto deadline = std::chrono::steady_clock::now() + limit.value_or(Duration{0});
  if (limit) {
    for (;;) {
      const auto rest = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
      pollfd ended{pid_fd_, POLLIN, 0};
      const int ready = ::poll(&ended, 1, static_cast<int>(std::max<std::int64_t>(0, rest.count())));
      if (ready > 0) break;
      if (ready < 0 && errno == EINTR) continue;
      return std::nullopt;
    }
  }
  int raw = 0;
  pid_t got = 0;
  do {
    got = ::waitpid(pid_, &raw, 0);
  } while (got < 0 && errno == EINTR);
  status_ = got == pid_ ? decode(raw) : ExitStatus{255, 0};
  return status_;
}

void Process::kill_group(int signal) const {
  if (pid_ <= 0) return;
  // Once reaped, the number may belong to somebody else; the group lives on while a child of it does.
  if (group_) {
    ::kill(-pid_, signal);
  } else if (!status_) {
    ::kill(pid_, signal);
  }
}

Result<CapturedOutput> run_process(ProcessOptions options, std::string_view input, Duration limit,
                                   std::size_t output_bytes_max) {
  Pipe in;
  Pipe out;
  Pipe err;
  if (!in.open_socket() || !out.open() || !err.open()) return fail_errno(errno, "cannot make a pipe");
  options.stdin_fd = in.read_end;
  options.stdout_fd = out.write_end;
  options.stderr_fd = err.write_end;
  Process process = WEIR_TRY(Process::start(options));
  in.close_read();
  out.close_write();
  err.close_write();
  CapturedOutput captured;
  const auto deadline = std::chrono::steady_clock::now() + limit;
  std::string buffer(65'536, '\0');
  while (out.read_end >= 0 || err.read_end >= 0) {
    if (input.empty()) in.close_write();
    pollfd fds[3] = {{out.read_end, POLLIN, 0}, {err.read_end, POLLIN, 0}, {in.write_end, POLLOUT, 0}};
    const auto rest = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    const int ready = ::poll(fds, 3, static_cast<int>(std::max<std::int64_t>(0, rest.count())));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0 || captured.out.size() + captured.err.size() > output_bytes_max) {
      process.kill_group(SIGKILL);
      process.wait();
      if (ready <= 0) {
        return fail(Code::kDeadlineExceeded, "\"{}\" did not end within {}", options.argv[0], format_duration(limit));
      }
      return fail(Code::kResourceExhausted, "\"{}\" printed more than {} bytes", options.argv[0], output_bytes_max);
    }
    const auto drain = [&](Pipe& pipe, const pollfd& fd, std::string& text) {
      if (fd.revents == 0) return;
      const ssize_t got = ::read(pipe.read_end, buffer.data(), buffer.size());
      if (got > 0) text.append(buffer.data(), static_cast<std::size_t>(got));
      if (got == 0 || (got < 0 && errno != EINTR)) pipe.close_read();
    };
    drain(out, fds[0], captured.out);
    drain(err, fds[1], captured.err);
    if (fds[2].revents != 0) {
      const ssize_t written = ::send(in.write_end, input.data(), input.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (written > 0) input.remove_prefix(static_cast<std::size_t>(written));
      if (written < 0 && errno != EAGAIN && errno != EINTR) input = {};
    }
  }
  const auto rest = std::chrono::duration_cast<Duration>(deadline - std::chrono::steady_clock::now());
  const auto status = process.wait(std::max(rest, Duration{0}));
  if (!status) {
    process.kill_group(SIGKILL);
    process.wait();
    return fail(Code::kDeadlineExceeded, "\"{}\" did not end within {}", options.argv[0], format_duration(limit));
  }
  captured.status = *status;
  return captured;
}

Result<std::string> run_checked(ProcessOptions options, std::string_view input, Duration limit) {
  std::string command;
  for (const auto& argument : options.argv) command += (command.empty() ? "" : " ") + argument;
  auto captured = WEIR_TRY(run_process(std::move(options), input, limit));
  if (captured.status.code != 0) {
    const std::string said = tail(captured.err.empty() ? captured.out : captured.err, 2'000);
    // Programs tell of a full disk in these words only.
    const bool no_room = said.find(std::strerror(ENOSPC)) != std::string::npos;
    return fail(no_room ? Code::kResourceExhausted : Code::kFailedPrecondition, "`{}` ended with {}: {}{}", command,
                captured.status.code, said, no_room ? "\nFree some room on that disk and try again." : "");
  }
  return std::move(captured.out);
}

}  // namespace weir::io
