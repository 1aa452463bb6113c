#include <CLI/CLI.hpp>

#include "app/cli/command.h"
#include "app/cli/print.h"
#include "app/cli/work_tree.h"
#include "io/file.h"

// why, dora, report, events: what happened, and how it came to that.
namespace weir::app {
namespace {

struct InsightArguments {
  std::string subject;
  std::string environment = "production";
  std::int64_t days = 30;
  std::int64_t limit = 50;
  bool follow = false;
};

Result<int> print_answer(Cli& cli, const std::string& path) {
  auto client = WEIR_TRY(ApiClient::connect(cli.connection));
  const auto answer = WEIR_TRY(client.get(path));
  if (cli.json) {
    print_json(answer);
  } else {
    fmt::print("{}", json_string_or(answer, "text", ""));
  }
  return 0;
}

void print_event(const Cli& cli, const json::value& event) {
  if (cli.json) {
    print_line(json::serialize(event));
    return;
  }
  const auto cause = json_int(event, "cause");
  const auto* data = json_find(event, "data");
  print_line(fmt::format("{:>6}  {}  {}  {}  by {}{}  {}", json_int(event, "sequence").value_or(0),
                         json_string_or(event, "time", ""), styled(Style::kBold, json_string_or(event, "type", "")),
                         safe(json_string_or(event, "subject", "")), safe(json_string_or(event, "actor", "")),
                         cause ? fmt::format(" (because of {})", *cause) : "",
                         styled(Style::kDim, data == nullptr ? "" : safe(json::serialize(*data)).substr(0, 160))));
}

Result<int> list_events(Cli& cli, const InsightArguments& arguments) {
  auto client = WEIR_TRY(ApiClient::connect(cli.connection));
  const auto answer = WEIR_TRY(client.get(
      fmt::format("/api/v1/events?newest=true&limit={}&subject={}", arguments.limit, url_encode(arguments.subject))));
  std::int64_t last = 0;
  auto events = answer.at("events").as_array();
  if (!arguments.subject.empty()) std::reverse(events.begin(), events.end());  // newest first there
  for (const auto& event : events) {
    print_event(cli, event);
    last = std::max(last, json_int(event, "sequence").value_or(0));
  }
  if (!arguments.follow) return 0;
  WEIR_TRY(client.stream("/api/v1/events/stream", [&](std::string_view kind, std::string_view data) {
    if (kind != "event") return true;
    const auto event = parse_json(data, "event");
    if (event && json_int(*event, "sequence").value_or(0) > last &&
        (arguments.subject.empty() || json_string_or(*event, "subject", "") == arguments.subject)) {
      print_event(cli, *event);
      std::fflush(stdout);
    }
    return true;
  }));
  return 0;
}

struct ReportArguments {
  std::string model;
  std::string repo;
  std::string run_id;
  std::string version;
  std::string metrics_file;
  std::string compare;
  std::int64_t run = 0;
  std::int64_t pull = 0;
  bool markdown = false;
};

// Of the pull request's newest commit that workflow run which has logged metrics.
Result<json::value> report_of_pull(ApiClient& client, const ReportArguments& arguments, json::object& question) {
  const auto repo = arguments.repo.empty() ? WEIR_TRY(repository_of_work_tree()) : arguments.repo;
  const auto pull = WEIR_TRY(client.get(fmt::format("/api/v1/repos/{}/pulls/{}", url_encode(repo), arguments.pull)));
  question["repo"] = repo;
  Result<json::value> report = fail(Code::kNotFound, "no workflow has run for pull request #{} yet", arguments.pull);
  for (const auto& run : pull.at("runs").as_array()) {
    question["workflow_run"] = json_int(run, "id").value_or(0);
    report = client.post("/api/v1/report", question);
    if (report || report.error().code != Code::kNotFound) break;
  }
  return report;
}

Result<int> show_report(Cli& cli, const ReportArguments& arguments) {
  json::object question;
  for (const auto& [member, value] : {std::pair{"model", &arguments.model},
                                      {"repo", &arguments.repo},
                                      {"run_id", &arguments.run_id},
                                      {"version", &arguments.version},
                                      {"compare", &arguments.compare}}) {
    if (!value->empty()) question[member] = *value;
  }
  if (arguments.run != 0) question["workflow_run"] = arguments.run;
  if (!arguments.metrics_file.empty()) {
    question["metrics"] =
        WEIR_TRY(parse_json(WEIR_TRY(io::read_file(arguments.metrics_file, 1 << 20)), arguments.metrics_file));
  }
  auto client = WEIR_TRY(ApiClient::connect(cli.connection));
  const auto report = WEIR_TRY(arguments.pull != 0 ? report_of_pull(client, arguments, question)
                                                   : client.post("/api/v1/report", question));
  if (cli.json) {
    print_json(report);
  } else {
    fmt::print("{}", json_string_or(report, arguments.markdown ? "markdown" : "text", ""));
  }
  return 0;
}

void add_report(CLI::App& app, Cli& cli) {
  const auto arguments = std::make_shared<ReportArguments>();
  auto* command = app.add_subcommand("report", "Show what a change did to a model: metrics beside the champion's");
  command->add_option("MODEL", arguments->model, "registered model (default: the one with a gate)");
  command->add_option("--run", arguments->run, "what a workflow run has made");
  command->add_option("--pr", arguments->pull, "what a pull request's newest run has made");
  command->add_option("--run-id", arguments->run_id, "an experiment run");
  command->add_option("--version", arguments->version, "a registered version");
  command->add_option("--metrics", arguments->metrics_file, "JSON file with numbers of the candidate");
  command->add_option(
      "--compare", arguments->compare,
      "champion, a version, a branch or an experiment run (default: the champion, or the default branch "
      "where there is none)");
  command->add_option("--repo", arguments->repo, "repository whose pull requests and branches are meant");
  command->add_flag("--markdown", arguments->markdown, "as it stands in a comment");
  add_connection_options(*command, cli);
  set_examples(*command,
               "weir report flight-delay --pr 7\nweir report --run 12 --compare main --markdown\n"
               "weir report flight-delay --version 3 --compare 2 --json");
  command->callback([&cli, arguments] { cli.action = [&cli, arguments] { return show_report(cli, *arguments); }; });
}

}  // namespace

void add_insight_commands(CLI::App& app, Cli& cli) {
  const auto arguments = std::make_shared<InsightArguments>();

  auto* why = app.add_subcommand("why", "Explain how a model came to serve, a version to be, a run to start");
  why->add_option("SUBJECT", arguments->subject, "ENDPOINT@ENVIRONMENT, MODEL/VERSION, run/N or #EVENT")->required();
  add_connection_options(*why, cli);
  set_examples(*why, "weir why flights@production\nweir why flight-delay/3\nweir why run/7 --json");
  why->callback([&cli, arguments] {
    cli.action = [&cli, arguments] {
      return print_answer(cli, "/api/v1/why?subject=" + url_encode(arguments->subject));
    };
  });

  auto* dora = app.add_subcommand("dora", "Deployment frequency, lead time, change failure rate, time to restore");
  dora->add_option("--days", arguments->days, "length of the window")
      ->capture_default_str()
      ->check(CLI::Range(1, 3650));
  dora->add_option("-e,--environment", arguments->environment, "environment")->capture_default_str();
  add_connection_options(*dora, cli);
  set_examples(*dora, "weir dora\nweir dora --days 7 --json");
  dora->callback([&cli, arguments] {
    cli.action = [&cli, arguments] {
      return print_answer(
          cli, fmt::format("/api/v1/dora?days={}&environment={}", arguments->days, url_encode(arguments->environment)));
    };
  });

  add_report(app, cli);

  auto* events = app.add_subcommand("events", "Print the event log: everything that happened, with its cause");
  events->add_option("--limit", arguments->limit, "how many of the newest")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000));
  events->add_option("--subject", arguments->subject, "only about this, e.g. run/7");
  events->add_flag("-f,--follow", arguments->follow, "go on as things happen");
  add_connection_options(*events, cli);
  set_examples(*events, "weir events\nweir events --subject model/flight-delay\nweir events --follow --json");
  events->callback([&cli, arguments] { cli.action = [&cli, arguments] { return list_events(cli, *arguments); }; });
}

}  // namespace weir::app
