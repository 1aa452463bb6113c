#pragma once

#include <map>
#include <string>

namespace weir::io {

// This process's environment, without what would point git at another repository, plus `extra`: git asks nobody for a
// password and speaks English.
std::map<std::string, std::string> git_environment(std::map<std::string, std::string> extra);

}  // namespace weir::io
