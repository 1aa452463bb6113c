#include <CLI/CLI.hpp>

#include "app/cli/api_client.h"
#include "app/cli/command.h"
#include "app/cli/print.h"

// weir triggers: what starts runs by itself.
namespace weir::app {
namespace {

std::string data_state(const json::value& data, TimePoint now) {
  const auto state = json_string_or(data, "state", "");
  if (state == "problem") return safe_lines(json_string_or(data, "problem", ""));
  if (state == "changing") return "changing, since " + ago(json_string_or(data, "changing_since", ""), now);
  if (state == "absent") return "not there yet";
  return state == "new" ? "not looked at yet" : "";
}

Result<int> triggers(Cli& cli, const std::string& repo) {
  auto client = WEIR_TRY(ApiClient::connect(cli.connection));
  const auto answer =
      WEIR_TRY(client.get("/api/v1/triggers" + (repo.empty() ? std::string() : "?repo=" + url_encode(repo))));
  if (cli.json) {
    print_json(answer);
    return 0;
  }
  const auto now = cli.clock.now();
  std::vector<std::vector<std::string>> data{{"REPOSITORY", "DATA", "WATCHED", "CHANGED", ""}};
  for (const auto& one : answer.at("data").as_array()) {
    const auto changed = json_string_or(one, "changed_at", "");
    data.push_back({safe(json_string_or(one, "repo", "")), safe(json_string_or(one, "name", "")),
                    safe(json_string_or(one, "watch", "")), changed.empty() ? "not yet" : ago(changed, now),
                    data_state(one, now)});
  }
  std::vector<std::vector<std::string>> schedules{{"REPOSITORY", "WORKFLOW", "SCHEDULE", "ZONE", "NEXT"}};
  for (const auto& one : answer.at("schedules").as_array()) {
    schedules.push_back({safe(json_string_or(one, "repo", "")), safe(json_string_or(one, "path", "")),
                         safe(json_string_or(one, "cron", "")), safe(json_string_or(one, "timezone", "")),
                         json_string_or(one, "next", "never")});
  }
  if (data.size() > 1) fmt::print("{}", table(data));
  if (data.size() > 1 && schedules.size() > 1) fmt::print("\n");
  if (schedules.size() > 1) fmt::print("{}", table(schedules));
  if (data.size() == 1 && schedules.size() == 1) {
    fmt::print("nothing starts by time or by data: see `on: schedule` of workflows and `data:` of weir.yaml\n");
  }
  return 0;
}

}  // namespace

void add_triggers(CLI::App& app, Cli& cli) {
  const auto repo = std::make_shared<std::string>();
  auto* command = app.add_subcommand("triggers", "Show schedules and watched data, and what is wrong with them");
  command->add_option("--repo", *repo, "of this repository alone");
  add_connection_options(*command, cli);
  set_examples(*command, "weir triggers\nweir triggers --repo flights --json");
  command->callback([&cli, repo] { cli.action = [&cli, repo] { return triggers(cli, *repo); }; });
}

}  // namespace weir::app
