#pragma once

#include <span>

#include "store/database.h"

namespace weir::track {

// Tables track_*: experiments, runs and what they log.
std::span<const store::Migration> migrations();

}  // namespace weir::track
