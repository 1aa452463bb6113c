#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "app/cli/api_client.h"
#include "base/clock.h"
#include "base/error.h"

namespace CLI {
class App;
}

// The commands of `weir`. Each add_… function declares one sub-command with its options, help and examples, and sets
// the action that main runs after parsing.
namespace weir::app {

struct Cli {
  Connection connection;
  bool json = false;
  // Set by the chosen command; gives the exit code.
  std::function<Result<int>()> action;
  SystemClock clock;
};

// Adds --server, --state, --token and --json, which every command that talks to a server takes.
void add_connection_options(CLI::App& command, Cli& cli);
// Adds --slots; left out, `slots` stays as it is.
void add_slots(CLI::App& command, int& slots);
// The address that --actions-url gives, if it can be one.
Result<std::string> read_actions_url(const std::string& text);
// What to say if the words of a command line name a command that there is not: `there is no command "rum"; did you mean
// "run"?`; nothing if they name one.
std::optional<std::string> unknown_command(CLI::App& app, std::span<char* const> arguments);
// The examples below a command's help.
void set_examples(CLI::App& command, std::string_view examples);

void add_serve(CLI::App& app, Cli& cli);
void add_run(CLI::App& app, Cli& cli);
void add_lint(CLI::App& app, Cli& cli);
void add_expr(CLI::App& app, Cli& cli);
void add_graph(CLI::App& app, Cli& cli);
void add_run_commands(CLI::App& app, Cli& cli);  // runs logs cancel rerun
void add_pr(CLI::App& app, Cli& cli);
void add_repo(CLI::App& app, Cli& cli);
void add_triggers(CLI::App& app, Cli& cli);
void add_approval_commands(CLI::App& app, Cli& cli);  // approve reject
void add_release_commands(CLI::App& app, Cli& cli);   // gate deploy rollback
void add_insight_commands(CLI::App& app, Cli& cli);   // why dora events
void add_notification_commands(CLI::App& app, Cli& cli);
void add_admin_commands(CLI::App& app, Cli& cli);  // fsck token secret version

}  // namespace weir::app
