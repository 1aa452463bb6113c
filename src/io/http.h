#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "types/identity.h"

// Messages of HTTP/1.1 as handlers see them. Beast stays inside http_server.cc and http_client.cc.
namespace weir::io {

// Header fields in order; names compare without case.
class HttpHeaders {
 public:
  void set(std::string name, std::string value);                    // replaces
  void add(std::string name, std::string value);                    // appends
  [[nodiscard]] std::string_view get(std::string_view name) const;  // "" if absent
  [[nodiscard]] const std::vector<std::pair<std::string, std::string>>& all() const { return fields_; }

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

// Bytes that arrive piece by piece. Functions block; one thread at a time. A request's source gives errors once its
// answer has been sent.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // Fills at most `size` bytes; 0 at the end. An error when the peer broke off or a limit was passed.
  virtual Result<std::size_t> read(char* buffer, std::size_t size) = 0;
  // Makes a read that waits return soon, with an error; for sources that may wait long. Any thread.
  virtual void cancel() {}
};

struct HttpRequest {
  std::string method;  // "GET"
  std::string target;  // as sent, e.g. "/api/v1/runs?state=queued"
  std::string path;    // percent-decoded, without query; a path with "..", NUL or a broken escape was refused with 400
  std::vector<std::pair<std::string, std::string>> query;  // decoded, in order
  std::map<std::string, std::string, std::less<>> params;  // what {name} and {name*} of the route matched, decoded
  HttpHeaders headers;
  std::string body;                         // whole body, unless the route streams
  std::unique_ptr<ByteSource> body_source;  // set for routes that stream their request body
  std::string peer;                         // "127.0.0.1:51234"; "unix" on a socket file
  bool loopback = false;                    // the peer is this machine
  types::Identity identity;                 // set by the authentication filter (Router::before)

  [[nodiscard]] std::optional<std::string> query_value(std::string_view name) const;  // the first of that name
};

// Sends server-sent events to one client. Any thread; functions never block. Dropping it ends the stream.
class EventStream {
 public:
  virtual ~EventStream() = default;
  // False once the client has gone or fell too far behind: then drop the stream.
  virtual bool send(std::string_view event, std::string_view data, std::string_view id = {}) = 0;
};

struct HttpResponse {
  int status = 200;
  HttpHeaders headers;  // Content-Length, Date and Server are added
  std::string body;
  std::string file_path;                    // if set: sent instead of body, with Range and If-None-Match support
  std::unique_ptr<ByteSource> body_source;  // if set: sent chunked instead of body, read on a pool thread
  // If set: answers as text/event-stream and hands over the stream, on a pool thread, where it may already send.
  std::function<void(std::shared_ptr<EventStream>)> event_stream;
};

// Everything but letters, digits and -._~ as %XX: for a segment or a query value of an address.
std::string percent_encode(std::string_view text);

// The media type for a file's name by its ending, "application/octet-stream" if unknown.
std::string_view content_type_of(std::string_view file_name);

HttpResponse text_response(int status, std::string body, std::string_view content_type = "text/plain; charset=utf-8");
HttpResponse json_response(int status, const json::value& body);

// Answer of weir's own API for an error: {"error": "<code_name>", "message": "…"} with the fitting status
// (400, 401, 403, 404, 409, 500, 501, 503, 504, 507).
HttpResponse error_response(const Error& error);
int http_status(Code code);

// May block; runs on a pool thread. Exceptions must not leave it.
using HttpHandler = std::function<HttpResponse(HttpRequest&)>;
// Must not block; runs on a network thread. `reply` may be called later, once, from any thread; dropping it answers
// 500.
using HttpReply = std::move_only_function<void(HttpResponse)>;
using AsyncHttpHandler = std::function<void(HttpRequest, HttpReply)>;

struct RouteOptions {
  std::size_t body_bytes_max = 16U << 20;  // 413 above; 100 MiB or more should stream
  bool stream_request = false;             // body_source instead of body; no limit but the handler's own
};

// Method and path patterns: "/api/v1/runs/{id}", "/git/{repo}.git/info/refs" (text around one {x} of a segment),
// "/artifacts/{path*}" (the rest, with slashes, maybe empty). Literal segments win over {x}, more text around {x} over
// less, {x} over {x*}; {x} is never empty. HEAD falls back to GET. No fitting path is 404, a fitting path without the
// method 405. Set up before the server starts, immutable afterwards. A broken or repeated pattern ends the process.
class Router {
 public:
  Router();
  ~Router();
  Router(Router&&) noexcept;
  Router& operator=(Router&&) noexcept;

  void handle(std::string_view method, std::string_view pattern, HttpHandler handler, RouteOptions options = {});
  void handle_async(std::string_view method, std::string_view pattern, AsyncHttpHandler handler,
                    RouteOptions options = {});
  // Sees every request before its handler, on the network thread, in order of registration; an answer ends it there.
  // Must not block. (Host and Origin checks, authentication by a cached token.) The body has not been read yet.
  void before(std::function<std::optional<HttpResponse>(HttpRequest&)> filter);

  struct Impl;
  Impl& impl() const { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir::io
