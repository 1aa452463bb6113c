#pragma once

#include <span>

#include "store/database.h"

namespace weir::access {

// Tables access_*; given to open_sqlite together with those of the other folders.
std::span<const store::Migration> migrations();

}  // namespace weir::access
