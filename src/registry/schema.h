#pragma once

#include <span>

#include "store/database.h"

namespace weir::registry {

// Tables registry_*: registered models, their versions and aliases.
std::span<const store::Migration> migrations();

}  // namespace weir::registry
