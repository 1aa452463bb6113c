#include "runner/container_door.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <list>
#include <string>
#include <vector>

namespace weir::runner {
namespace {

constexpr std::size_t kConnectionsMax = 256;
constexpr int kBacklog = 128;

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// Gives the descriptor, or -1 and the error, to the other end.
bool hand_over(int channel, int fd, int error) {
  iovec part{&error, sizeof error};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (fd >= 0) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
  }
  return ::sendmsg(channel, &message, MSG_NOSIGNAL) >= 0;
}

Result<io::Descriptor> take_over(int channel) {
  int error = 0;
  iovec part{&error, sizeof error};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ssize_t got = -1;
  do {
    got = ::recvmsg(channel, &message, MSG_CMSG_CLOEXEC);
  } while (got < 0 && errno == EINTR);
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (got == sizeof error && header != nullptr && header->cmsg_type == SCM_RIGHTS) {
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
    return io::Descriptor(fd);
  }
  return fail_errno(got == sizeof error ? error : EIO, "cannot listen in the container's network");
}

// In a process of its own: only what may be called between fork and exec. Containers of an ordinary user have a user
// namespace around their network, which only a process with one thread can enter.
void listen_there(int user, int net, std::uint16_t port, int channel) {
  if (::setns(net, CLONE_NEWNET) != 0 && (::setns(user, CLONE_NEWUSER) != 0 || ::setns(net, CLONE_NEWNET) != 0)) {
    hand_over(channel, -1, errno);
    return;
  }
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const int on = 1;
  const sockaddr_in address = loopback(port);
  if (fd < 0 || ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 || ::listen(fd, kBacklog) != 0) {
    hand_over(channel, -1, errno);
    return;
  }
  hand_over(channel, fd, 0);
}

// One direction of a connection.
struct Flow {
  std::array<char, 1U << 16> buffer;
  std::size_t begin = 0;
  std::size_t end = 0;
  bool finished = false;  // nothing more comes
  bool passed_on = false;

  [[nodiscard]] bool holds_some() const { return begin < end; }
  [[nodiscard]] bool wants_more() const { return !finished && !holds_some(); }

  // False if the connection is broken.
  bool read(int from) {
    const ssize_t got = ::recv(from, buffer.data(), buffer.size(), 0);
    if (got < 0) return errno == EAGAIN || errno == EINTR;
    begin = 0;
    end = static_cast<std::size_t>(got);
    finished = got == 0;
    return true;
  }
  bool write(int to) {
    while (holds_some()) {
      const ssize_t put = ::send(to, buffer.data() + begin, end - begin, MSG_NOSIGNAL);
      if (put < 0) return errno == EAGAIN || errno == EINTR;
      begin += static_cast<std::size_t>(put);
    }
    return true;
  }
  void pass_end_on(int to) {
    if (!finished || holds_some() || passed_on) return;
    ::shutdown(to, SHUT_WR);
    passed_on = true;
  }
};

struct Connection {
  io::Descriptor inside;
  io::Descriptor outside;
  Flow up;
  Flow down;

  static pollfd wishes(const io::Descriptor& fd, const Flow& out_of, const Flow& into) {
    const int events = (out_of.wants_more() ? POLLIN : 0) | (into.holds_some() ? POLLOUT : 0);
    // One that nothing is wanted of would be reported again and again once it is closed.
    return {.fd = events == 0 ? -1 : fd.get(), .events = static_cast<short>(events), .revents = 0};
  }

  // False once it is over.
  bool go_on(short at_inside, short at_outside) {
    bool well = true;
    if (at_inside != 0 && up.wants_more()) well = up.read(inside.get());
    if (well && at_outside != 0 && down.wants_more()) well = down.read(outside.get());
    well = well && up.write(outside.get()) && down.write(inside.get());
    if (!well) return false;
    up.pass_end_on(outside.get());
    down.pass_end_on(inside.get());
    return !(up.passed_on && down.passed_on);
  }
};

void accept_one(int listener, std::uint16_t port, std::list<Connection>& connections) {
  io::Descriptor inside(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!inside) return;
  io::Descriptor outside(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const sockaddr_in address = loopback(port);
  if (!outside || (::connect(outside.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 &&
                   errno != EINPROGRESS)) {
    return;
  }
  const int on = 1;
  for (const auto* fd : {&inside, &outside}) ::setsockopt(fd->get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  auto& made = connections.emplace_back();
  made.inside = std::move(inside);
  made.outside = std::move(outside);
}

void serve(const io::Descriptor& listener, int stop, std::uint16_t port) {
  std::list<Connection> connections;
  std::vector<pollfd> polled;
  for (;;) {
    polled.clear();
    polled.push_back({.fd = stop, .events = POLLIN, .revents = 0});
    polled.push_back(
        {.fd = connections.size() < kConnectionsMax ? listener.get() : -1, .events = POLLIN, .revents = 0});
    for (const auto& one : connections) {
      polled.push_back(Connection::wishes(one.inside, one.up, one.down));
      polled.push_back(Connection::wishes(one.outside, one.down, one.up));
    }
    if (::poll(polled.data(), polled.size(), -1) < 0) {
      if (errno == EINTR) continue;
      return;
    }
    if (polled[0].revents != 0) return;
    std::size_t at = 2;
    for (auto one = connections.begin(); one != connections.end(); at += 2) {
      const short inside = polled[at].revents;
      const short outside = polled[at + 1].revents;
      one = (inside == 0 && outside == 0) || one->go_on(inside, outside) ? std::next(one) : connections.erase(one);
    }
    if (polled[1].revents != 0) accept_one(listener.get(), port, connections);
  }
}

bool shares_network(int net) {
  struct stat there{};
  struct stat here{};
  return ::fstat(net, &there) == 0 && ::stat("/proc/self/ns/net", &here) == 0 && there.st_ino == here.st_ino &&
         there.st_dev == here.st_dev;
}

}  // namespace

Result<std::unique_ptr<ContainerDoor>> ContainerDoor::open(pid_t pid, std::uint16_t port) {
  const io::Descriptor net(::open(fmt::format("/proc/{}/ns/net", pid).c_str(), O_RDONLY | O_CLOEXEC));
  const io::Descriptor user(::open(fmt::format("/proc/{}/ns/user", pid).c_str(), O_RDONLY | O_CLOEXEC));
  if (!net || !user) return fail_errno(errno, "cannot see the container's network");
  if (shares_network(net.get())) return nullptr;
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return fail_errno(errno, "socketpair");
  const io::Descriptor ours(ends[0]);
  io::Descriptor theirs(ends[1]);
  const pid_t helper = ::fork();
  if (helper < 0) return fail_errno(errno, "fork");
  if (helper == 0) {
    listen_there(user.get(), net.get(), port, theirs.get());
    ::_exit(0);
  }
  theirs.reset();
  auto listener = take_over(ours.get());
  // Whoever reaps all children of this process may have been faster.
  while (::waitpid(helper, nullptr, 0) < 0 && errno == EINTR) {
  }
  io::Descriptor socket = WEIR_TRY(std::move(listener));
  io::Descriptor stop(::eventfd(0, EFD_CLOEXEC));
  if (!stop) return fail_errno(errno, "eventfd");
  return std::unique_ptr<ContainerDoor>(new ContainerDoor(std::move(socket), std::move(stop), port));
}

ContainerDoor::ContainerDoor(io::Descriptor listener, io::Descriptor stop, std::uint16_t port)
    : stop_(std::move(stop)),
      thread_([fd = std::move(listener), stop_fd = stop_.get(), port] { serve(fd, stop_fd, port); }) {}

ContainerDoor::~ContainerDoor() {
  const std::uint64_t one = 1;
  while (::write(stop_.get(), &one, sizeof one) < 0 && errno == EINTR) {
  }
}

std::uint16_t loopback_port(std::string_view url) {
  constexpr std::string_view kScheme = "http://";
  if (!url.starts_with(kScheme)) return 0;
  url.remove_prefix(kScheme.size());
  url = url.substr(0, url.find('/'));
  const auto colon = url.rfind(':');
  const std::string_view host = url.substr(0, colon);
  if (!host.starts_with("127.") && host != "localhost" && !host.ends_with(".localhost")) return 0;
  if (colon == std::string_view::npos) return 80;
  std::uint16_t port = 0;
  std::from_chars(url.data() + colon + 1, url.data() + url.size(), port);
  return port;
}

}  // namespace weir::runner
