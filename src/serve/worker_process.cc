#include "serve/worker_process.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace weir::serve {
namespace {

constexpr std::size_t kFrameBytesMax = 512U << 20;
constexpr std::size_t kPrintedBytesMax = 16U << 10;
constexpr int kSocketBufferBytes = 1 << 20;

void close_fd(int& fd) {
  if (fd >= 0) ::close(std::exchange(fd, -1));
}

// Descriptors on their way into a WorkerProcess.
struct Descriptors {
  int ours = -1;
  int theirs = -1;
  int errors = -1;
  int errors_end = -1;
  int writable = -1;

  ~Descriptors() {
    for (int* fd : {&ours, &theirs, &errors, &errors_end, &writable}) close_fd(*fd);
  }

  bool open() {
    int sockets[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0) return false;
    ours = sockets[0];
    theirs = sockets[1];
    int pipe_ends[2];
    if (::pipe2(pipe_ends, O_CLOEXEC) != 0) return false;
    errors = pipe_ends[0];
    errors_end = pipe_ends[1];
    writable = ::epoll_create1(EPOLL_CLOEXEC);
    for (const int fd : {ours, theirs}) {
      ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &kSocketBufferBytes, sizeof kSocketBufferBytes);
    }
    // Only our ends are non-blocking: the flag belongs to the open file, and theirs is another one.
    return writable >= 0 && ::fcntl(ours, F_SETFL, O_NONBLOCK) == 0 && ::fcntl(errors, F_SETFL, O_NONBLOCK) == 0;
  }
};

}  // namespace

Result<std::unique_ptr<WorkerProcess>> WorkerProcess::start(const WorkerCommand& command) {
  Descriptors fds;
  if (!fds.open()) return fail_errno(errno, "cannot make the sockets of a model worker");
  auto process = WEIR_TRY(io::Process::start({.argv = command.argv,
                                              .working_dir = command.working_dir,
                                              .env = command.env,
                                              .stdin_fd = fds.theirs,
                                              .stdout_fd = fds.errors_end,
                                              .stderr_fd = fds.errors_end}));
  return std::unique_ptr<WorkerProcess>(new WorkerProcess(
      std::move(process), std::exchange(fds.ours, -1), std::exchange(fds.errors, -1), std::exchange(fds.writable, -1)));
}

WorkerProcess::WorkerProcess(io::Process process, int socket, int errors, int writable)
    : process_(std::move(process)), socket_(socket), errors_(errors), writable_(writable), reader_(kFrameBytesMax) {}

WorkerProcess::~WorkerProcess() {
  process_.kill_group(9);
  process_.wait(std::chrono::seconds{1});
  close_fd(socket_);
  close_fd(errors_);
  close_fd(writable_);
}

bool WorkerProcess::send(std::uint64_t id, FrameKind kind, std::string_view header, std::string_view body) {
  append_frame(outgoing_, id, kind, header, body);
  return flush();
}

bool WorkerProcess::flush() {
  while (sent_ < outgoing_.size()) {
    const ssize_t count = ::send(socket_, outgoing_.data() + sent_, outgoing_.size() - sent_, MSG_NOSIGNAL);
    if (count > 0) {
      sent_ += static_cast<std::size_t>(count);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      want_writable(true);
      return true;
    } else if (errno != EINTR) {
      return false;
    }
  }
  outgoing_.clear();
  sent_ = 0;
  want_writable(false);
  return true;
}

void WorkerProcess::want_writable(bool wanted) {
  if (wants_writable_ == wanted) return;
  wants_writable_ = wanted;
  epoll_event event{};
  event.events = EPOLLOUT;
  ::epoll_ctl(writable_, wanted ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, socket_, &event);
}

bool WorkerProcess::receive(std::vector<Frame>& frames) {
  bool open = true;
  std::string buffer(256U << 10, '\0');
  for (;;) {
    const ssize_t count = ::recv(socket_, buffer.data(), buffer.size(), 0);
    if (count > 0) {
      reader_.feed(std::string_view(buffer.data(), static_cast<std::size_t>(count)));
      if (static_cast<std::size_t>(count) == buffer.size()) continue;
      break;
    }
    if (count < 0 && errno == EINTR) continue;
    open = count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
    break;
  }
  for (;;) {
    auto frame = reader_.next();
    if (!frame) return false;
    if (!*frame) return open;
    frames.push_back(**std::move(frame));
  }
}

bool WorkerProcess::read_errors() {
  char buffer[4096];
  for (;;) {
    const ssize_t count = ::read(errors_, buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return count < 0 && errno == EAGAIN;
    printed_.append(buffer, static_cast<std::size_t>(count));
    if (printed_.size() > 2 * kPrintedBytesMax) printed_.erase(0, printed_.size() - kPrintedBytesMax);
  }
}

std::string WorkerProcess::last_lines() const {
  std::string_view text = printed_;
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
  constexpr std::size_t kShown = 2'000;
  if (text.size() > kShown) {
    text.remove_prefix(text.size() - kShown);
    text.remove_prefix(std::min(text.find('\n') + 1, text.size()));
  }
  return std::string(text);
}

std::string WorkerProcess::ending() {
  const auto status = process_.wait(std::chrono::milliseconds{200});
  if (!status) return "it closed its socket but runs on";
  if (status->signal == 0) return fmt::format("exit code {}", status->code);
  return fmt::format("signal {} ({})", status->signal, ::strsignal(status->signal));
}

void WorkerProcess::close_socket() {
  close_fd(socket_);
}

}  // namespace weir::serve
