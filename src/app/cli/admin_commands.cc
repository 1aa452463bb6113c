#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <iostream>
#include <iterator>
#include <optional>

#include "app/cli/command.h"
#include "app/cli/print.h"
#include "app/cli/state_place.h"
#include "app/fsck.h"
#include "app/version.h"

// fsck, token, secret, version.
namespace weir::app {
namespace {

struct AdminArguments {
  std::string name;
  std::string role = "developer";
  std::string expires_in;
  std::string repo;
  std::string environment;
  std::optional<std::string> value;
  bool allow_empty = false;
  std::int64_t id = 0;
  bool deep = false;
};

Result<int> check_state(Cli& cli, const AdminArguments& arguments) {
  auto state = cli.connection.state;
  if (const char* named = std::getenv("WEIR_STATE"); state.empty() && named != nullptr) state = named;
  if (state.empty()) state = find_state(std::filesystem::current_path());
  if (state.empty()) return fail(Code::kNotFound, "no state here: name it with --state DIR");
  state = followed_state(state);
  // One whose database is lost still has its keys, and is told so below.
  if (!std::filesystem::exists(state / "weir.db") && !std::filesystem::exists(state / "keys")) {
    return fail(Code::kNotFound, "there is no state in {}", state.string());
  }
  const auto report = WEIR_TRY(fsck(state, {.read_blobs = arguments.deep}));
  if (cli.json) {
    print_json(to_json(report));
  } else {
    print_line(fmt::format("{} events, {} blobs ({} read), {} references checked in {}", report.events, report.blobs,
                           report.blobs_read, report.references, state.string()));
    if (report.lfs_objects > 0) {
      print_line(fmt::format("{} objects of Git LFS ({} read) checked", report.lfs_objects, report.lfs_objects_read));
    }
    for (const auto& problem : report.problems) print_line(fmt::format("{} {}", styled(Style::kBad, "✗"), problem));
    for (const auto& advice : report.advice) print_line(fmt::format("→ {}", advice));
    if (report.problems.empty()) print_line(fmt::format("{} no problem found", styled(Style::kGood, "✓")));
  }
  return report.problems.empty() ? 0 : 1;
}

Result<int> create_token(Cli& cli, const AdminArguments& arguments) {
  auto client = WEIR_TRY(ApiClient::connect(cli.connection));
  json::object body{{"name", arguments.name}, {"role", arguments.role}};
  if (!arguments.expires_in.empty()) body["expires_in"] = arguments.expires_in;
  const auto token = WEIR_TRY(client.post("/api/v1/tokens", body));
  if (cli.json) {
    print_json(token);
    return 0;
  }
  // Alone on standard output, so that TOKEN=$(weir token create …) works.
  if (is_terminal(STDERR_FILENO)) {
    fmt::print(stderr, "token of {} ({}), shown this once:\n", arguments.name, arguments.role);
  }
  print_line(json_string_or(token, "token", ""));
  return 0;
}

Result<int> list_tokens(Cli& cli) {
  auto client = WEIR_TRY(ApiClient::connect(cli.connection));
  const auto answer = WEIR_TRY(client.get("/api/v1/tokens"));
  if (cli.json) {
    print_json(answer);
    return 0;
  }
  std::vector<std::vector<std::string>> rows{{"TOKEN", "NAME", "ROLE", "CREATED", "BY", "EXPIRES"}};
  for (const auto& token : answer.at("tokens").as_array()) {
    rows.push_back({fmt::format("{}", json_int(token, "id").value_or(0)), safe(json_string_or(token, "name", "")),
                    json_string_or(token, "role", ""), ago(json_string_or(token, "created_at", ""), cli.clock.now()),
                    safe(json_string_or(token, "created_by", "")), json_string_or(token, "expires_at", "never")});
  }
  fmt::print("{}", table(rows));
  return 0;
}

Result<int> set_secret(Cli& cli, const AdminArguments& arguments) {
  auto client = WEIR_TRY(ApiClient::connect(cli.connection));
  std::string value = arguments.value.value_or("");
  if (!arguments.value) {
    if (is_terminal(STDIN_FILENO)) {
      value = ::getpass(fmt::format("value of {}: ", arguments.name).c_str());
    } else {
      value.assign(std::istreambuf_iterator<char>(std::cin), {});
      if (value.ends_with('\n')) value.pop_back();
    }
    if (value.empty() && !arguments.allow_empty) {
      return fail(Code::kInvalidArgument, "the value of {} is empty; if it shall be: --allow-empty", arguments.name);
    }
  }
  WEIR_TRY(client.put(
      "/api/v1/secrets/" + url_encode(arguments.name),
      json::object{{"value", value}, {"repository", arguments.repo}, {"environment", arguments.environment}}));
  if (cli.json) {
    print_json(
        json::object{{"name", arguments.name}, {"repository", arguments.repo}, {"environment", arguments.environment}});
  } else {
    print_line(fmt::format("{} secret {} is set", styled(Style::kGood, "✓"), arguments.name));
  }
  return 0;
}

Result<int> list_secrets(Cli& cli) {
  auto client = WEIR_TRY(ApiClient::connect(cli.connection));
  const auto answer = WEIR_TRY(client.get("/api/v1/secrets"));
  if (cli.json) {
    print_json(answer);
    return 0;
  }
  std::vector<std::vector<std::string>> rows{{"SECRET", "REPOSITORY", "ENVIRONMENT", "SET", "BY"}};
  for (const auto& secret : answer.at("secrets").as_array()) {
    const auto repo = json_string_or(secret, "repository", "");
    const auto environment = json_string_or(secret, "environment", "");
    rows.push_back({json_string_or(secret, "name", ""), repo.empty() ? "all" : safe(repo),
                    environment.empty() ? "any" : safe(environment),
                    ago(json_string_or(secret, "updated_at", ""), cli.clock.now()),
                    safe(json_string_or(secret, "updated_by", ""))});
  }
  fmt::print("{}", rows.size() == 1 ? "there are no secrets\n" : table(rows));
  return 0;
}

Result<int> delete_secret(Cli& cli, const AdminArguments& arguments) {
  auto client = WEIR_TRY(ApiClient::connect(cli.connection));
  WEIR_TRY(client.remove(fmt::format("/api/v1/secrets/{}?repository={}&environment={}", url_encode(arguments.name),
                                     url_encode(arguments.repo), url_encode(arguments.environment))));
  if (cli.json) {
    print_json(json::object{{"name", arguments.name}, {"deleted", true}});
  } else {
    print_line(fmt::format("secret {} is deleted", arguments.name));
  }
  return 0;
}

void add_token(CLI::App& app, Cli& cli, const std::shared_ptr<AdminArguments>& arguments) {
  auto* token = app.add_subcommand("token", "Create, list and revoke tokens");
  token->require_subcommand(1);
  set_examples(*token, "weir token create alice --role approver\nweir token list\nweir token revoke 3");
  auto* create = token->add_subcommand("create", "Make a token and print it, this once");
  create->add_option("NAME", arguments->name, "who it is for")->required();
  create->add_option("--role", arguments->role, "viewer, developer, approver or admin")->capture_default_str();
  create->add_option("--expires-in", arguments->expires_in, "like 30d; never if left out");
  add_connection_options(*create, cli);
  create->callback([&cli, arguments] { cli.action = [&cli, arguments] { return create_token(cli, *arguments); }; });
  auto* list = token->add_subcommand("list", "Tokens there are, without their values");
  add_connection_options(*list, cli);
  list->callback([&cli] { cli.action = [&cli] { return list_tokens(cli); }; });
  auto* revoke = token->add_subcommand("revoke", "Make a token useless");
  revoke->add_option("TOKEN", arguments->id, "its number")->required();
  add_connection_options(*revoke, cli);
  revoke->callback([&cli, arguments] {
    cli.action = [&cli, arguments]() -> Result<int> {
      auto client = WEIR_TRY(ApiClient::connect(cli.connection));
      WEIR_TRY(client.remove(fmt::format("/api/v1/tokens/{}", arguments->id)));
      if (cli.json) {
        print_json(json::object{{"id", arguments->id}, {"revoked", true}});
      } else {
        print_line(fmt::format("token {} is revoked", arguments->id));
      }
      return 0;
    };
  });
}

void add_secret(CLI::App& app, Cli& cli, const std::shared_ptr<AdminArguments>& arguments) {
  auto* secret = app.add_subcommand("secret", "Set, list and delete secrets for `${{ secrets.NAME }}`");
  secret->require_subcommand(1);
  // Before its sub-command, which takes them over.
  set_examples(
      *secret,
      "weir secret set SLACK_WEBHOOK < webhook.txt\nweir secret set API_KEY --repo flights --environment production\n"
      "weir secret list\nweir secret delete API_KEY --repo flights --environment production");
  auto* set = secret->add_subcommand("set", "Set a secret, read from standard input or asked for");
  set->add_option("NAME", arguments->name, "letters, digits and _")->required();
  set->add_option("--value", arguments->value, "its value; others on this machine may see it in the process list");
  set->add_flag("--allow-empty", arguments->allow_empty, "take an empty value from standard input");
  const auto add_scope = [arguments](CLI::App& command) {
    command.add_option("--repo", arguments->repo, "only for jobs of this repository (default: of all)");
    command.add_option("-e,--environment", arguments->environment, "only for jobs of this environment");
  };
  add_scope(*set);
  add_connection_options(*set, cli);
  set->callback([&cli, arguments] { cli.action = [&cli, arguments] { return set_secret(cli, *arguments); }; });
  auto* list = secret->add_subcommand("list", "Names of secrets and where they hold, never their values");
  add_connection_options(*list, cli);
  list->callback([&cli] { cli.action = [&cli] { return list_secrets(cli); }; });
  auto* remove = secret->add_subcommand("delete", "Delete a secret");
  remove->add_option("NAME", arguments->name, "as it was set")->required();
  add_scope(*remove);
  add_connection_options(*remove, cli);
  remove->callback([&cli, arguments] { cli.action = [&cli, arguments] { return delete_secret(cli, *arguments); }; });
}

}  // namespace

void add_admin_commands(CLI::App& app, Cli& cli) {
  const auto arguments = std::make_shared<AdminArguments>();
  add_token(app, cli, arguments);
  add_secret(app, cli, arguments);

  auto* check = app.add_subcommand("fsck", "Verify a state: the event chain, payloads, blobs, references and Git LFS");
  check->add_flag("--deep", arguments->deep, "read every blob again, not only those that are referred to");
  add_connection_options(*check, cli);
  set_examples(*check, "weir fsck --state /var/lib/weir\nweir fsck --deep --json");
  check->callback([&cli, arguments] { cli.action = [&cli, arguments] { return check_state(cli, *arguments); }; });

  auto* version_command = app.add_subcommand("version", "Print the version");
  version_command->add_flag("--json", cli.json, "print JSON");
  set_examples(*version_command, "weir version\nweir version --json");
  version_command->callback([&cli] {
    cli.action = [&cli]() -> Result<int> {
      if (cli.json) {
        print_json(json::object{{"version", version()}});
      } else {
        print_line(fmt::format("weir {}", version()));
      }
      return 0;
    };
  });
}

}  // namespace weir::app
