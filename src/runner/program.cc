#include "runner/program.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

namespace weir::runner {

std::string find_program(std::string_view name, std::string_view path) {
  if (name.find('/') != std::string_view::npos) return std::string(name);
  while (!path.empty()) {
    const auto end = path.find(':');
    const std::string candidate = fmt::format("{}/{}", path.substr(0, end), name);
    path.remove_prefix(end == std::string_view::npos ? path.size() : end + 1);
    struct stat info{};
    if (::access(candidate.c_str(), X_OK) == 0 && ::stat(candidate.c_str(), &info) == 0 && S_ISREG(info.st_mode)) {
      return candidate;
    }
  }
  return {};
}

std::vector<std::string> split_arguments(std::string_view text) {
  std::vector<std::string> arguments;
  std::string current;
  bool quoted = false;
  bool open = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\\' && i + 1 < text.size() && text[i + 1] == '"') {
      current += '"';
      open = true;
      ++i;
    } else if (c == '"') {
      quoted = !quoted;
      open = true;
    } else if ((c == ' ' || c == '\t') && !quoted) {
      if (open) arguments.push_back(std::exchange(current, {}));
      open = false;
    } else {
      current += c;
      open = true;
    }
  }
  if (open) arguments.push_back(current);
  return arguments;
}

}  // namespace weir::runner
