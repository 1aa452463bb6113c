#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <span>

#include "app/cli/command.h"
#include "app/cli/print.h"
#include "app/version.h"

namespace {

// Of a command line that could not be read.
bool asks_for_json(std::span<char* const> arguments) {
  return std::ranges::any_of(arguments, [](std::string_view one) { return one == "--json"; });
}

void print_error_as_json(weir::Code code, const std::string& message) {
  weir::app::print_json(weir::json::object{{"error", weir::code_name(code)}, {"message", message}});
}

}  // namespace

int main(int argc, char** argv) {
  using namespace weir::app;
  const std::span<char* const> arguments(argv, static_cast<std::size_t>(argc));
  std::signal(SIGPIPE, SIG_IGN);  // a reader that went away shows as an error of its write

  CLI::App app("weir: the whole delivery line for machine-learning models", "weir");
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string(version()));
  app.footer(
      "Start with:  weir run      (this repository's workflows, without a server)\n"
      "             weir serve    (server, dashboard and gateway)\n"
      "Each command explains itself with --help.");
  Cli cli;
  add_serve(app, cli);
  add_run(app, cli);
  add_lint(app, cli);
  add_expr(app, cli);
  add_graph(app, cli);
  add_run_commands(app, cli);
  add_pr(app, cli);
  add_repo(app, cli);
  add_triggers(app, cli);
  add_approval_commands(app, cli);
  add_release_commands(app, cli);
  add_insight_commands(app, cli);
  add_notification_commands(app, cli);
  add_admin_commands(app, cli);

  if (const auto unknown = unknown_command(app, arguments)) {
    asks_for_json(arguments) ? print_error_as_json(weir::Code::kInvalidArgument, *unknown) : print_error(*unknown);
    return 2;
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // Help and the version end the parsing too, with code 0.
    if (error.get_exit_code() != 0 && asks_for_json(arguments)) {
      print_error_as_json(weir::Code::kInvalidArgument, error.what());
      return 2;
    }
    return app.exit(error) == 0 ? 0 : 2;
  }
  const auto code = cli.action();
  if (code) return *code;
  if (cli.json) {
    print_error_as_json(code.error().code, code.error().message);
  } else {
    print_error(code.error().message);
  }
  return 1;
}
