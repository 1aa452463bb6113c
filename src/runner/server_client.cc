#include "runner/server_client.h"

#include <unistd.h>

#include <thread>

#include "io/http_client.h"
#include "runner/glob.h"

namespace weir::runner {
namespace {

constexpr Duration kPauseMin = std::chrono::milliseconds{50};
constexpr Duration kPauseMax = std::chrono::seconds{2};
constexpr Duration kSlice = std::chrono::milliseconds{50};

bool is_passing(int status) {
  return status == 502 || status == 503 || status == 504;
}

}  // namespace

struct ServerClient::Call {
  std::string method;
  std::string path;
  std::string body;
  std::filesystem::path body_file;
  std::filesystem::path response_file;
};

Result<ServerAnswer> ServerClient::exchange(const Call& call) {
  io::ClientRequest request;
  request.method = call.method;
  request.url = base_ + call.path;
  if (!token_.empty()) request.headers.set("Authorization", "Bearer " + token_);
  if (!call.body.empty()) request.headers.set("Content-Type", "application/json");
  request.body = call.body;
  request.body_file = call.body_file;
  request.response_file = call.response_file;

  const auto give_up_at = std::chrono::steady_clock::now() + patience_;
  Duration pause = kPauseMin;
  for (;;) {
    if (stop_ && stop_->load()) return fail(Code::kCancelled, "the step was cancelled");
    auto response = io::http_exchange(request);
    const bool away = !response ? response.error().code == Code::kUnavailable : is_passing(response->status);
    if (!away || std::chrono::steady_clock::now() >= give_up_at) {
      if (!response) return std::unexpected(std::move(response).error());
      ServerAnswer answer{.status = response->status};
      if (auto body = parse_json(response->body, "the server's answer")) {
        answer.message = json_string_or(*body, "message", "");
        answer.body = *std::move(body);
      } else if (answer.status >= 400) {
        answer.message = response->body.substr(0, 500);
      }
      return answer;
    }
    // Nobody tells when the server is back: look again, and at the stop flag meanwhile.
    for (Duration waited{0}; waited < pause && !(stop_ && stop_->load()); waited += kSlice) {
      std::this_thread::sleep_for(kSlice);
    }
    pause = std::min(pause * 2, kPauseMax);
  }
}

Result<ServerAnswer> ServerClient::get(std::string_view path) {
  return exchange({.method = "GET", .path = std::string(path), .body = {}, .body_file = {}, .response_file = {}});
}

Result<ServerAnswer> ServerClient::post(std::string_view path, const json::value& body) {
  return exchange({.method = "POST",
                   .path = std::string(path),
                   .body = json::serialize(body),
                   .body_file = {},
                   .response_file = {}});
}

Result<ServerAnswer> ServerClient::post_file(std::string_view path, const std::filesystem::path& file) {
  return exchange({.method = "POST", .path = std::string(path), .body = {}, .body_file = file, .response_file = {}});
}

Result<void> ServerClient::put_blob(const std::filesystem::path& file, std::string_view sha256) {
  const auto answer = WEIR_TRY(exchange(
      {.method = "PUT", .path = fmt::format("/blobs/{}", sha256), .body = {}, .body_file = file, .response_file = {}}));
  if (answer.status == 200 || answer.status == 201) return {};
  return std::unexpected(answer_error(answer, "the server did not take the upload"));
}

Result<void> ServerClient::get_blob(std::string_view sha256, const std::filesystem::path& file) {
  const auto answer = WEIR_TRY(exchange(
      {.method = "GET", .path = fmt::format("/blobs/{}", sha256), .body = {}, .body_file = {}, .response_file = file}));
  if (answer.status != 200) return std::unexpected(answer_error(answer, "the server has no such download"));
  const std::string got = WEIR_TRY(hash_file(file));
  if (got != sha256) return fail(Code::kCorrupt, "the download has digest {}, expected {}", got, sha256);
  return {};
}

Result<std::string> ServerClient::put_file(const std::filesystem::path& file, const Local& local) {
  if (!local.exchange_dir.empty() && file.parent_path() == local.exchange_dir) {
    const auto answer = WEIR_TRY(post("/blobs", {{"file", file.filename().string()}}));
    std::string sha256 = json_string_or(answer.body, "sha256", "");
    if ((answer.status == 200 || answer.status == 201) && !sha256.empty()) return sha256;
    // A server that cannot reach the file is sent it.
    if (answer.status != 404 && answer.status != 405) {
      return std::unexpected(answer_error(answer, "the server did not take the upload"));
    }
  }
  std::string sha256 = WEIR_TRY(hash_file(file));
  WEIR_TRY(put_blob(file, sha256));
  return sha256;
}

Result<std::filesystem::path> ServerClient::get_file(std::string_view sha256, const std::filesystem::path& download,
                                                     const Local& local) {
  if (!local.blobs_dir.empty() && sha256.size() == 64 &&
      sha256.find_first_not_of("0123456789abcdef") == std::string_view::npos) {
    auto own = local.blobs_dir / sha256.substr(0, 2) / sha256.substr(2);
    if (::access(own.c_str(), R_OK) == 0) return own;
  }
  WEIR_TRY(get_blob(sha256, download));
  return download;
}

Error answer_error(const ServerAnswer& answer, std::string_view what) {
  Code code = Code::kInternal;
  if (answer.status == 401) code = Code::kUnauthenticated;
  if (answer.status == 403) code = Code::kPermissionDenied;
  if (answer.status == 404) code = Code::kNotFound;
  if (answer.status == 409) code = Code::kAlreadyExists;
  if (answer.status == 400) code = Code::kInvalidArgument;
  return {code, fmt::format("{}: {}", what,
                            answer.message.empty() ? fmt::format("HTTP status {}", answer.status) : answer.message)};
}

}  // namespace weir::runner
