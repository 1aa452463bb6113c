#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "io/http.h"

namespace weir::io {

struct HttpServerOptions {
  std::string host = "127.0.0.1";     // an IP address, "localhost" or "0.0.0.0"
  std::uint16_t port = 0;             // 0: any free port
  std::filesystem::path unix_socket;  // additionally, if not empty (0600)
  int network_threads = 1;
  int pool_threads = 8;                      // for handlers that block; requests beyond wait in order
  int stream_threads = 64;                   // for bodies that stream and files; started when needed
  std::size_t header_bytes_max = 64U << 10;  // 431 above
  std::size_t connections_max = 4096;        // beyond, idle ones are closed and new ones wait in the kernel's queue
  std::size_t event_bytes_max = 1U << 20;    // waiting for one client of an event stream; beyond, it is dropped
  Duration header_timeout{std::chrono::seconds{15}};  // from a request's first byte to its last header: 408
  Duration idle_timeout{std::chrono::seconds{60}};    // between requests, and for the next piece of a body: 408
  Duration heartbeat{std::chrono::seconds{15}};       // comment line on silent event streams
  Duration stop_grace{std::chrono::seconds{5}};       // for requests under way when the server stops
};

// HTTP/1.1 server with keep-alive, pipelining of one, chunked bodies both ways, Expect: 100-continue and server-sent
// events. Threads are its own. Filters and asynchronous handlers run on network threads, blocking handlers on the pool,
// those of streaming routes on the stream pool. The listening port is taken over at once after a crash (SO_REUSEADDR),
// and no descriptor reaches child processes.
class HttpServer {
 public:
  // Binds and starts to answer. kFailedPrecondition if the port is taken, naming it and what to do.
  static Result<std::unique_ptr<HttpServer>> start(HttpServerOptions options, Router router, Log& log);

  // Stops accepting, gives requests under way up to `stop_grace`, closes event streams, joins its threads. A blocking
  // handler that goes on longer is waited for.
  virtual ~HttpServer() = default;
  virtual void stop() = 0;
  [[nodiscard]] virtual std::uint16_t port() const = 0;
};

}  // namespace weir::io
