#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "base/error.h"
#include "base/log.h"
#include "io/http.h"

namespace weir::io {

struct HttpServerOptions {
  std::string host = "127.0.0.1";  // an IP address, "localhost" or "0.0.0.0"
  std::uint16_t port = 0;          // 0: any free port
  std::filesystem::path unix_socket;  // additionally, if not empty (0600)
  int network_threads = 1;
  int pool_threads = 8;            // for handlers that block; requests beyond wait in order
  std::size_t header_bytes_max = 64U << 10;  // 431 above
};

// HTTP/1.1 server with keep-alive, pipelining of one, chunked bodies both ways, Expect: 100-continue and server-sent
// events. Threads are its own. A connection that sends nothing for 60 s (headers: 15 s) is closed.
class HttpServer {
 public:
  // Binds and starts to answer. kFailedPrecondition if the port is taken, naming it and what to do.
  static Result<std::unique_ptr<HttpServer>> start(HttpServerOptions options, Router router, Log& log);

  // Stops accepting, gives requests under way up to 5 s, closes event streams, joins its threads.
  virtual ~HttpServer() = default;
  virtual void stop() = 0;
  [[nodiscard]] virtual std::uint16_t port() const = 0;
};

}  // namespace weir::io
