#include <CLI/CLI.hpp>
#include <csignal>

#include "app/cli/command.h"
#include "app/cli/print.h"
#include "app/version.h"

int main(int argc, char** argv) {
  using namespace weir::app;
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

  if (const auto unknown = unknown_command(app, {argv, static_cast<std::size_t>(argc)})) {
    print_error(*unknown);
    return 2;
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? 0 : 2;
  }
  const auto code = cli.action();
  if (code) return *code;
  if (cli.json) {
    print_json(weir::json::object{{"error", weir::code_name(code.error().code)}, {"message", code.error().message}});
  } else {
    print_error(code.error().message);
  }
  return 1;
}
