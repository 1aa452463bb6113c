#include "io/git_process.h"

#include <unistd.h>

#include <string_view>

namespace weir::io {

std::map<std::string, std::string> git_environment(std::map<std::string, std::string> extra) {
  std::map<std::string, std::string> env = std::move(extra);
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const auto equals = text.find('=');
    if (equals == std::string_view::npos || text.starts_with("GIT_")) continue;
    env.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  env.emplace("GIT_TERMINAL_PROMPT", "0");
  env.emplace("LC_ALL", "C");
  return env;
}

std::string git_path(const std::filesystem::path& path) {
  std::string quoted = "\"";
  for (const char c : path.string()) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + '"';
}

}  // namespace weir::io
