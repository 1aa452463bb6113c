// weir_gateway_server PYTHON WORKERS FOLDER...
//
// Serves MLflow models from folders as versions 1, 2, … of the endpoint "model": version 1 is live, the others are
// loaded. Prints {"port": …} once all are ready, and ends when its standard input does. Beside the gateway's own
// routes:
//   POST /test/switch/{version}  makes a version live, the one before stays warm; {"micros": how long the switch took}
//   GET  /test/state             {"live": {"pids", "restarts", …}}
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <future>

#include "io/http_server.h"
#include "serve/gateway.h"
#include "serve/model_host.h"

namespace {

using namespace weir;

std::vector<serve::Deployment> load_all(serve::ModelHost& host, int workers, std::span<char*> folders) {
  std::vector<serve::Deployment> versions;
  for (std::size_t i = 0; i < folders.size(); ++i) {
    std::promise<Result<serve::LoadedModel>> promise;
    auto future = promise.get_future();
    host.load({.name = fmt::format("model version {}", i + 1), .model_folder = folders[i], .workers = workers},
              [&](auto loaded) { promise.set_value(std::move(loaded)); });
    auto loaded = future.get();
    if (!loaded) {
      fmt::print(stderr, "{}\n", loaded.error().message);
      std::exit(1);
    }
    versions.push_back({.model = "model", .version = std::to_string(i + 1), .backend = loaded->backend});
  }
  return versions;
}

json::object state_of(const serve::Gateway& gateway) {
  json::object state;
  for (const auto& one : gateway.snapshot()) {
    state[one.live ? "live" : "warm"] = {{"version", one.version},
                                         {"pids", json::value_from(one.health.pids)},
                                         {"workers_ready", one.health.workers_ready},
                                         {"restarts", one.health.restarts},
                                         {"batches", one.health.batches},
                                         {"batched", one.health.batched},
                                         {"requests", one.total.requests},
                                         {"p50_ms", one.p50_ms},
                                         {"p95_ms", one.p95_ms}};
  }
  return state;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    fmt::print(stderr, "usage: {} PYTHON WORKERS FOLDER...\n", argv[0]);
    return 2;
  }
  const SystemClock clock;
  Log log(clock, 2, LogLevel::kInfo);
  const auto scratch = std::filesystem::temp_directory_path() / fmt::format("weir-gateway-{}", ::getpid());
  {
    serve::ModelHost host({.environments = {.folder = scratch, .ready_made = argv[1]}}, log);
    auto versions = load_all(host, std::atoi(argv[2]), std::span(argv + 3, static_cast<std::size_t>(argc - 3)));
    serve::Gateway gateway({.server_version = "test"}, clock);
    gateway.configure({.endpoint = "model", .allowed_columns = {"row_id"}});
    std::size_t live = 0;
    gateway.switch_to("model", "production", versions[0], std::nullopt);
    gateway.set_ready(true);

    io::Router router;
    gateway.add_routes(router);
    router.handle("GET", "/test/state", [&](io::HttpRequest&) { return io::json_response(200, state_of(gateway)); });
    router.handle("POST", "/test/switch/{version}", [&](io::HttpRequest& request) {
      const auto wanted = static_cast<std::size_t>(std::atoi(request.params["version"].c_str())) - 1;
      if (wanted >= versions.size()) return io::text_response(404, "no such version");
      const auto begin = std::chrono::steady_clock::now();
      gateway.switch_to("model", "production", versions[wanted], versions[live]);
      live = wanted;
      const auto took = std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now() - begin);
      return io::json_response(200, json::object{{"micros", took.count()}});
    });
    auto server = io::HttpServer::start({}, std::move(router), log);
    if (!server) {
      fmt::print(stderr, "{}\n", server.error().message);
      return 1;
    }
    fmt::print("{{\"port\": {}}}\n", (*server)->port());
    std::fflush(stdout);
    char byte = 0;
    while (::read(0, &byte, 1) > 0) {
    }
    (*server)->stop();
  }
  std::filesystem::remove_all(scratch);
  return 0;
}
