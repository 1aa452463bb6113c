#include <CLI/CLI.hpp>
#include <fstream>

#include "app/cli/command.h"
#include "app/cli/print.h"
#include "app/cli/run_display.h"
#include "app/server.h"
#include "io/file.h"
#include "io/git.h"

// weir run: this repository's workflows on this machine, without a server.
namespace weir::app {
namespace {

namespace fs = std::filesystem;

struct LocalArguments {
  std::string event = "push";
  std::vector<std::string> workflows;
  std::string job;
  std::vector<std::string> from;
  std::vector<std::string> to;
  std::string event_file;
  std::vector<std::string> secrets;
  std::string secret_file;
  std::vector<std::string> inputs;
  std::vector<std::string> env;
  std::vector<std::string> vars;
  std::vector<std::string> matrix;
  bool list = false;
  bool strict = false;
  std::string actions_url = Server::kActionsUrl;
  int slots = 0;
};

// "NAME=VALUE", or "NAME" alone for the value of this process's environment variable.
Result<std::pair<std::string, std::string>> name_value(const std::string& text, char separator,
                                                       std::string_view option) {
  const auto at = text.find(separator);
  if (at == 0 || text.empty()) {
    return fail(Code::kInvalidArgument, "{} {} must be NAME{}VALUE", option, text, separator);
  }
  if (at != std::string::npos) return std::pair(text.substr(0, at), text.substr(at + 1));
  const char* inherited = std::getenv(text.c_str());
  if (inherited == nullptr) {
    return fail(Code::kInvalidArgument, "{} {} has no value, and there is no environment variable {}", option, text,
                text);
  }
  return std::pair(text, std::string(inherited));
}

Result<json::object> object_of(const std::vector<std::string>& texts, std::string_view option) {
  json::object object;
  for (const auto& text : texts) {
    auto [name, value] = WEIR_TRY(name_value(text, '=', option));
    object[name] = value;
  }
  return object;
}

// Lines NAME=VALUE; # comments; a value may stand in quotes.
Result<std::map<std::string, std::string>> read_secret_file(const std::string& path) {
  std::map<std::string, std::string> secrets;
  std::istringstream lines(WEIR_TRY(io::read_file(path, 1 << 20)));
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    if (line.ends_with('\r')) line.pop_back();
    if (line.empty() || line.starts_with('#')) continue;
    const auto at = line.find('=');
    if (at == std::string::npos || at == 0) {
      return fail(Code::kInvalidArgument, "{}:{}: expected NAME=VALUE", path, number);
    }
    std::string value = line.substr(at + 1);
    if (value.size() >= 2 && (value.front() == '"' || value.front() == '\'') && value.back() == value.front()) {
      value = value.substr(1, value.size() - 2);
    }
    secrets[line.substr(0, at)] = value;
  }
  return secrets;
}

// What -W names: files, or folders whose workflow files are meant. Paths relative to the work tree.
Result<std::vector<std::string>> chosen_workflows(const fs::path& work_tree, const std::vector<std::string>& given) {
  std::vector<std::string> files;
  for (const auto& text : given) {
    const fs::path path = fs::absolute(text).lexically_normal();
    if (!fs::exists(path)) return fail(Code::kNotFound, "-W {}: there is no such file or folder", text);
    if (fs::is_directory(path)) {
      std::vector<std::string> inside;
      for (const auto& entry : fs::directory_iterator(path)) {
        if (entry.path().extension() == ".yml" || entry.path().extension() == ".yaml") {
          inside.push_back(fs::relative(entry.path(), work_tree).string());
        }
      }
      std::sort(inside.begin(), inside.end());
      if (inside.empty()) return fail(Code::kNotFound, "-W {}: the folder holds no workflow file", text);
      files.insert(files.end(), inside.begin(), inside.end());
    } else {
      files.push_back(fs::relative(path, work_tree).string());
    }
    if (files.back().starts_with("..")) {
      return fail(Code::kInvalidArgument, "-W {} is outside of the repository {}", text, work_tree.string());
    }
  }
  if (files.empty()) files.emplace_back();  // every workflow that listens to the event
  return files;
}

Result<event::RunOptions> run_options(const LocalArguments& arguments) {
  event::RunOptions options;
  if (!arguments.job.empty() && !(arguments.from.empty() && arguments.to.empty())) {
    return fail(Code::kInvalidArgument, "--job chooses with all that it needs, --from and --to without: give one kind");
  }
  if (!arguments.job.empty()) options.only_jobs.push_back(arguments.job);
  options.from = arguments.from;
  options.to = arguments.to;
  for (const auto& text : arguments.matrix) {
    auto [name, value] = WEIR_TRY(name_value(text, ':', "--matrix"));
    options.matrix[name] = value;
  }
  options.env = WEIR_TRY(object_of(arguments.env, "--env"));
  options.vars = WEIR_TRY(object_of(arguments.vars, "--var"));
  options.strict = arguments.strict;
  return options;
}

Result<int> run_local(Cli& cli, const LocalArguments& arguments) {
  const auto git = WEIR_TRY(io::Git::discover(fs::current_path()));
  const fs::path work_tree = git.git_dir().parent_path();
  const auto files = WEIR_TRY(chosen_workflows(work_tree, arguments.workflows));

  event::LocalEvent event;
  event.repo = work_tree.filename().string();
  event.event_name = arguments.event;
  event.options = WEIR_TRY(run_options(arguments));
  event.inputs = WEIR_TRY(object_of(arguments.inputs, "--input"));
  if (!arguments.event_file.empty()) {
    auto payload = WEIR_TRY(parse_json(WEIR_TRY(io::read_file(arguments.event_file, 16 << 20)), arguments.event_file));
    if (!payload.is_object()) return fail(Code::kInvalidArgument, "{} must hold a JSON object", arguments.event_file);
    event.payload = std::move(payload.get_object());
  }

  Server::Options options;
  options.state = cli.connection.state.empty() ? work_tree / ".weir" : cli.connection.state;
  options.runner = WEIR_TRY(find_runner());
  options.port = 0;
  options.slots = arguments.slots;
  options.strict = arguments.strict;
  options.actions_url = arguments.actions_url;
  options.serve_models = false;
  // A power cut ends the jobs too; what ran is on disk when the command returns.
  options.durability = store::Durability::kAtStop;
  options.local_repositories.emplace(event.repo, git);
  if (!arguments.secret_file.empty()) options.extra_secrets = WEIR_TRY(read_secret_file(arguments.secret_file));
  for (const auto& text : arguments.secrets) {
    auto [name, value] = WEIR_TRY(name_value(text, '=', "-s"));
    options.extra_secrets[name] = value;
  }
  // The state of a work tree is nobody's source.
  WEIR_TRY(io::make_dirs(options.state));
  if (!fs::exists(options.state / ".gitignore")) std::ofstream(options.state / ".gitignore") << "*\n";

  event.commit = WEIR_TRY(git.snapshot(work_tree));
  event.ref = git.head_ref().value_or("refs/heads/main");

  Log log(cli.clock, STDERR_FILENO, LogLevel::kWarning);
  auto server = WEIR_TRY(Server::start(options, cli.clock, log));
  RunDisplay display(server->engine(), {.json = cli.json, .live = is_terminal(STDOUT_FILENO)});
  types::Identity identity{.name = "local", .role = types::Role::kAdmin};
  int code = 0;
  for (const auto& file : files) {
    event.workflow_path = file;
    for (const auto run : WEIR_TRY(server->triggers().local_event(event, identity))) {
      code = std::max(code, WEIR_TRY(display.follow(run)));
    }
  }
  server->stop();
  return code;
}

}  // namespace

void add_run(CLI::App& app, Cli& cli) {
  const auto arguments = std::make_shared<LocalArguments>();
  auto* command = app.add_subcommand("run", "Run this repository's workflows here, without a server");
  command->add_option("EVENT", arguments->event, "push, pull_request, workflow_dispatch or schedule")
      ->capture_default_str();
  command->add_option("-W,--workflows", arguments->workflows, "workflow file or folder of them");
  command->add_option("-j,--job", arguments->job, "only this job and what it needs");
  command->add_option("--from", arguments->from,
                      "begin with this job; what it needs is reused if nothing of it changed");
  command->add_option("--to", arguments->to, "end with this job");
  command->add_option("-e,--eventpath", arguments->event_file, "JSON file with the event's payload");
  command->add_option("-s,--secret", arguments->secrets, "NAME=VALUE, or NAME to take it from the environment");
  command->add_option("--secret-file", arguments->secret_file, "file with lines NAME=VALUE");
  command->add_option("--input", arguments->inputs, "NAME=VALUE of a workflow_dispatch input");
  command->add_option("--env", arguments->env, "NAME=VALUE for every step");
  command->add_option("--var", arguments->vars, "NAME=VALUE for ${{ vars.NAME }}");
  command->add_option("--matrix", arguments->matrix, "KEY:VALUE; only combinations that have it");
  command->add_option("--slots", arguments->slots, "jobs at a time (default: one for each processor)");
  command->add_option("--state", cli.connection.state, "state folder (default: .weir in the repository)");
  command
      ->add_option("--actions-url", arguments->actions_url,
                   "where actions and workflows of other repositories come from; file:// takes a mirror")
      ->envname("WEIR_ACTIONS_URL")
      ->capture_default_str();
  command->add_flag("--strict", arguments->strict, "GitHub's empty machine: no implicit checkout or packages");
  command->add_flag("-l,--list", arguments->list, "list workflows and jobs instead of running them");
  command->add_flag("--json", cli.json, "one JSON object a line");
  set_examples(*command,
               "weir run\nweir run -j train\nweir run --from train --to evaluate\nweir run pull_request -W "
               ".github/workflows/test.yml\n"
               "weir run workflow_dispatch -W deploy.yml --input environment=staging -s API_KEY");
  command->callback([&cli, arguments] {
    cli.action = [&cli, arguments] { return arguments->list ? list_workflows(cli.json) : run_local(cli, *arguments); };
  });
}

}  // namespace weir::app
