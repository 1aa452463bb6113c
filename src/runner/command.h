#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

// What a step says to its runner: `::command::` lines in its output and lines in the files GITHUB_OUTPUT and friends.
// Syntax and errors are GitHub's (docs.github.com, "Workflow commands for GitHub Actions"). Pure.
namespace weir::runner {

// Compares names without regard to (ASCII) case.
struct CaseLess {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const;
};
bool equal_ignoring_case(std::string_view a, std::string_view b);

struct Command {
  std::string name;                                         // as written, e.g. "set-output"
  std::map<std::string, std::string, CaseLess> properties;  // unescaped, e.g. {"name": "auc"}
  std::string data;                                         // unescaped

  // "" if absent.
  [[nodiscard]] std::string_view property(std::string_view name) const;
};

// Reads "::name key=value,key=value::data" (leading blanks allowed) or "##[name key=value;key=value]data" (anywhere in
// the line). Nothing if the line is not such a command or `known` does not hold its name: it is ordinary output then.
std::optional<Command> parse_command(std::string_view line, const std::function<bool(std::string_view)>& known);

// Reads a GITHUB_OUTPUT, GITHUB_ENV or GITHUB_STATE file: lines "name=value", or "name<<delimiter", lines of the value,
// "delimiter". In order, repeated names kept. kInvalidArgument with GitHub's words for a line that is neither, or a
// delimiter that never comes; `pairs` holds those before it then, which count.
Result<void> parse_key_values(std::string_view text, std::vector<std::pair<std::string, std::string>>& pairs);

// Lines of a GITHUB_PATH file, without empty ones.
std::vector<std::string> parse_path_lines(std::string_view text);

}  // namespace weir::runner
