#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "text/diagnostic.h"

namespace weir::config {

struct ParseOptions {
  // Values of `${{ vars.X }}` in numbers, times, names and rules; they are put in before a value is read. A variable
  // that is not here is an error, unless `accept_unset`: then the value keeps its default, as a linter that does not
  // know the server's variables wants it.
  std::map<std::string, std::string> vars;
  bool accept_unset = false;
  // Whether there is a time zone of that name. Without it any name of the right form is taken.
  std::function<bool(std::string_view name)> knows_time_zone;
};

struct ParseResult {
  std::optional<Config> config;               // given unless a diagnostic is an error
  std::vector<text::Diagnostic> diagnostics;  // every problem at once, in the order of the file
};

// Reads weir.yaml; an empty text is the default configuration. Pure, never throws. `file_name` is for messages.
ParseResult parse_config(std::string_view text, std::string_view file_name, const ParseOptions& options = {});

}  // namespace weir::config
