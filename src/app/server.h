#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "access/access.h"
#include "base/log.h"
#include "engine/engine.h"
#include "event/triggers.h"
#include "io/git.h"
#include "store/sqlite/sqlite_database.h"

namespace weir::app {

// One weir on one state folder: every part constructed, bound to the others and started in order; stopped in reverse.
//
// Start order: lock, database, blobs, identities, configuration, engine, triggers, gateway and rollouts, monitor, HTTP,
// then what was missed is caught up (pushes without a trigger, schedules). Any thread may call the accessors.
class Server {
 public:
  static constexpr const char* kActionsUrl = "https://github.com";

  struct Options {
    std::filesystem::path state;  // made if need be
    std::string host = "127.0.0.1";
    std::optional<std::uint16_t> port;  // none: the one it had before, else any free one
    std::filesystem::path runner;       // the weir-runner program
    int slots = 0;                      // jobs at a time; 0: one for each processor
    int job_nice = 0;                   // how far jobs give way to the server for the processors, 0 to 19
    // Where people reach this server, e.g. through a proxy: "https://weir.example.com". "" = where it listens.
    std::string public_url;
    // Repositories that are work trees of people, by name (`weir run`); others are bare ones below <state>/repos.
    std::map<std::string, io::Git> local_repositories;
    bool strict = false;                                     // for every repository, whatever its weir.yaml says
    std::string actions_url = kActionsUrl;                   // what `uses: owner/name@ref` is below
    std::int64_t actions_bytes_max = std::int64_t{4} << 30;  // fetched actions; those used longest ago go
    store::Durability durability = store::Durability::kEachWrite;
    // Folders and beginnings of addresses that weir.yaml may name under `data`; none: no data is watched there.
    std::vector<std::string> watch_roots;
    bool serve_models = true;                          // gateway, rollouts and monitor; `weir run` needs none
    std::map<std::string, std::string> extra_secrets;  // of this process only (`weir run -s`)
    // Asked before what is unfinished is taken up: what it cancels begins nothing new but what always() says.
    std::function<Result<void>(engine::Engine&)> before_start;
  };

  // kFailedPrecondition if another process owns the state or the port is taken.
  static Result<std::unique_ptr<Server>> start(Options options, const Clock& clock, Log& log);
  virtual ~Server() = default;

  // Ends in order: no new requests, then jobs are let go (they go on), then the database is closed.
  virtual void stop() = 0;

  [[nodiscard]] virtual std::string url() const = 0;
  [[nodiscard]] virtual engine::Engine& engine() = 0;
  [[nodiscard]] virtual event::Triggers& triggers() = 0;
  [[nodiscard]] virtual std::string admin_token() const = 0;
};

// The weir-runner beside this executable, or WEIR_RUNNER. kNotFound says where it was looked for.
Result<std::filesystem::path> find_runner();

}  // namespace weir::app
