// For tests: as much of weir's REST API as built-in actions need, in memory.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "base/hash.h"
#include "io/http_server.h"
#include "io/test_folder.h"

namespace weir::runner {

class TestServer {
 public:
  TestServer() : log_(clock_, 2, LogLevel::kError) { start(0); }

  // Stops answering, and answers again at the same address.
  void stop() {
    port_ = server_->port();
    server_->stop();
    server_.reset();
  }
  void restart() { start(port_); }

  [[nodiscard]] std::string url() const {
    return fmt::format("http://127.0.0.1:{}", server_ ? server_->port() : port_);
  }

  // What has come in so far. Copies, because calls are answered on the server's own threads meanwhile.
  [[nodiscard]] json::array artifacts() const { return read(&TestServer::artifacts_); }
  [[nodiscard]] json::array caches() const { return read(&TestServer::caches_); }
  [[nodiscard]] json::array notifications() const { return read(&TestServer::notifications_); }
  [[nodiscard]] json::array gate_questions() const { return read(&TestServer::gate_questions_); }
  [[nodiscard]] std::vector<std::string> tokens() const { return read(&TestServer::tokens_); }  // one a call

  // What the gate says from now on; without it, no model is known.
  void answer_gate_with(json::value answer) {
    const std::scoped_lock lock(mutex_);
    gate_answer_ = std::move(answer);
  }

 private:
  template <class T>
  T read(T TestServer::* member) const {
    const std::scoped_lock lock(mutex_);
    return this->*member;
  }

  void start(std::uint16_t port) {
    io::Router router;
    const auto note = [this](const io::HttpRequest& request) {
      tokens_.emplace_back(request.headers.get("Authorization"));
    };
    router.handle("PUT", "/api/v1/blobs/{sha256}",
                  [this, note](io::HttpRequest& request) {
                    const std::scoped_lock lock(mutex_);
                    note(request);
                    if (sha256_hex(request.body) != request.params["sha256"])
                      return io::text_response(400, "wrong hash");
                    blobs_[request.params["sha256"]] = request.body;
                    return io::text_response(201, "");
                  },
                  {.body_bytes_max = 64U << 20});
    router.handle("GET", "/api/v1/blobs/{sha256}", [this, note](io::HttpRequest& request) {
      const std::scoped_lock lock(mutex_);
      note(request);
      const auto found = blobs_.find(request.params["sha256"]);
      return found == blobs_.end() ? io::text_response(404, "") : io::text_response(200, found->second);
    });
    router.handle("POST", "/api/v1/runs/{run}/artifacts", [this, note](io::HttpRequest& request) {
      const std::scoped_lock lock(mutex_);
      note(request);
      json::value body = parse_json(request.body, "body").value();
      const std::string name = json_string_or(body, "name", "");
      for (auto& artifact : artifacts_) {
        if (json_string_or(artifact, "name", "") != name) continue;
        if (!json_bool_or(body, "overwrite", false)) return io::json_response(409, {{"message", "exists"}});
        body.get_object()["id"] = artifact.at("id");
        artifact = body;
        return io::json_response(201, {{"id", body.at("id")}});
      }
      body.get_object()["id"] = static_cast<std::int64_t>(artifacts_.size() + 1);
      artifacts_.push_back(body);
      return io::json_response(201, {{"id", body.at("id")}});
    });
    router.handle("GET", "/api/v1/runs/{run}/artifacts", [this, note](io::HttpRequest& request) {
      const std::scoped_lock lock(mutex_);
      note(request);
      return io::json_response(200, {{"artifacts", artifacts_}});
    });
    router.handle("POST", "/api/v1/caches/lookup", [this](io::HttpRequest& request) { return look_up(request); });
    router.handle("POST", "/api/v1/caches", [this](io::HttpRequest& request) {
      const std::scoped_lock lock(mutex_);
      caches_.push_back(parse_json(request.body, "body").value());
      return io::json_response(201, json::object{});
    });
    router.handle("POST", "/api/v1/notifications", [this](io::HttpRequest& request) {
      const std::scoped_lock lock(mutex_);
      notifications_.push_back(parse_json(request.body, "body").value());
      return io::json_response(202, json::object{});
    });
    router.handle("POST", "/api/v1/gate", [this](io::HttpRequest& request) {
      const std::scoped_lock lock(mutex_);
      gate_questions_.push_back(parse_json(request.body, "body").value());
      return io::json_response(gate_answer_.is_null() ? 404 : 200,
                               gate_answer_.is_null() ? json::value{{"message", "no such model"}} : gate_answer_);
    });
    auto server = io::HttpServer::start({.port = port}, std::move(router), log_);
    ASSERT_TRUE(server.has_value()) << server.error().message;
    server_ = *std::move(server);
  }

  io::HttpResponse look_up(const io::HttpRequest& request) {
    const std::scoped_lock lock(mutex_);
    const json::value body = parse_json(request.body, "body").value();
    std::vector<std::string> keys{json_string_or(body, "key", "")};
    for (const auto& key : body.at("restore_keys").get_array()) keys.emplace_back(key.get_string());
    for (const auto& key : keys) {
      for (auto cache = caches_.rbegin(); cache != caches_.rend(); ++cache) {
        const bool same_version = json_string_or(*cache, "version", "") == json_string_or(body, "version", "");
        if (same_version && json_string_or(*cache, "key", "").starts_with(key)) return io::json_response(200, *cache);
      }
    }
    return io::json_response(404, {{"message", "none"}});
  }

  mutable std::mutex mutex_;  // over all of these
  std::map<std::string, std::string> blobs_;
  json::array artifacts_;
  json::array caches_;
  json::array notifications_;
  json::array gate_questions_;
  json::value gate_answer_;
  std::vector<std::string> tokens_;  // Authorization of each call

  SystemClock clock_;
  Log log_;
  std::uint16_t port_ = 0;
  std::unique_ptr<io::HttpServer> server_;
};

}  // namespace weir::runner
