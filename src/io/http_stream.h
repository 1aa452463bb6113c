#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"

// Connections of the HTTP client.
namespace weir::io {

// The parts of an address.
struct Url {
  std::string scheme;  // "http", "https", "http+unix"
  std::string host;    // a name or an address without brackets; the socket's path for http+unix
  std::uint16_t port = 0;
  std::string authority;  // for the Host header
  std::string target;     // path and query, for the request line
};

// kInvalidArgument names the address and what is wrong with it.
Result<Url> parse_url(std::string_view text);

// The proxy that the environment names for an address (http_proxy, https_proxy, no_proxy), "" for none. HTTP_PROXY in
// capitals is not read: in CGI a client can set it.
std::string proxy_for(const Url& url);

// A connected stream of bytes. Each call waits at most the limit that it was made with: kDeadlineExceeded. Blocking,
// one thread at a time.
class ClientStream {
 public:
  virtual ~ClientStream() = default;
  virtual Result<std::size_t> read(char* buffer, std::size_t size) = 0;  // 0 at the end
  virtual Result<std::size_t> write(std::string_view bytes) = 0;         // how many were taken
  // Bytes wait to be read, or the other side has closed.
  virtual bool readable() = 0;
  // Gives its socket away, e.g. to go on with TLS; it must not be used afterwards. -1 if it speaks TLS already.
  virtual int release() { return -1; }
};

// Connects to the address's host, through its proxy if there is one. `through_proxy` says whether the request line must
// hold the whole address. kUnavailable if nobody answers.
Result<std::unique_ptr<ClientStream>> connect_stream(const Url& url, Duration limit, bool& through_proxy);

// Connects to a port without a proxy and without TLS. kUnavailable if nobody answers.
Result<std::unique_ptr<ClientStream>> connect_host(const std::string& host, std::uint16_t port, Duration limit);

// Only this machine is meant: localhost, *.localhost, 127.0.0.0/8, ::1.
bool is_this_machine(const std::string& host);

// Speaks TLS over a connected socket, which it owns; the certificate must fit `host` and the system's authorities.
Result<std::unique_ptr<ClientStream>> start_tls(int fd, const std::string& host, Duration limit);

// Waits for poll `events`; kDeadlineExceeded after `limit`.
Result<void> wait_for(int fd, short events, Duration limit);

}  // namespace weir::io
