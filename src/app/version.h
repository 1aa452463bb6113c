#pragma once

#include <string_view>

namespace weir::app {

// "0.1.0", from the file VERSION.
std::string_view version();

}  // namespace weir::app
