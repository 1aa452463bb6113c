#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "io/http_client.h"
#include "io/http_server.h"

// Helpers of the tests that talk to a real HttpServer.
namespace weir::io::testing {

// A server on a free port.
class TestServer {
 public:
  explicit TestServer(Router router, HttpServerOptions options = {}) {
    auto started = HttpServer::start(std::move(options), std::move(router), log_);
    if (started) {
      server_ = *std::move(started);
    } else {
      error_ = started.error();
    }
  }
  [[nodiscard]] bool ok() const { return server_ != nullptr; }
  [[nodiscard]] const Error& error() const { return error_; }
  [[nodiscard]] std::uint16_t port() const { return server_->port(); }
  [[nodiscard]] std::string url(std::string_view target) const {
    return fmt::format("http://127.0.0.1:{}{}", port(), target);
  }
  void stop() { server_->stop(); }

 private:
  SystemClock clock_;
  Log log_{clock_, 2, LogLevel::kError};
  std::unique_ptr<HttpServer> server_;
  Error error_;
};

// A bare connection that says exactly what a test wants to say.
class RawClient {
 public:
  explicit RawClient(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  ~RawClient() { close(); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  [[nodiscard]] bool connected() const { return connected_; }
  bool send(std::string_view text) {
    while (!text.empty()) {
      const auto count = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
      if (count <= 0) return false;
      text.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
  }

  // Everything up to and with `end`; what there is if that does not come within 10 s or the server closes.
  std::string read_until(std::string_view end) {
    while (true) {
      if (const auto at = buffer_.find(end); at != std::string::npos && !end.empty()) {
        std::string text = buffer_.substr(0, at + end.size());
        buffer_.erase(0, at + end.size());
        return text;
      }
      if (!read_more()) return std::exchange(buffer_, {});
    }
  }
  std::string read_to_end() { return read_until({}); }

  // A whole answer with Content-Length.
  std::string read_answer() {
    std::string head = read_until("\r\n\r\n");
    const auto at = head.find("Content-Length: ");
    const std::size_t size = at == std::string::npos ? 0 : std::stoul(head.substr(at + 16));
    while (buffer_.size() < size && read_more()) {
    }
    head += buffer_.substr(0, size);
    buffer_.erase(0, size);
    return head;
  }

  // The server has closed; nothing more was sent.
  bool closed() {
    while (read_more()) {
    }
    return ended_;
  }
  void finish_sending() { ::shutdown(fd_, SHUT_WR); }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

 private:
  bool read_more() {
    pollfd wait{fd_, POLLIN, 0};
    if (::poll(&wait, 1, 10'000) <= 0) return false;
    char piece[65'536];
    const auto count = ::recv(fd_, piece, sizeof piece, 0);
    if (count <= 0) {
      ended_ = true;
      return false;
    }
    buffer_.append(piece, static_cast<std::size_t>(count));
    return true;
  }

  int fd_;
  bool connected_ = false;
  bool ended_ = false;
  std::string buffer_;
};

// A latch that a test waits for with a deadline.
class Event {
 public:
  void set() {
    const std::scoped_lock lock(mutex_);
    set_ = true;
    changed_.notify_all();
  }
  bool wait(std::chrono::seconds limit = std::chrono::seconds{10}) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, limit, [this] { return set_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool set_ = false;
};

// Waits until `condition` holds, at most 10 s.
template <class Condition>
bool eventually(Condition condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{10};
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds{2});
  }
  return true;
}

inline Result<ClientResponse> call(std::string method, std::string url, std::string body = {}) {
  ClientRequest request;
  request.method = std::move(method);
  request.url = std::move(url);
  request.body = std::move(body);
  request.timeout = std::chrono::seconds{10};
  return http_exchange(request);
}

}  // namespace weir::io::testing
