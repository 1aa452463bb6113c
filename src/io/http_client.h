#pragma once

#include <filesystem>
#include <string>

#include "base/clock.h"
#include "base/error.h"
#include "io/http.h"

namespace weir::io {

struct ClientRequest {
  std::string method = "GET";
  std::string url;  // http:// or https://, or http+unix://<percent-encoded socket path>/path
  HttpHeaders headers;
  std::string body;
  std::filesystem::path body_file;             // if set: sent instead of body, with its length
  std::filesystem::path response_file;         // if set: a 2xx answer's body goes there instead of memory
  Duration timeout{std::chrono::seconds{60}};  // without a byte of progress
  std::size_t response_bytes_max = 256U << 20;
  // If set: true once there is a connection. From then on a request that failed may have arrived.
  bool* connected = nullptr;
};

struct ClientResponse {
  int status = 0;
  HttpHeaders headers;
  std::string body;
};

// One exchange; blocks. Redirects are not followed. An answer of any status is a success; kUnavailable if the server
// cannot be reached or breaks off, kDeadlineExceeded on a timeout. Certificates are verified against the system's.
Result<ClientResponse> http_exchange(const ClientRequest& request);

// As http_exchange, trying again on kUnavailable and on 502, 503, 504 with growing pauses until `give_up_after`.
// Only for requests that may be repeated.
Result<ClientResponse> http_exchange_retrying(const ClientRequest& request, Duration give_up_after);

// Reads server-sent events until `on_event` returns false or the stream ends.
Result<void> http_event_stream(const ClientRequest& request,
                               const std::function<bool(std::string_view event, std::string_view data)>& on_event);

}  // namespace weir::io
