#pragma once

#include <span>

#include "store/database.h"

namespace weir::engine {

// Tables of runs, jobs, their results, workflow texts and Python layers.
std::span<const store::Migration> migrations();

}  // namespace weir::engine
