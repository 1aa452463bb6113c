#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "access/config_store.h"
#include "app/lineage.h"
#include "event/triggers.h"
#include "io/http.h"
#include "monitor/monitor.h"
#include "rollout/rollouts.h"
#include "serve/gateway.h"

namespace weir::app {

// Gateway, rollouts and monitor of a server, bound to each other.
class Serving {
 public:
  struct Parts {  // all outlive this
    store::Database& db;
    access::Access& access;
    access::ConfigStore& config;
    Lineage& lineage;
    event::Triggers& triggers;
    const Clock& clock;
    Log& log;
    std::filesystem::path state;
  };

  explicit Serving(const Parts& parts);
  ~Serving();

  // Routes of the gateway; they match any first path segment, so they go last.
  void add_gateway_routes(io::Router& router);
  // Follows wishes and traffic; what was live is loaded again in the background.
  Result<void> start();
  void stop();

  [[nodiscard]] rollout::Rollouts& rollouts();
  [[nodiscard]] weir::monitor::Monitor& monitor();
  [[nodiscard]] const serve::Gateway& gateway() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// What serves production of the endpoint that `model` belongs to.
Result<std::optional<gate::Champion>> find_champion(store::Database& db, const std::string& model);

}  // namespace weir::app
