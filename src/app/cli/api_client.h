#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "io/http_client.h"

namespace weir::app {

// Where the command line looks for a server; empty members fall back to WEIR_URL, WEIR_STATE and WEIR_TOKEN, then to
// the nearest `.weir` folder at or above the working directory.
struct Connection {
  std::string server;           // --server http://host:port
  std::filesystem::path state;  // --state DIR: its server.json and keys are read
  std::string token;
};

// A client of the server's REST API. One thread at a time.
class ApiClient {
 public:
  // kNotFound says how to name or start a server.
  static Result<ApiClient> connect(const Connection& connection);
  ApiClient(std::string url, std::string token) : url_(std::move(url)), token_(std::move(token)) {}

  // The server's errors come back with its own message.
  Result<json::value> get(std::string_view path) { return call("GET", path, nullptr); }
  Result<json::value> post(std::string_view path, const json::value& body) { return call("POST", path, &body); }
  Result<json::value> put(std::string_view path, const json::value& body) { return call("PUT", path, &body); }
  Result<json::value> patch(std::string_view path, const json::value& body) { return call("PATCH", path, &body); }
  Result<json::value> remove(std::string_view path) { return call("DELETE", path, nullptr); }
  // Sends a file as it is.
  Result<json::value> post_file(std::string_view path, const std::filesystem::path& file);
  // Server-sent events until `on_event` gives false or the server stops.
  Result<void> stream(std::string_view path,
                      const std::function<bool(std::string_view event, std::string_view data)>& on_event);

  [[nodiscard]] const std::string& url() const { return url_; }

 private:
  Result<json::value> call(std::string_view method, std::string_view path, const json::value* body);
  Result<json::value> exchange(std::string_view path, io::ClientRequest request);
  std::string url_;
  std::string token_;
};

// Percent-encodes what is not unreserved in a path segment or query value (RFC 3986).
std::string url_encode(std::string_view text);

// The nearest `.weir` at or above `folder`; empty if there is none.
std::filesystem::path find_state(std::filesystem::path folder);

}  // namespace weir::app
