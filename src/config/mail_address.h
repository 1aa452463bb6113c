#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace weir::config {

// The address of "mailto:ml@example.com". kInvalidArgument unless it is one plain address: several, subjects and
// whatever could end a header line are refused.
Result<std::string> mail_address(std::string_view target);

}  // namespace weir::config
