#pragma once

#include <optional>
#include <string_view>

namespace weir::runner {

// "--nice=10": how far behind other programs a job stands for the processors, 0 (not at all) to 19. Nothing for
// anything else.
std::optional<int> parse_nice(std::string_view argument);

// This process, and all that it starts from now on, gives way to programs of a better rank: also across sessions, whose
// processes Linux may rank among themselves only. A step may rank itself further back, but not further ahead.
void give_way(int nice);

// How far this process gives way.
int current_nice();

}  // namespace weir::runner
