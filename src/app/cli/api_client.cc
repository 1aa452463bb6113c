#include "app/cli/api_client.h"

#include <cstdlib>

#include "app/cli/state_place.h"
#include "io/file.h"

namespace weir::app {
namespace {

namespace fs = std::filesystem;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

std::string trimmed(std::string text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0) text.pop_back();
  return text;
}

Error server_error(int status, const std::string& body) {
  Error error{Code::kInternal, fmt::format("the server answered {}: {}", status, body.substr(0, 500))};
  if (status == 401) error.code = Code::kUnauthenticated;
  if (status == 403) error.code = Code::kPermissionDenied;
  if (status == 404) error.code = Code::kNotFound;
  if (status == 400) error.code = Code::kInvalidArgument;
  if (status == 409) error.code = Code::kFailedPrecondition;
  if (const auto answer = parse_json(body, "answer")) {
    if (const auto message = json_string(*answer, "message")) error.message = *message;
  }
  return error;
}

}  // namespace

std::string url_encode(std::string_view text) {
  std::string encoded;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0 || c == '-' || c == '.' || c == '_' || c == '~') {
      encoded += c;
    } else {
      encoded += fmt::format("%{:02X}", byte);
    }
  }
  return encoded;
}

fs::path find_state(fs::path folder) {
  for (;;) {
    if (fs::exists(folder / ".weir")) return folder / ".weir";
    if (!folder.has_relative_path()) return {};
    folder = folder.parent_path();
  }
}

Result<ApiClient> ApiClient::connect(const Connection& connection) {
  std::string url = connection.server.empty() ? environment("WEIR_URL") : connection.server;
  std::string token = connection.token.empty() ? environment("WEIR_TOKEN") : connection.token;
  fs::path state = connection.state;
  if (state.empty()) state = environment("WEIR_STATE");
  if (state.empty() && (url.empty() || token.empty())) state = find_state(fs::current_path());
  state = followed_state(state);
  if (url.empty()) {
    if (state.empty()) {
      return fail(Code::kNotFound,
                  "no server to talk to: start one with `weir serve`, or name it with --server URL or --state DIR");
    }
    const auto text = io::read_file(state / "server.json");
    if (!text) {
      return fail(Code::kNotFound, "no server runs on the state {}: start it with `weir serve --state {}`",
                  state.string(), state.string());
    }
    url = json_string_or(WEIR_TRY(parse_json(*text, "server.json")), "url", "");
  }
  if (token.empty() && !state.empty()) {
    if (const auto text = io::read_file(state / "keys" / "admin.token")) token = trimmed(*text);
  }
  while (url.ends_with('/')) url.pop_back();
  return ApiClient(std::move(url), std::move(token));
}

Result<json::value> ApiClient::call(std::string_view method, std::string_view path, const json::value* body) {
  io::ClientRequest request;
  request.method = method;
  if (body != nullptr) {
    request.body = json::serialize(*body);
    request.headers.set("Content-Type", "application/json");
  }
  return exchange(path, std::move(request));
}

Result<json::value> ApiClient::post_file(std::string_view path, const fs::path& file) {
  io::ClientRequest request;
  request.method = "POST";
  request.body_file = file;
  return exchange(path, std::move(request));
}

Result<json::value> ApiClient::exchange(std::string_view path, io::ClientRequest request) {
  request.url = url_ + std::string(path);
  if (!token_.empty()) request.headers.set("Authorization", "Bearer " + token_);
  const auto response = io::http_exchange(request);
  if (!response) {
    return fail(response.error().code, "cannot talk to weir at {}: {}; does `weir serve` run?", url_,
                response.error().message);
  }
  if (response->status >= 400) return std::unexpected(server_error(response->status, response->body));
  if (response->body.empty()) return json::value(nullptr);
  return parse_json(response->body, "the server's answer");
}

Result<void> ApiClient::stream(std::string_view path,
                               const std::function<bool(std::string_view event, std::string_view data)>& on_event) {
  io::ClientRequest request;
  request.url = url_ + std::string(path);
  if (!token_.empty()) request.headers.set("Authorization", "Bearer " + token_);
  return io::http_event_stream(request, on_event);
}

}  // namespace weir::app
