#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace weir::runner {

// Where the program `name` is found along PATH; "" if nowhere. A name with a slash is taken as it is.
std::string find_program(std::string_view name, std::string_view path);

// Splits a command line at blanks; double quotes keep blanks, a backslash keeps a quote.
std::vector<std::string> split_arguments(std::string_view text);

}  // namespace weir::runner
