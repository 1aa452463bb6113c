#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "access/config_store.h"
#include "api/weir/routes.h"
#include "gate/gate.h"
#include "insight/why.h"
#include "registry/registry.h"
#include "store/blob_store.h"
#include "store/database.h"
#include "track/tracking.h"

namespace weir::app {

// Experiments, registry, gates and lineage, bound to each other.
class Lineage {
 public:
  // What serves production of the endpoint that a model belongs to; set by who serves models.
  using ChampionSource = std::function<Result<std::optional<gate::Champion>>(const std::string& model)>;

  static Result<std::unique_ptr<Lineage>> open(store::Database& db, store::BlobStore& blobs,
                                               access::ConfigStore& config, ChampionSource champion);

  [[nodiscard]] track::Tracking& tracking() { return *tracking_; }
  [[nodiscard]] registry::Registry& registry() { return *registry_; }
  [[nodiscard]] gate::GateService& gate() { return *gate_; }
  [[nodiscard]] insight::Sources insight_sources(std::function<Result<io::Git>(const std::string& repo)> git);

 private:
  Lineage() = default;
  std::unique_ptr<track::Tracking> tracking_;
  std::unique_ptr<registry::Registry> registry_;
  std::unique_ptr<gate::GateService> gate_;
};

}  // namespace weir::app
