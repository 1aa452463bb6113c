#include <CLI/CLI.hpp>

#include "app/cli/command.h"
#include "app/cli/print.h"
#include "io/file.h"

// gate, deploy, rollback: what goes live.
namespace weir::app {
namespace {

struct ReleaseArguments {
  std::string model;
  std::string run_id;
  std::string version;
  std::vector<std::string> rules;
  std::string metrics_file;
  std::string endpoint;
  std::string environment = "production";
  std::string reason;
};

Result<int> judge(Cli& cli, const ReleaseArguments& arguments) {
  json::object body{{"model", arguments.model}};
  if (!arguments.run_id.empty()) body["run_id"] = arguments.run_id;
  if (!arguments.version.empty()) body["version"] = arguments.version;
  if (!arguments.rules.empty()) body["rules"] = json::value_from(arguments.rules);
  if (!arguments.metrics_file.empty()) {
    body["metrics"] =
        WEIR_TRY(parse_json(WEIR_TRY(io::read_file(arguments.metrics_file, 1 << 20)), arguments.metrics_file));
  }
  auto client = WEIR_TRY(ApiClient::connect(cli.connection));
  const auto verdict = WEIR_TRY(client.post("/api/v1/gate", body));
  if (cli.json) {
    print_json(verdict);
  } else {
    fmt::print("{}", json_string_or(verdict, "text", ""));
  }
  return json_bool_or(verdict, "passed", false) ? 0 : 1;
}

Result<int> change_endpoint(Cli& cli, const ReleaseArguments& arguments, std::string_view action,
                            const json::object& body) {
  auto client = WEIR_TRY(ApiClient::connect(cli.connection));
  const auto answer =
      WEIR_TRY(client.post(fmt::format("/api/v1/endpoints/{}/{}", url_encode(arguments.endpoint), action), body));
  if (cli.json) {
    print_json(answer);
  } else {
    print_line(safe(json_string_or(answer, "message", "done")));
  }
  return 0;
}

}  // namespace

void add_release_commands(CLI::App& app, Cli& cli) {
  const auto arguments = std::make_shared<ReleaseArguments>();

  auto* gate = app.add_subcommand("gate", "Judge a model by the rules of weir.yaml; exit code 1 when it is refused");
  gate->add_option("MODEL", arguments->model, "registered model")->required();
  gate->add_option("--version", arguments->version, "a registered version");
  gate->add_option("--run-id", arguments->run_id, "an experiment run");
  gate->add_option("--rule", arguments->rules, "rule to judge by instead of weir.yaml's; may be repeated");
  gate->add_option("--metrics", arguments->metrics_file, "JSON file with numbers of the candidate");
  add_connection_options(*gate, cli);
  set_examples(*gate,
               "weir gate flight-delay --version 3\n"
               "weir gate flight-delay --metrics metrics.json --rule 'accuracy >= 0.85' --rule 'latency_p95 < 100ms'");
  gate->callback([&cli, arguments] { cli.action = [&cli, arguments] { return judge(cli, *arguments); }; });

  auto* deploy =
      app.add_subcommand("deploy", "Ask for a model version to go live; reviewers of the environment decide");
  deploy->add_option("ENDPOINT", arguments->endpoint, "endpoint of weir.yaml")->required();
  deploy->add_option("VERSION", arguments->version, "version of its model")->required();
  deploy->add_option("-e,--environment", arguments->environment, "environment")->capture_default_str();
  add_connection_options(*deploy, cli);
  set_examples(*deploy, "weir deploy flights 3\nweir deploy flights 3 --environment staging");
  deploy->callback([&cli, arguments] {
    cli.action = [&cli, arguments] {
      return change_endpoint(cli, *arguments, "deploy",
                             {{"environment", arguments->environment}, {"version", arguments->version}});
    };
  });

  auto* rollback = app.add_subcommand("rollback", "Go back to the version before, which is still warm");
  rollback->add_option("ENDPOINT", arguments->endpoint, "endpoint of weir.yaml")->required();
  rollback->add_option("-e,--environment", arguments->environment, "environment")->capture_default_str();
  rollback->add_option("--reason", arguments->reason, "kept with the rollback");
  add_connection_options(*rollback, cli);
  set_examples(*rollback, "weir rollback flights\nweir rollback flights --reason \"too many false alarms\"");
  rollback->callback([&cli, arguments] {
    cli.action = [&cli, arguments] {
      return change_endpoint(cli, *arguments, "rollback",
                             {{"environment", arguments->environment}, {"reason", arguments->reason}});
    };
  });
}

}  // namespace weir::app
