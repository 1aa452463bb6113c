#include "app/cli/command.h"

#include <CLI/CLI.hpp>

namespace weir::app {

void add_connection_options(CLI::App& command, Cli& cli) {
  command.add_option("--server", cli.connection.server, "URL of the server (WEIR_URL)");
  command.add_option("--state", cli.connection.state, "state folder of a server on this machine (WEIR_STATE)");
  command.add_option("--token", cli.connection.token, "token (WEIR_TOKEN; default: the state's admin token)");
  command.add_flag("--json", cli.json, "print JSON");
}

void set_examples(CLI::App& command, std::string_view examples) {
  std::string text = "Examples:\n  ";
  for (const char c : examples) {
    text += c;
    if (c == '\n') text += "  ";
  }
  command.footer(text);
}

}  // namespace weir::app
