#include "io/http_stream.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "io/http_uri.h"

namespace weir::io {
namespace {

class SocketStream final : public ClientStream {
 public:
  SocketStream(int fd, Duration limit) : fd_(fd), limit_(limit) {}
  ~SocketStream() override {
    if (fd_ >= 0) ::close(fd_);
  }
  SocketStream(const SocketStream&) = delete;
  SocketStream& operator=(const SocketStream&) = delete;

  Result<std::size_t> read(char* buffer, std::size_t size) override {
    while (true) {
      const auto count = ::recv(fd_, buffer, size, MSG_DONTWAIT);
      if (count >= 0) return static_cast<std::size_t>(count);
      if (errno == EINTR) continue;
      if (errno != EAGAIN) return fail(Code::kUnavailable, "the connection broke: {}", std::strerror(errno));
      WEIR_TRY(wait_for(fd_, POLLIN, limit_));
    }
  }

  Result<std::size_t> write(std::string_view bytes) override {
    while (true) {
      const auto count = ::send(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (count >= 0) return static_cast<std::size_t>(count);
      if (errno == EINTR) continue;
      if (errno != EAGAIN) return fail(Code::kUnavailable, "the connection broke: {}", std::strerror(errno));
      WEIR_TRY(wait_for(fd_, POLLOUT, limit_));
    }
  }

  bool readable() override {
    pollfd wait{fd_, POLLIN, 0};
    return ::poll(&wait, 1, 0) > 0;
  }

  int release() override { return std::exchange(fd_, -1); }

 private:
  int fd_;
  Duration limit_;
};

using SocketPtr = std::unique_ptr<SocketStream>;

Result<SocketPtr> connect_to(int family, const sockaddr* address, socklen_t size, Duration limit) {
  const int fd = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return fail_errno(errno, "cannot make a socket");
  auto stream = std::make_unique<SocketStream>(fd, limit);
  const int on = 1;
  if (family != AF_UNIX) ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (::connect(fd, address, size) != 0) {
    // A full backlog of a local socket says EAGAIN and cannot be waited for.
    if (errno != EINPROGRESS) return fail(Code::kUnavailable, "{}", std::strerror(errno));
    WEIR_TRY(wait_for(fd, POLLOUT, limit));
    int error = 0;
    socklen_t error_size = sizeof error;
    ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_size);
    if (error != 0) return fail(Code::kUnavailable, "{}", std::strerror(error));
  }
  return stream;
}

Result<SocketPtr> connect_local(const std::string& path, Duration limit) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return fail(Code::kInvalidArgument, "the socket path {} is longer than {} bytes", path,
                sizeof address.sun_path - 1);
  }
  path.copy(address.sun_path, path.size());
  auto stream = connect_to(AF_UNIX, reinterpret_cast<const sockaddr*>(&address), sizeof address, limit);
  if (!stream) return fail(stream.error().code, "cannot reach the server on {}: {}", path, stream.error().message);
  return stream;
}

Result<SocketPtr> connect_tcp(const std::string& host, std::uint16_t port, Duration limit) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (const int error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found); error != 0) {
    return fail(Code::kUnavailable, "cannot look up the host {}: {}", host, ::gai_strerror(error));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, ::freeaddrinfo);
  Error last{Code::kUnavailable, "no address"};
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    auto stream = connect_to(at->ai_family, at->ai_addr, at->ai_addrlen, limit);
    if (stream) return stream;
    last = std::move(stream).error();
  }
  return fail(last.code, "cannot reach {} at port {}: {}", host, port, last.message);
}

// no_proxy: names, ".suffixes" or "*", separated by commas.
bool is_excluded(std::string_view host, std::string_view no_proxy) {
  while (!no_proxy.empty()) {
    const auto comma = std::min(no_proxy.find(','), no_proxy.size());
    std::string_view entry = no_proxy.substr(0, comma);
    no_proxy.remove_prefix(std::min(comma + 1, no_proxy.size()));
    while (entry.starts_with(' ')) entry.remove_prefix(1);
    while (entry.ends_with(' ')) entry.remove_suffix(1);
    if (entry == "*") return true;
    if (entry.starts_with('.')) entry.remove_prefix(1);
    if (entry.empty() || !host.ends_with(entry)) continue;
    if (host.size() == entry.size() || host[host.size() - entry.size() - 1] == '.') return true;
  }
  return false;
}

std::string environment(const char* lower, const char* upper) {
  const char* value = std::getenv(lower);
  if (value == nullptr && upper != nullptr) value = std::getenv(upper);
  return value == nullptr ? "" : value;
}

// Asks a proxy for a tunnel to the host (RFC 9110, section 9.3.6).
Result<void> open_tunnel(SocketStream& stream, const Url& url) {
  const bool is_v6 = url.host.find(':') != std::string::npos;
  const std::string host =
      is_v6 ? fmt::format("[{}]:{}", url.host, url.port) : fmt::format("{}:{}", url.host, url.port);
  std::string request = fmt::format("CONNECT {0} HTTP/1.1\r\nHost: {0}\r\n\r\n", host);
  for (std::string_view rest = request; !rest.empty();) rest.remove_prefix(WEIR_TRY(stream.write(rest)));
  std::string answer;
  while (!answer.ends_with("\r\n\r\n")) {
    char c = 0;  // byte by byte, so that nothing of the tunnel is taken away
    if (WEIR_TRY(stream.read(&c, 1)) == 0 || answer.size() > 16'384) {
      return fail(Code::kUnavailable, "the proxy closed the connection to {}", host);
    }
    answer += c;
  }
  if (answer.size() > 12 && answer.starts_with("HTTP/1.") && answer[9] == '2') return {};
  return fail(Code::kUnavailable, "the proxy refused a connection to {}: {}", host,
              answer.substr(0, answer.find('\r')));
}

}  // namespace

bool is_this_machine(const std::string& host) {
  if (host == "localhost" || host.ends_with(".localhost") || host == "::1") return true;
  in_addr address{};  // "127.example.com" is somebody else's name
  return host.starts_with("127.") && ::inet_pton(AF_INET, host.c_str(), &address) == 1;
}

Result<std::unique_ptr<ClientStream>> connect_host(const std::string& host, std::uint16_t port, Duration limit) {
  return WEIR_TRY(connect_tcp(host, port, limit));
}

Result<void> wait_for(int fd, short events, Duration limit) {
  pollfd wait{fd, events, 0};
  const auto end = std::chrono::steady_clock::now() + limit;
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now()).count();
    const int ready = ::poll(&wait, 1, static_cast<int>(std::clamp<std::int64_t>(left, 0, 86'400'000)));
    if (ready > 0) return {};
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0) return fail_errno(errno, "cannot wait for the connection");
    return fail(Code::kDeadlineExceeded, "no answer for {}", format_duration(limit));
  }
}

std::string proxy_for(const Url& url) {
  if (url.scheme == "http+unix" || is_this_machine(url.host)) return "";
  if (is_excluded(url.host, environment("no_proxy", "NO_PROXY"))) return "";
  return url.scheme == "https" ? environment("https_proxy", "HTTPS_PROXY") : environment("http_proxy", nullptr);
}

Result<Url> parse_url(std::string_view text) {
  const auto bad = [&](std::string_view why) {
    return fail(Code::kInvalidArgument, "\"{}\" is not an address that weir can call: {}", text.substr(0, 200), why);
  };
  Url url;
  const auto colon = text.find("://");
  if (colon == std::string_view::npos) return bad("it must begin with http://, https:// or http+unix://");
  url.scheme = text.substr(0, colon);
  if (url.scheme != "http" && url.scheme != "https" && url.scheme != "http+unix") {
    return bad("it must begin with http://, https:// or http+unix://");
  }
  if (std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == '\x7f'; })) {
    return bad("it holds a space or a control character");
  }
  std::string_view rest = text.substr(colon + 3);
  rest = rest.substr(0, rest.find('#'));
  const auto end = std::min(rest.find_first_of("/?"), rest.size());
  std::string_view authority = rest.substr(0, end);
  rest.remove_prefix(end);
  url.target = rest.starts_with('/') ? std::string{rest} : "/" + std::string{rest};
  if (url.scheme == "http+unix") {
    url.host = WEIR_TRY(percent_decode(authority));
    url.authority = "localhost";
    if (url.host.empty()) return bad("it names no socket");
    return url;
  }
  if (authority.find('@') != std::string_view::npos) {
    return bad("it holds a user name; give credentials as an Authorization header");
  }
  url.authority = authority;
  url.port = url.scheme == "https" ? 443 : 80;
  const auto bracket = authority.find(']');
  const auto port_colon = authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
  if (port_colon != std::string_view::npos) {
    const std::string_view digits = authority.substr(port_colon + 1);
    const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), url.port);
    if (error != std::errc{} || stop != digits.data() + digits.size() || url.port == 0) return bad("its port is wrong");
    authority = authority.substr(0, port_colon);
  }
  if (authority.starts_with('[') && authority.ends_with(']')) authority = authority.substr(1, authority.size() - 2);
  url.host = authority;
  if (url.host.empty()) return bad("it names no host");
  return url;
}

Result<std::unique_ptr<ClientStream>> connect_stream(const Url& url, Duration limit, bool& through_proxy) {
  through_proxy = false;
  SocketPtr stream;
  if (url.scheme == "http+unix") return WEIR_TRY(connect_local(url.host, limit));
  if (const std::string proxy = proxy_for(url); proxy.empty()) {
    stream = WEIR_TRY(connect_tcp(url.host, url.port, limit));
  } else {
    const Url proxy_url = WEIR_TRY(parse_url(proxy.find("://") == std::string::npos ? "http://" + proxy : proxy));
    if (proxy_url.scheme != "http") return fail(Code::kUnimplemented, "the proxy {} is not a http:// address", proxy);
    stream = WEIR_TRY(connect_tcp(proxy_url.host, proxy_url.port, limit));
    through_proxy = url.scheme == "http";
    if (!through_proxy) WEIR_TRY(open_tunnel(*stream, url));
  }
  if (url.scheme == "https") return start_tls(stream->release(), url.host, limit);
  return stream;
}

}  // namespace weir::io
