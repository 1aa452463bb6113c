#pragma once

#include <span>

#include "store/database.h"

namespace weir::gate {

// Tables gate_*.
std::span<const store::Migration> migrations();

}  // namespace weir::gate
