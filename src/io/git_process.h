#pragma once

#include <filesystem>
#include <map>
#include <string>

namespace weir::io {

// This process's environment, without what would point git at another repository, plus `extra`: git asks nobody for a
// password and speaks English.
std::map<std::string, std::string> git_environment(std::map<std::string, std::string> extra);

// A path as one of GIT_ALTERNATE_OBJECT_DIRECTORIES, whose separator is a colon.
std::string git_path(const std::filesystem::path& path);

}  // namespace weir::io
