#pragma once

#include <span>

#include "store/database.h"

namespace weir::monitor {

std::span<const store::Migration> migrations();

}  // namespace weir::monitor
