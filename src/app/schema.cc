#include "app/schema.h"

#include "access/schema.h"
#include "engine/run_artifacts.h"
#include "engine/schema.h"
#include "event/schema.h"
#include "forge/schema.h"
#include "gate/schema.h"
#include "monitor/schema.h"
#include "registry/schema.h"
#include "rollout/schema.h"
#include "track/schema.h"

namespace weir::app {

std::vector<store::Migration> all_migrations() {
  std::vector<store::Migration> all;
  for (const auto part : {access::migrations(), track::migrations(), event::migrations(), engine::migrations(),
                          engine::run_artifact_migrations(), registry::migrations(), gate::migrations(),
                          rollout::migrations(), monitor::migrations(), forge::migrations()}) {
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

}  // namespace weir::app
