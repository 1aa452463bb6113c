// mlflow_test_server STATE_FOLDER
//
// Serves the MLflow API on a free port of loopback until its standard input ends, and prints "listening PORT". Tokens say
// themselves who they are: "role-viewer", "role-developer", "role-approver", "role-admin", and "job-<job>-<run>".
#include <unistd.h>

#include <charconv>
#include <iostream>

#include "access/permission.h"
#include "api/mlflow/routes.h"
#include "base/clock.h"
#include "base/log.h"
#include "io/http_server.h"
#include "registry/schema.h"
#include "store/sqlite/sqlite_database.h"
#include "track/schema.h"

namespace weir {
namespace {

constexpr std::string_view kBearer = "Bearer ";

std::optional<types::Identity> identity_of(std::string_view token) {
  if (token.starts_with("role-")) {
    const auto role = access::parse_role(token.substr(5));
    if (!role) return std::nullopt;
    return types::Identity{.name = std::string(token.substr(5)), .role = *role};
  }
  if (!token.starts_with("job-")) return std::nullopt;
  token.remove_prefix(4);
  types::Identity identity;
  std::int64_t job = 0;
  std::int64_t run = 0;
  const char* end = token.data() + token.size();
  const auto first = std::from_chars(token.data(), end, job);
  if (first.ec != std::errc() || first.ptr == end) return std::nullopt;
  if (std::from_chars(first.ptr + 1, end, run).ec != std::errc()) return std::nullopt;
  return types::Identity{
      .name = fmt::format("job:{}", job), .role = types::Role::kDeveloper, .job_id = job, .run_id = run};
}

std::optional<io::HttpResponse> authenticate(io::HttpRequest& request) {
  const auto header = request.headers.get("Authorization");
  if (!header.starts_with(kBearer)) return std::nullopt;
  auto identity = identity_of(header.substr(kBearer.size()));
  if (!identity) return io::text_response(401, "wrong token\n");
  request.identity = *std::move(identity);
  return std::nullopt;
}

Result<void> serve(const std::filesystem::path& state) {
  const SystemClock clock;
  Log log(clock, STDERR_FILENO, LogLevel::kWarning);
  std::vector<store::Migration> migrations;
  for (const auto part : {track::migrations(), registry::migrations()}) {
    migrations.insert(migrations.end(), part.begin(), part.end());
  }
  const auto db = WEIR_TRY(store::open_sqlite(state / "weir.db", migrations, clock, log));
  const auto blobs = WEIR_TRY(store::open_local_blobs(state / "blobs"));
  const auto tracking = WEIR_TRY(track::Tracking::open(*db, *blobs));
  registry::Registry registry(*db, *tracking);
  io::Router router;
  router.before(authenticate);
  api::add_mlflow_routes(router, {.tracking = *tracking, .registry = registry, .allow = access::allow});
  const auto server = WEIR_TRY(io::HttpServer::start({}, std::move(router), log));
  std::cout << "listening " << server->port() << std::endl;
  char byte = 0;
  while (::read(STDIN_FILENO, &byte, 1) > 0) {
  }
  server->stop();
  db->stop();
  return {};
}

}  // namespace
}  // namespace weir

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: mlflow_test_server STATE_FOLDER\n";
    return 2;
  }
  if (const auto served = weir::serve(argv[1]); !served) {
    std::cerr << served.error().message << "\n";
    return 1;
  }
  return 0;
}
