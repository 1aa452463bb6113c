#pragma once

#include <span>

#include "store/database.h"

namespace weir::event {

// Tables of the triggers: which schedules there are and when each last fired.
std::span<const store::Migration> migrations();

}  // namespace weir::event
