#pragma once

#include <span>

#include "store/database.h"

namespace weir::forge {

// Tables forge_*.
std::span<const store::Migration> migrations();

}  // namespace weir::forge
