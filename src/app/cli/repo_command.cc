#include <CLI/CLI.hpp>

#include "app/cli/api_client.h"
#include "app/cli/command.h"
#include "app/cli/print.h"

// weir repo: repositories of a server that follow others.
namespace weir::app {
namespace {

struct RepoArguments {
  std::string name;
  std::string url;
  std::string every;
  std::string token_secret;
};

std::string path_of(const RepoArguments& arguments, std::string_view rest = {}) {
  return fmt::format("/api/v1/repos/{}/mirror{}", url_encode(arguments.name), rest);
}

Result<int> done(Cli& cli, const json::value& answer, const std::string& text) {
  if (cli.json) {
    print_json(answer);
  } else {
    print_line(text);
  }
  return 0;
}

Result<int> add(Cli& cli, const RepoArguments& arguments) {
  auto client = WEIR_TRY(ApiClient::connect(cli.connection));
  json::object body{{"url", arguments.url}, {"token_secret", arguments.token_secret}};
  if (!arguments.every.empty()) body["every"] = arguments.every;
  return done(cli, WEIR_TRY(client.put(path_of(arguments), body)),
              fmt::format("{} follows {}; `weir repo list` says when it was fetched", arguments.name, arguments.url));
}

Result<int> list(Cli& cli) {
  auto client = WEIR_TRY(ApiClient::connect(cli.connection));
  const auto answer = WEIR_TRY(client.get("/api/v1/mirrors"));
  if (cli.json) return done(cli, answer, "");
  std::vector<std::vector<std::string>> rows{{"REPOSITORY", "FOLLOWS", "EVERY", "FETCHED", ""}};
  for (const auto& mirror : answer.at("mirrors").as_array()) {
    const auto fetched = json_string_or(mirror, "fetched_at", "");
    rows.push_back({safe(json_string_or(mirror, "repo", "")), safe(json_string_or(mirror, "url", "")),
                    json_string_or(mirror, "every", "when asked"),
                    fetched.empty() ? "not yet" : ago(fetched, cli.clock.now()),
                    safe_lines(json_string_or(mirror, "problem", ""))});
  }
  fmt::print("{}", rows.size() == 1 ? "no repository follows another: weir repo add NAME --from URL\n" : table(rows));
  return 0;
}

}  // namespace

void add_repo(CLI::App& app, Cli& cli) {
  const auto arguments = std::make_shared<RepoArguments>();
  auto* group = app.add_subcommand("repo", "Let repositories of the server follow others");
  group->require_subcommand(1);
  set_examples(*group, "weir repo add flights --from https://github.com/me/flights.git --every 5m\nweir repo list");

  auto* added = group->add_subcommand("add", "Follow another repository: what is pushed there runs here");
  added->add_option("NAME", arguments->name, "name of the repository here")->required();
  added->add_option("--from", arguments->url, "address that git can fetch from")->required();
  added->add_option("--every", arguments->every,
                    "how often it is fetched; without it when `repo fetch` or a webhook asks");
  added->add_option("--token-secret", arguments->token_secret, "name of the secret that holds the token to fetch with");
  add_connection_options(*added, cli);
  set_examples(*added, "weir repo add flights --from https://github.com/me/flights.git --every 5m");
  added->callback([&cli, arguments] { cli.action = [&cli, arguments] { return add(cli, *arguments); }; });

  auto* listed = group->add_subcommand("list", "List them, with what went wrong");
  add_connection_options(*listed, cli);
  set_examples(*listed, "weir repo list --json");
  listed->callback([&cli] { cli.action = [&cli] { return list(cli); }; });

  auto* fetched = group->add_subcommand("fetch", "Fetch one now");
  fetched->add_option("NAME", arguments->name, "name of the repository here")->required();
  add_connection_options(*fetched, cli);
  set_examples(*fetched, "weir repo fetch flights");
  fetched->callback([&cli, arguments] {
    cli.action = [&cli, arguments]() -> Result<int> {
      auto client = WEIR_TRY(ApiClient::connect(cli.connection));
      return done(cli, WEIR_TRY(client.post(path_of(*arguments, "/fetch"), json::object())), "fetching");
    };
  });

  auto* removed = group->add_subcommand("remove", "Follow it no more; the repository stays");
  removed->add_option("NAME", arguments->name, "name of the repository here")->required();
  add_connection_options(*removed, cli);
  set_examples(*removed, "weir repo remove flights");
  removed->callback([&cli, arguments] {
    cli.action = [&cli, arguments]() -> Result<int> {
      auto client = WEIR_TRY(ApiClient::connect(cli.connection));
      return done(cli, WEIR_TRY(client.remove(path_of(*arguments))), "it follows nothing any more");
    };
  });
}

}  // namespace weir::app
