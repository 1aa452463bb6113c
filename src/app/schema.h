#pragma once

#include <vector>

#include "store/database.h"

namespace weir::app {

// The migrations of every folder, in the order in which they apply.
std::vector<store::Migration> all_migrations();

}  // namespace weir::app
