#include "io/http_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <cerrno>
#include <cstring>
#include <tuple>

#include "io/http_connection.h"
#include "io/http_file.h"

namespace weir::io {
namespace {

using Listener = asio::posix::basic_stream_descriptor<Executor>;

constexpr int kBacklog = 1024;

// A descriptor until it is handed on.
class OwnedFd {
 public:
  explicit OwnedFd(int fd) : fd_(fd) {}
  OwnedFd(OwnedFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  OwnedFd& operator=(OwnedFd&&) = delete;
  ~OwnedFd() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

template <class Address>
const sockaddr* as_sockaddr(const Address& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

Result<OwnedFd> listen_tcp(const std::string& host, std::uint16_t port) {
  sockaddr_in v4{};
  sockaddr_in6 v6{};
  const std::string numeric = host == "localhost" ? "127.0.0.1" : host;
  const bool is_v6 = ::inet_pton(AF_INET6, numeric.c_str(), &v6.sin6_addr) == 1;
  if (!is_v6 && ::inet_pton(AF_INET, numeric.c_str(), &v4.sin_addr) != 1) {
    return fail(Code::kInvalidArgument, "cannot listen on \"{}\": give an IP address, localhost or 0.0.0.0", host);
  }
  v4.sin_family = AF_INET;
  v4.sin_port = htons(port);
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  OwnedFd fd{::socket(is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (fd.get() < 0) return fail_errno(errno, "cannot make a socket");
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const auto* address = is_v6 ? as_sockaddr(v6) : as_sockaddr(v4);
  if (::bind(fd.get(), address, is_v6 ? sizeof v6 : sizeof v4) != 0 || ::listen(fd.get(), kBacklog) != 0) {
    if (errno == EADDRINUSE) {
      return fail(Code::kFailedPrecondition,
                  "port {} on {} is taken by another process; stop that one (ss -ltnp shows it) or choose another port",
                  port, host);
    }
    return fail_errno(errno, fmt::format("cannot listen on {}:{}", host, port));
  }
  return fd;
}

Result<OwnedFd> listen_unix(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string text = path.string();
  if (text.size() >= sizeof address.sun_path) {
    return fail(Code::kInvalidArgument, "the socket path {} is longer than {} bytes", text,
                sizeof address.sun_path - 1);
  }
  text.copy(address.sun_path, text.size());
  OwnedFd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (fd.get() < 0) return fail_errno(errno, "cannot make a socket");
  // A file that nobody answers on was left by a process that was killed.
  const OwnedFd probe{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  if (::connect(probe.get(), as_sockaddr(address), sizeof address) == 0) {
    return fail(Code::kFailedPrecondition, "another process serves on {}; stop that one first", text);
  }
  if (errno == ECONNREFUSED) ::unlink(text.c_str());
  ::fchmod(fd.get(), 0600);  // before bind, so that the file never is more open than this
  if (::bind(fd.get(), as_sockaddr(address), sizeof address) != 0 || ::chmod(text.c_str(), 0600) != 0 ||
      ::listen(fd.get(), kBacklog) != 0) {
    return fail_errno(errno, fmt::format("cannot listen on {}", text));
  }
  return fd;
}

// Text of a peer's address, and whether it is this machine.
std::pair<std::string, bool> describe_peer(const sockaddr_storage& storage) {
  char text[INET6_ADDRSTRLEN] = "";
  if (storage.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(storage);
    ::inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
    return {fmt::format("{}:{}", text, ntohs(v4.sin_port)), (ntohl(v4.sin_addr.s_addr) >> 24) == 127};
  }
  if (storage.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(storage);
    ::inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
    const bool mapped = IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr) && v6.sin6_addr.s6_addr[12] == 127;
    return {fmt::format("[{}]:{}", text, ntohs(v6.sin6_port)), IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr) || mapped};
  }
  return {"unix", true};
}

class Server final : public HttpServer {
 public:
  Server(HttpServerOptions options, Router router, Log& log) : shared_(std::move(options), std::move(router), log) {}
  ~Server() override { stop(); }

  Result<void> start();
  void stop() override;
  [[nodiscard]] std::uint16_t port() const override { return port_; }

 private:
  Result<void> listen();
  Awaitable<> accept(Listener& listener);
  Awaitable<> pause(Duration time);
  bool make_room();
  bool wait_until_none_left(Duration limit);

  ServerShared shared_;
  std::vector<std::unique_ptr<NetworkThread>> threads_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::size_t next_thread_ = 0;
  std::uint16_t port_ = 0;
  std::mutex stop_mutex_;
  bool stopped_ = false;
};

Result<void> Server::listen() {
  OwnedFd tcp = WEIR_TRY(listen_tcp(shared_.options.host, shared_.options.port));
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  ::getsockname(tcp.get(), reinterpret_cast<sockaddr*>(&bound), &size);
  port_ = ntohs(bound.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6&>(bound).sin6_port
                                            : reinterpret_cast<const sockaddr_in&>(bound).sin_port);
  auto& io = threads_.front()->io;
  listeners_.push_back(std::make_unique<Listener>(io, tcp.release()));
  if (shared_.options.unix_socket.empty()) return {};
  OwnedFd local = WEIR_TRY(listen_unix(shared_.options.unix_socket));
  listeners_.push_back(std::make_unique<Listener>(io, local.release()));
  return {};
}

Result<void> Server::start() {
  for (int i = 0; i < std::max(1, shared_.options.network_threads); ++i) {
    threads_.push_back(std::make_unique<NetworkThread>(shared_));
  }
  WEIR_TRY(listen());
  for (const auto& listener : listeners_) asio::co_spawn(threads_.front()->io, accept(*listener), asio::detached);
  for (const auto& thread : threads_) {
    thread->sweep_later();
    thread->thread = std::thread([&io = thread->io] { io.run(); });
  }
  return {};
}

Awaitable<> Server::pause(Duration time) {
  Timer timer(threads_.front()->io, time);
  co_await timer.async_wait(kAwait);
}

// Counts one more connection; when there are too many, idle ones are asked to go.
bool Server::make_room() {
  {
    const std::scoped_lock lock(shared_.mutex);
    if (shared_.connections < shared_.options.connections_max) {
      ++shared_.connections;
      return true;
    }
  }
  for (const auto& thread : threads_) {
    asio::post(thread->io, [thread = thread.get()] {
      for (const auto& connection : thread->connections) {
        if (connection->close_if_idle()) return;
      }
    });
  }
  return false;
}

Awaitable<> Server::accept(Listener& listener) {
  while (!shared_.stopping) {
    const auto [error] = co_await listener.async_wait(Listener::wait_read, kAwait);
    if (error || shared_.stopping) co_return;
    if (!make_room()) {
      co_await pause(std::chrono::milliseconds{5});
      continue;
    }
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;
    const int fd =
        ::accept4(listener.native_handle(), reinterpret_cast<sockaddr*>(&storage), &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
      const int reason = errno;
      {
        const std::scoped_lock lock(shared_.mutex);
        --shared_.connections;
      }
      if (reason != EMFILE && reason != ENFILE && reason != ENOBUFS && reason != ENOMEM) continue;
      shared_.log.warning("cannot take a connection: {}", std::strerror(reason));
      co_await pause(std::chrono::milliseconds{100});
      continue;
    }
    auto [peer, loopback] = describe_peer(storage);
    NetworkThread& thread = *threads_[next_thread_++ % threads_.size()];
    if (&thread == threads_.front().get()) {
      thread.adopt(fd, std::move(peer), loopback);
    } else {
      asio::post(thread.io, [&thread, fd, name = std::move(peer), near = loopback] { thread.adopt(fd, name, near); });
    }
  }
}

bool Server::wait_until_none_left(Duration limit) {
  std::unique_lock lock(shared_.mutex);
  return shared_.none_left.wait_for(lock, limit, [this] { return shared_.connections == 0; });
}

void Server::stop() {
  const std::scoped_lock stop_lock(stop_mutex_);
  if (std::exchange(stopped_, true)) return;
  shared_.stopping = true;
  const auto everywhere = [this](auto action) {
    for (const auto& thread : threads_) {
      asio::post(thread->io, [thread = thread.get(), action] {
        // A copy: an action may end a connection.
        const auto connections = thread->connections;
        for (const auto& connection : connections) action(*connection);
      });
    }
  };
  if (!threads_.empty() && threads_.front()->thread.joinable()) {
    asio::post(threads_.front()->io, [this] {
      for (const auto& listener : listeners_) {
        boost::system::error_code ignored;
        std::ignore = listener->close(ignored);
      }
    });
    everywhere([](Connection& connection) { connection.begin_stop(); });
    if (!wait_until_none_left(shared_.options.stop_grace)) {
      do {
        everywhere([](Connection& connection) { connection.force_stop(); });
        // What is left now is held by handlers; new connections may have slipped in, so all are told again.
      } while (!wait_until_none_left(std::chrono::seconds{1}));
    }
  }
  shared_.pool.stop();
  shared_.stream_pool.stop();
  for (const auto& thread : threads_) {
    thread->io.stop();
    if (thread->thread.joinable()) thread->thread.join();
  }
  listeners_.clear();
  if (!shared_.options.unix_socket.empty() && port_ != 0) ::unlink(shared_.options.unix_socket.c_str());
}

}  // namespace

void NetworkThread::adopt(int fd, std::string peer, bool loopback) {
  const int on = 1;
  sockaddr_storage local{};
  socklen_t size = sizeof local;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&local), &size);
  if (local.ss_family != AF_UNIX) ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  Socket socket(io);
  boost::system::error_code error;
  std::ignore = socket.assign(asio::generic::stream_protocol(local.ss_family, 0), fd, error);
  const auto forget = [this] {
    const std::scoped_lock lock(shared.mutex);
    if (--shared.connections == 0) shared.none_left.notify_all();
  };
  if (error || shared.stopping) {
    if (error) ::close(fd);
    return forget();
  }
  auto connection = std::make_shared<Connection>(*this, std::move(socket), std::move(peer), loopback);
  connections.insert(connection);
  asio::co_spawn(io, connection->run(), [this, connection, forget](const std::exception_ptr& failure) {
    if (failure) shared.log.error("a connection failed: out of memory?");
    connections.erase(connection);
    forget();
  });
}

// Looks at every connection's deadline now and then: cheaper than a timer for each read and write.
void NetworkThread::sweep_later() {
  const Duration shortest = std::min(shared.options.header_timeout, shared.options.idle_timeout);
  sweep.expires_after(std::clamp<Duration>(shortest / 4, std::chrono::milliseconds{5}, std::chrono::seconds{1}));
  sweep.async_wait([this](boost::system::error_code error) {
    if (error) return;
    const auto now = std::chrono::steady_clock::now();
    for (const auto& connection : connections) connection->check_deadline(now);
    sweep_later();
  });
}

std::string_view NetworkThread::date() {
  const std::int64_t second =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  if (std::exchange(date_second, second) != second) date_text = http_date(second);
  return date_text;
}

Result<std::unique_ptr<HttpServer>> HttpServer::start(HttpServerOptions options, Router router, Log& log) {
  auto server = std::make_unique<Server>(std::move(options), std::move(router), log);
  WEIR_TRY(server->start());
  return server;
}

}  // namespace weir::io
