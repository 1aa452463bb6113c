#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace weir {

// The bytes of padded base64 (RFC 4648), as base64_encode() of base/hash.h gives it; blanks and line breaks are
// skipped. kInvalidArgument for anything else.
Result<std::string> base64_decode(std::string_view text);

}  // namespace weir
