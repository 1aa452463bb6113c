#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "access/access.h"
#include "base/log.h"
#include "registry/registry.h"
#include "rollout/controller.h"
#include "rollout/database_journal.h"
#include "serve/gateway.h"
#include "serve/model_host.h"
#include "store/database.h"

namespace weir::rollout {

// Rollouts as the server runs them: the controller with its threads, bound to database, registry, approvals, gateway
// and model workers. It hears of changes by the event log. Any thread may call everything.
class Rollouts {
 public:
  struct Parts {  // all outlive this
    store::Database& db;
    registry::Registry& registry;
    access::Access& access;
    serve::Gateway& gateway;
    const Clock& clock;
    Log& log;
    DatabaseJournal::ConfigSource config;  // the live configuration; null before there is one
  };
  struct Options {
    std::filesystem::path models;  // <state>/models: versions are unpacked here
    serve::ModelHost::Options host;
  };

  Rollouts(Parts parts, Options options);
  ~Rollouts();

  // Begins: what was live is loaded again, then the wishes are followed. Does not wait for it (GET /v2/health/ready
  // tells). Call it once the configuration is there.
  void start();
  // Ends all of it: loading, workers, threads. Traffic that is left is answered with 503.
  void stop();

  // As Controller's; these wait for the outcome. Permissions are the caller's business.
  Result<Status> roll_back(std::string_view endpoint, std::string_view environment, std::string_view reason,
                           const types::Identity& actor, std::int64_t cause = 0);
  Result<Status> deploy(std::string_view endpoint, std::string_view environment, std::int64_t version,
                        const types::Identity& actor);

  [[nodiscard]] std::vector<Status> statuses() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The endpoints with their environments as GET /api/v1/endpoints has them: name, wish, live, previous, workers,
// requests, errors, p50_ms, p95_ms.
json::array endpoints_json(std::span<const Status> statuses, std::span<const serve::DeploymentSnapshot> traffic);

}  // namespace weir::rollout
