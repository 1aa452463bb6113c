#pragma once

#include <map>
#include <string>

#include "base/error.h"

namespace weir::app {

// The file of `weir run --secret-file`, as other tools write such files: lines NAME=VALUE, # comments. A value may
// stand in quotes, and then go over several lines; in double quotes \n, \r, \", \\ and \$ mean what they do in C and a
// shell.
Result<std::map<std::string, std::string>> read_secret_file(const std::string& path);

// Secrets and variables have names of letters, digits and _ that do not begin with a digit. `option` is for the
// message.
Result<void> check_name(std::string_view option, std::string_view name);

}  // namespace weir::app
