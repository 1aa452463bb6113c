#include "app/cli/command.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>

#include "text/suggest.h"

namespace weir::app {

void add_connection_options(CLI::App& command, Cli& cli) {
  command.add_option("--server", cli.connection.server, "URL of the server (WEIR_URL)");
  command.add_option("--state", cli.connection.state, "state folder of a server on this machine (WEIR_STATE)");
  command.add_option("--token", cli.connection.token, "token (WEIR_TOKEN; default: the state's admin token)");
  command.add_flag("--json", cli.json, "print JSON");
}

void add_slots(CLI::App& command, int& slots) {
  command.add_option("--slots", slots, "jobs at a time (default: one for each processor)")
      ->check(
          [](const std::string& text) {
            int value = 0;
            const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
            const bool well = error == std::errc{} && stop == text.data() + text.size() && value >= 1;
            return well ? std::string() : fmt::format("{} is no number of jobs at a time; the least is 1", text);
          },
          "FROM 1");
}

Result<std::string> read_actions_url(const std::string& text) {
  const auto end = text.find("://");
  static const std::vector<std::string> kSchemes{"https", "http", "file", "ssh", "git"};
  const auto scheme = text.substr(0, end);
  if (end != std::string::npos && end + 3 < text.size() && std::ranges::find(kSchemes, scheme) != kSchemes.end()) {
    return text;
  }
  const bool is_path = text.starts_with('/');
  return fail(Code::kInvalidArgument,
              "--actions-url {}: it must be an address such as https://github.com, or file:///srv/mirror{}", text,
              is_path ? fmt::format("; did you mean file://{}?", text) : "");
}

std::optional<std::string> unknown_command(CLI::App& app, std::span<char* const> arguments) {
  CLI::App* group = &app;
  std::string path;
  for (const std::string word : arguments.subspan(1)) {
    if (word.starts_with('-') || group->get_require_subcommand_min() == 0) return std::nullopt;
    CLI::App* found = nullptr;
    std::vector<std::string> known;
    for (auto* command : group->get_subcommands([](const CLI::App*) { return true; })) {
      known.push_back(command->get_name());
      if (command->check_name(word)) found = command;
    }
    if (found == nullptr) {
      auto hint = text::did_you_mean(word, known);
      if (hint.empty() && group != &app) hint = fmt::format("weir{} has {}", path, fmt::join(known, ", "));
      if (hint.empty()) hint = "weir --help lists all";
      return fmt::format("there is no command \"{}{}\"; {}", path.empty() ? "" : path.substr(1) + " ", word, hint);
    }
    path += " " + word;
    group = found;
  }
  return std::nullopt;
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
