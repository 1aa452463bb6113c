#include <CLI/CLI.hpp>

#include "app/cli/command.h"
#include "app/cli/log_view.h"
#include "app/cli/print.h"

// runs, logs, cancel, rerun: the workflow runs of a server.
namespace weir::app {
namespace {

struct RunArguments {
  std::int64_t run = 0;
  std::int64_t limit = 20;
  std::string job;
  std::string workflow;
  std::string repo;
  std::string state;
  std::string reason;
  bool follow = false;
  bool force = false;
  bool failed_only = false;
  std::string ref;
};

std::string shown_state(const json::value& object) {
  const auto conclusion = json_string(object, "conclusion");
  return state_mark(conclusion ? *conclusion : json_string_or(object, "state", ""));
}

std::string duration_of(const json::value& object) {
  const auto started = parse_iso8601(json_string_or(object, "started_at", ""));
  const auto ended = parse_iso8601(json_string_or(object, "completed_at", ""));
  return started && ended ? format_duration(*ended - *started) : std::string();
}

Result<int> list_runs(Cli& cli, const RunArguments& arguments) {
  auto client = WEIR_TRY(ApiClient::connect(cli.connection));
  const auto answer = WEIR_TRY(
      client.get(fmt::format("/api/v1/runs?limit={}&workflow={}&state={}&repo={}", arguments.limit,
                             url_encode(arguments.workflow), url_encode(arguments.state), url_encode(arguments.repo))));
  if (cli.json) {
    print_json(answer);
    return 0;
  }
  std::vector<std::vector<std::string>> rows{
      {"RUN", "STATE", "WORKFLOW", "EVENT", "REF", "COMMIT", "TITLE", "TOOK", "STARTED"}};
  for (const auto& run : answer.at("runs").as_array()) {
    std::string ref = json_string_or(run, "ref", "");
    if (ref.starts_with("refs/heads/")) ref.erase(0, 11);
    rows.push_back({fmt::format("{}", json_int(run, "id").value_or(0)), shown_state(run),
                    safe(json_string_or(run, "workflow", "")), json_string_or(run, "event", ""), safe(ref),
                    json_string_or(run, "commit", "").substr(0, 8),
                    safe(json_string_or(run, "title", "")).substr(0, 48), duration_of(run),
                    ago(json_string_or(run, "created_at", ""), cli.clock.now())});
  }
  fmt::print("{}", rows.size() == 1 ? "no runs yet: push a repository, or dispatch a workflow\n" : table(rows));
  return 0;
}

Result<int> show_run(Cli& cli, const RunArguments& arguments) {
  auto client = WEIR_TRY(ApiClient::connect(cli.connection));
  const auto run = WEIR_TRY(client.get(fmt::format("/api/v1/runs/{}", arguments.run)));
  if (cli.json) {
    print_json(run);
    return 0;
  }
  print_line(fmt::format("{}  run {} of {}  {}", shown_state(run), arguments.run,
                         styled(Style::kBold, safe(json_string_or(run, "workflow", ""))),
                         styled(Style::kDim, safe(json_string_or(run, "reason", "")))));
  if (const auto problem = json_string(run, "problem"); problem && !problem->empty()) print_line(safe_lines(*problem));
  std::vector<std::vector<std::string>> rows{{"JOB", "STATE", "NAME", "TOOK", ""}};
  for (const auto& job : run.at("jobs").as_array()) {
    std::string note = json_string_or(job, "error", "");
    if (note.empty()) note = json_string_or(job, "waiting_for", "");
    rows.push_back({fmt::format("{}", json_int(job, "id").value_or(0)), shown_state(job),
                    safe(json_string_or(job, "name", "")), duration_of(job), safe_lines(note)});
  }
  fmt::print("{}", table(rows));
  return 0;
}

// Jobs of a run, or the one that `--job` names by key, name or id.
Result<std::vector<json::value>> chosen_jobs(const json::value& run, const std::string& wanted) {
  std::vector<json::value> jobs;
  std::string known;
  for (const auto& job : run.at("jobs").as_array()) {
    const auto key = json_string_or(job, "key", "");
    known += (known.empty() ? "" : ", ") + key;
    if (wanted.empty() || key == wanted || json_string_or(job, "name", "") == wanted ||
        fmt::format("{}", json_int(job, "id").value_or(0)) == wanted) {
      jobs.push_back(job);
    }
  }
  if (jobs.empty()) return fail(Code::kNotFound, "the run has no job \"{}\"; it has: {}", wanted, known);
  return jobs;
}

Result<int> show_logs(Cli& cli, const RunArguments& arguments) {
  auto client = WEIR_TRY(ApiClient::connect(cli.connection));
  const auto run = WEIR_TRY(client.get(fmt::format("/api/v1/runs/{}", arguments.run)));
  if (const auto problem = json_string_or(run, "problem", ""); !problem.empty() && run.at("jobs").as_array().empty()) {
    return fail(Code::kFailedPrecondition, "run {} has no jobs, and no log, for it could not start: {}", arguments.run,
                safe_lines(problem));
  }
  const auto jobs = WEIR_TRY(chosen_jobs(run, arguments.job));
  LogView view(client, {.json = cli.json, .prefix = jobs.size() > 1});
  for (const auto& job : jobs) WEIR_TRY(view.print(job, arguments.follow));
  return 0;
}

Result<int> change_run(Cli& cli, const RunArguments& arguments, std::string_view action, const json::object& body) {
  auto client = WEIR_TRY(ApiClient::connect(cli.connection));
  const auto run = WEIR_TRY(client.post(fmt::format("/api/v1/runs/{}/{}", arguments.run, action), body));
  if (cli.json) {
    print_json(run);
  } else {
    print_line(fmt::format("run {} is {}", json_int(run, "id").value_or(arguments.run), shown_state(run)));
  }
  return 0;
}

}  // namespace

void add_run_commands(CLI::App& app, Cli& cli) {
  const auto arguments = std::make_shared<RunArguments>();

  auto* runs = app.add_subcommand("runs", "List workflow runs, or show one with its jobs");
  runs->add_option("RUN", arguments->run, "number of a run");
  runs->add_option("--limit", arguments->limit, "how many")->check(CLI::Range(1, 500));
  runs->add_option("--workflow", arguments->workflow, "only this workflow file");
  runs->add_option("--repo", arguments->repo, "only this repository");
  runs->add_option("--status", arguments->state, "queued, waiting, in_progress or completed");
  add_connection_options(*runs, cli);
  set_examples(*runs, "weir runs\nweir runs 7\nweir runs --status in_progress --json");
  runs->callback([&cli, arguments] {
    cli.action = [&cli, arguments] {
      return arguments->run > 0 ? show_run(cli, *arguments) : list_runs(cli, *arguments);
    };
  });

  auto* logs = app.add_subcommand("logs", "Print the log of a run's jobs");
  logs->add_option("RUN", arguments->run, "number of a run")->required();
  logs->add_option("-j,--job", arguments->job, "only this job, by key, name or number");
  logs->add_flag("-f,--follow", arguments->follow, "go on until the jobs end");
  add_connection_options(*logs, cli);
  set_examples(*logs, "weir logs 7\nweir logs 7 --job train --follow");
  logs->callback([&cli, arguments] { cli.action = [&cli, arguments] { return show_logs(cli, *arguments); }; });

  auto* cancel = app.add_subcommand("cancel", "Cancel a run; its always() steps still run");
  cancel->add_option("RUN", arguments->run, "number of a run")->required();
  cancel->add_option("--reason", arguments->reason, "shown with the run");
  cancel->add_flag("--force", arguments->force, "kill what still runs, always() steps too");
  add_connection_options(*cancel, cli);
  set_examples(*cancel, "weir cancel 7 --reason \"wrong data\"");
  cancel->callback([&cli, arguments] {
    cli.action = [&cli, arguments] {
      return change_run(cli, *arguments, "cancel", {{"reason", arguments->reason}, {"force", arguments->force}});
    };
  });

  auto* rerun = app.add_subcommand("rerun", "Run a completed run again, as a new attempt");
  rerun->add_option("RUN", arguments->run, "number of a run")->required();
  rerun->add_flag("--failed", arguments->failed_only, "only jobs that did not succeed, and what depends on them");
  rerun->add_option(
      "--on", arguments->ref,
      "as a new run of this branch, tag or commit; what was not chosen is reused if nothing of it changed");
  add_connection_options(*rerun, cli);
  set_examples(*rerun, "weir rerun 7\nweir rerun 7 --failed\nweir rerun 7 --failed --on main");
  rerun->callback([&cli, arguments] {
    cli.action = [&cli, arguments] {
      json::object body{{"failed_only", arguments->failed_only}};
      if (!arguments->ref.empty()) body["ref"] = arguments->ref;
      return change_run(cli, *arguments, "rerun", body);
    };
  });
}

}  // namespace weir::app
