#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

// Request targets (RFC 9112, section 3.2) taken apart. Pure.
namespace weir::io {

// What a request line asks for.
struct Target {
  std::string path;                   // decoded; begins with "/", or is "*"
  std::vector<std::string> segments;  // decoded pieces of the path; an encoded slash stays inside one
  std::vector<std::pair<std::string, std::string>> query;  // decoded, in order
};

// Takes "/a%20b?x=1", "http://host/a" or "*". kInvalidArgument for broken escapes, ".." segments, control characters
// and anything else; the message says which.
Result<Target> parse_target(std::string_view target);

// Turns %41 into A, and "+" into a space if asked. kInvalidArgument names the broken escape.
Result<std::string> percent_decode(std::string_view text, bool plus_is_space = false);

}  // namespace weir::io
