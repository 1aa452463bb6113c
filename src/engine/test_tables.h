#pragma once

#include <vector>

#include "engine/run_artifacts.h"
#include "engine/schema.h"

namespace weir::engine {

// Every table of the engine's.
inline std::vector<store::Migration> test_tables() {
  std::vector<store::Migration> all(migrations().begin(), migrations().end());
  all.insert(all.end(), run_artifact_migrations().begin(), run_artifact_migrations().end());
  return all;
}

}  // namespace weir::engine
