#pragma once

#include <span>

#include "store/database.h"

namespace weir::rollout {

// Table rollout_environments: wish and fact of each environment of each endpoint.
std::span<const store::Migration> migrations();

}  // namespace weir::rollout
