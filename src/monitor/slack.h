#pragma once

#include <string>
#include <string_view>

#include "config/config.h"

namespace weir::monitor {

// What a message looks like at a webhook that takes Slack's messages: blocks for Slack, and the same as plain `text`
// for its relatives, which leave blocks aside. Whatever Slack would take for markup (<!channel>) is text.
// `link`, if any, leads to what it is about.
std::string slack_body(std::string_view text, config::Severity severity, bool possibly_repeated,
                       std::string_view link = {});

// The line that tells a reader that the message may have come before.
std::string_view repeated_line();

}  // namespace weir::monitor
