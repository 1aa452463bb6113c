#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "config/config.h"

namespace weir::config {

// The address of "mailto:ml@example.com". kInvalidArgument unless it is one plain address: several, subjects and
// whatever could end a header line are refused.
Result<std::string> mail_address(std::string_view target);

// Host, port and protection of "smtps://smtp.example.com" (465: TLS from the first byte) or
// "smtp://smtp.example.com:587" (STARTTLS). kInvalidArgument for anything else, a user name or a path in it too.
Result<Mail> mail_server(std::string_view address);

}  // namespace weir::config
