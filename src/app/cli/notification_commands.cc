#include <CLI/CLI.hpp>
#include <chrono>
#include <thread>

#include "app/cli/command.h"
#include "app/cli/print.h"

// notifications: what people are told.
namespace weir::app {
namespace {

struct NotificationArguments {
  std::string state;
  std::int64_t limit = 30;
  std::int64_t id = 0;
  std::string to;
};

constexpr std::chrono::seconds kTestPatience{60};

std::string first_line(const std::string& text) {
  return safe(text.substr(0, text.find('\n')));
}

std::string outcome(const json::value& one, const Clock& clock) {
  const std::string problem = first_line(json_string_or(one, "problem", ""));
  const std::string state = json_string_or(one, "state", "");
  if (state == "held" || state == "retrying") {
    const std::string at = json_string_or(one, "next_attempt_at", "");
    return fmt::format("{}{}until {}", problem, problem.empty() ? "" : "; ", at);
  }
  if (json_bool_or(one, "possibly_repeated", false)) return problem.empty() ? "possibly repeated" : problem;
  if (state == "merged") return fmt::format("sent as {}", json_int(one, "digest").value_or(0));
  return problem.empty() ? ago(json_string_or(one, "created_at", ""), clock.now()) : problem;
}

void print_notifications(const json::value& list, const Clock& clock) {
  std::vector<std::vector<std::string>> rows{{"NUMBER", "STATE", "SEVERITY", "TARGET", "TRIES", "", "TEXT"}};
  for (const auto& one : list.as_array()) {
    rows.push_back({std::to_string(json_int(one, "id").value_or(0)), json_string_or(one, "state", ""),
                    json_string_or(one, "severity", ""), safe(json_string_or(one, "target", "")),
                    std::to_string(json_int(one, "attempts").value_or(0)), outcome(one, clock),
                    first_line(json_string_or(one, "text", ""))});
  }
  fmt::print("{}", table(rows));
}

Result<int> list(Cli& cli, const NotificationArguments& arguments) {
  auto client = WEIR_TRY(ApiClient::connect(cli.connection));
  const auto answer = WEIR_TRY(
      client.get(fmt::format("/api/v1/notifications?limit={}&state={}", arguments.limit, url_encode(arguments.state))));
  if (cli.json) {
    print_json(answer);
  } else if (answer.at("notifications").as_array().empty()) {
    print_line(arguments.state.empty() ? "nobody was told anything in the last week"
                                       : fmt::format("no notification is {}", arguments.state));
  } else {
    print_notifications(answer.at("notifications"), cli.clock);
  }
  return 0;
}

Result<int> retry(Cli& cli, const NotificationArguments& arguments) {
  auto client = WEIR_TRY(ApiClient::connect(cli.connection));
  const auto answer =
      WEIR_TRY(client.post(fmt::format("/api/v1/notifications/{}/retry", arguments.id), json::object{}));
  if (cli.json) {
    print_json(answer);
  } else {
    print_line(fmt::format("notification {} to {} is tried again", arguments.id, json_string_or(answer, "target", "")));
  }
  return 0;
}

// Until every one was taken or refused.
Result<json::array> outcomes(ApiClient& client, const json::array& numbers) {
  const auto deadline = std::chrono::steady_clock::now() + kTestPatience;
  for (;;) {
    json::array all;
    bool open = false;
    for (const auto& number : numbers) {
      auto one = WEIR_TRY(client.get(fmt::format("/api/v1/notifications/{}", number.as_int64())));
      open = open || json_string_or(one, "state", "") == "waiting";
      all.push_back(std::move(one));
    }
    if (!open || std::chrono::steady_clock::now() > deadline) return all;
    std::this_thread::sleep_for(std::chrono::milliseconds{100});
  }
}

Result<int> test(Cli& cli, const NotificationArguments& arguments) {
  auto client = WEIR_TRY(ApiClient::connect(cli.connection));
  json::object body;
  if (!arguments.to.empty()) body["to"] = arguments.to;
  const auto queued = WEIR_TRY(client.post("/api/v1/notifications/test", body));
  const auto all = WEIR_TRY(outcomes(client, queued.at("notifications").as_array()));
  bool good = true;
  for (const auto& one : all) {
    const bool sent = json_string_or(one, "state", "") == "sent";
    good = good && sent;
    if (cli.json) continue;
    const std::string problem = safe_lines(json_string_or(one, "problem", ""));
    print_line(fmt::format("{}  {}{}{}", state_mark(sent ? "success" : "failure"),
                           safe(json_string_or(one, "target", "")), sent ? "" : ": ",
                           sent              ? ""
                           : problem.empty() ? "no answer yet"
                                             : problem));
  }
  if (cli.json) print_json(json::object{{"notifications", all}});
  return good ? 0 : 1;
}

}  // namespace

void add_notification_commands(CLI::App& app, Cli& cli) {
  const auto arguments = std::make_shared<NotificationArguments>();
  auto* command = app.add_subcommand("notifications", "What people are told: what waits, what was given up and why");
  command->add_option("--only", arguments->state, "waiting, held, retrying, sent, given_up or merged");
  command->add_option("--limit", arguments->limit, "at most so many")->capture_default_str();
  add_connection_options(*command, cli);
  set_examples(*command,
               "weir notifications\nweir notifications --only given_up\nweir notifications retry 12\n"
               "weir notifications test mailto:ml@example.com");
  // A sub-command of this one runs before it.
  command->callback([&cli, arguments, command] {
    if (command->get_subcommands().empty()) cli.action = [&cli, arguments] { return list(cli, *arguments); };
  });

  auto* again = command->add_subcommand("retry", "Try one again that waits or was given up");
  again->add_option("NUMBER", arguments->id, "of the notification")->required();
  add_connection_options(*again, cli);
  set_examples(*again, "weir notifications retry 12");
  again->callback([&cli, arguments] { cli.action = [&cli, arguments] { return retry(cli, *arguments); }; });

  auto* trial =
      command->add_subcommand("test", "Send a message to try the targets of weir.yaml; exit code 1 if one fails");
  trial->add_option("TO", arguments->to, "`to` of one target, as it stands in weir.yaml (default: all)");
  add_connection_options(*trial, cli);
  set_examples(*trial, "weir notifications test\nweir notifications test '${{ secrets.SLACK_WEBHOOK }}'");
  trial->callback([&cli, arguments] { cli.action = [&cli, arguments] { return test(cli, *arguments); }; });
}

}  // namespace weir::app
