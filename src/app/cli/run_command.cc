#include <CLI/CLI.hpp>
#include <fstream>
#include <ranges>
#include <thread>
#include <tuple>

#include "app/cli/command.h"
#include "app/cli/interruption.h"
#include "app/cli/played_event.h"
#include "app/cli/print.h"
#include "app/cli/run_display.h"
#include "app/cli/secret_file.h"
#include "app/cli/state_place.h"
#include "app/cli/work_tree.h"
#include "app/push_copy.h"
#include "app/server.h"
#include "event/local_event.h"
#include "io/file.h"
#include "io/git.h"
#include "text/suggest.h"

// weir run: this repository's workflows on this machine, without a server.
namespace weir::app {
namespace {

namespace fs = std::filesystem;

constexpr const char* kActor = "local";  // who starts what `weir run` runs

struct LocalArguments {
  std::string event = "push";
  std::string ref;
  std::string base;
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
Result<std::pair<std::string, std::string>> name_value(const std::string& text, std::string_view option) {
  const auto at = text.find('=');
  if (at == 0 || text.empty()) return fail(Code::kInvalidArgument, "{} {} must be NAME=VALUE", option, text);
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
    auto [name, value] = WEIR_TRY(name_value(text, option));
    object[name] = value;
  }
  return object;
}

// A bare name is that of a workflow file, as `weir run -l` shows it.
Result<fs::path> place_of(const fs::path& work_tree, const std::string& text) {
  const fs::path folder = work_tree / event::kWorkflowFolder;
  if (text.find('/') == std::string::npos && fs::is_regular_file(folder / text)) return folder / text;
  fs::path path = fs::absolute(text).lexically_normal();
  if (fs::exists(path)) return path;
  std::vector<std::string> known;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) known.push_back(entry.path().filename().string());
  std::sort(known.begin(), known.end());
  const auto hint = text::did_you_mean(path.filename().string(), known);
  return fail(Code::kNotFound, "-W {}: there is no such file or folder{}{}", text, hint.empty() ? "" : "; ", hint);
}

// What -W names: files, or folders whose workflow files are meant. Paths relative to the work tree; none: all.
Result<std::vector<event::LocalFile>> chosen_workflows(const fs::path& work_tree,
                                                       const std::vector<std::string>& given) {
  std::vector<event::LocalFile> files;
  for (const auto& text : given) {
    const fs::path path = WEIR_TRY(place_of(work_tree, text));
    if (fs::is_directory(path)) {
      std::vector<std::string> inside;
      for (const auto& entry : fs::directory_iterator(path)) {
        if (entry.path().extension() == ".yml" || entry.path().extension() == ".yaml") {
          inside.push_back(fs::relative(entry.path(), work_tree).string());
        }
      }
      std::sort(inside.begin(), inside.end());
      if (inside.empty()) return fail(Code::kNotFound, "-W {}: the folder holds no workflow file", text);
      for (auto& file : inside) files.push_back({.path = std::move(file)});
    } else {
      files.push_back({.path = fs::relative(path, work_tree).string(), .named = true});
    }
    if (files.back().path.starts_with("..")) {
      return fail(Code::kInvalidArgument, "-W {} is outside of the repository {}", text, work_tree.string());
    }
  }
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
    const auto at = text.find(':');
    if (at == std::string::npos || at == 0) {
      return fail(Code::kInvalidArgument, "--matrix {} must be KEY:VALUE, such as os:linux", text);
    }
    options.matrix[text.substr(0, at)] = text.substr(at + 1);
  }
  options.env = WEIR_TRY(object_of(arguments.env, "--env"));
  options.vars = WEIR_TRY(object_of(arguments.vars, "--var"));
  for (const auto& variable : options.vars) WEIR_TRY(check_name("--var", variable.key()));
  options.strict = arguments.strict;
  return options;
}

// What was said of the event. An option that it has no use for is refused: nothing would come of it.
Result<WantedEvent> wanted_event(const LocalArguments& arguments) {
  const bool is_pull = arguments.event == "pull_request";
  if (!arguments.inputs.empty() && arguments.event != "workflow_dispatch") {
    return fail(Code::kInvalidArgument, "--input is for workflow_dispatch; a {} has no inputs", arguments.event);
  }
  if (!arguments.base.empty() && !is_pull) {
    return fail(Code::kInvalidArgument, "--base is for pull_request; a {} has no base", arguments.event);
  }
  if (!arguments.ref.empty() && is_pull) {
    return fail(Code::kInvalidArgument,
                "--ref is for other events; of a pull_request the head is the current branch, and --base what it is to "
                "be merged into");
  }
  WantedEvent wanted{.name = arguments.event, .ref = arguments.ref, .base = arguments.base, .actor = kActor};
  if (!arguments.event_file.empty()) {
    auto payload = WEIR_TRY(parse_json(WEIR_TRY(io::read_file(arguments.event_file, 16 << 20)), arguments.event_file));
    if (!payload.is_object()) return fail(Code::kInvalidArgument, "{} must hold a JSON object", arguments.event_file);
    wanted.payload = std::move(payload.get_object());
  }
  return wanted;
}

Result<Server::Options> server_options(const LocalArguments& arguments) {
  Server::Options options;
  options.runner = WEIR_TRY(find_runner());
  options.port = 0;
  options.slots = arguments.slots;
  options.strict = arguments.strict;
  options.actions_url = WEIR_TRY(read_actions_url(arguments.actions_url));
  options.serve_models = false;
  // A power cut ends the jobs too; what ran is on disk when the command returns.
  options.durability = store::Durability::kAtStop;
  if (!arguments.secret_file.empty()) options.extra_secrets = WEIR_TRY(read_secret_file(arguments.secret_file));
  for (const auto& text : arguments.secrets) {
    auto [name, value] = WEIR_TRY(name_value(text, "-s"));
    WEIR_TRY(check_name("-s", name));
    options.extra_secrets[name] = value;
  }
  return options;
}

// Runs of `weir run` that have not ended. Those of a server, whose state may be used here, are its own business.
Result<std::vector<engine::Run>> unfinished(engine::Engine& engine) {
  std::vector<engine::Run> runs;
  for (const auto state : {engine::RunState::kQueued, engine::RunState::kWaiting, engine::RunState::kInProgress}) {
    for (auto& run : WEIR_TRY(engine.runs({.state = state, .limit = 500}))) {
      if (run.actor == kActor) runs.push_back(std::move(run));
    }
  }
  return runs;
}

void cancel_all(engine::Engine& engine, bool force) {
  const auto runs = unfinished(engine);
  if (!runs) return;
  // One that has ended meanwhile is what is wanted.
  for (const auto& run : *runs) std::ignore = engine.cancel(run.id, kActor, "interrupted", force);
}

// What an earlier `weir run` that was killed had begun would run on beside this one, unseen.
Result<void> cancel_left(engine::Engine& engine, std::vector<std::int64_t>& left) {
  if (engine.idle()) return {};
  for (const auto& run : WEIR_TRY(unfinished(engine))) {
    print_note(fmt::format("run {} of {} was left unfinished by a weir run that was killed: it is cancelled", run.id,
                           safe(run.workflow)));
    WEIR_TRY(engine.cancel(run.id, kActor, "left unfinished by a weir run that was killed"));
    left.push_back(run.id);
  }
  return {};
}

// Their always() steps may need a while.
Result<void> wait_for_left(engine::Engine& engine, const std::vector<std::int64_t>& left) {
  for (const auto id : left) {
    for (bool told = false; WEIR_TRY(engine.run(id)).state != engine::RunState::kCompleted; told = true) {
      if (!told) print_note(fmt::format("waiting until run {}, which was cancelled, has cleaned up", id));
      std::this_thread::sleep_for(std::chrono::milliseconds{20});
    }
  }
  return {};
}

// A word for a shell to take as it is.
std::string quoted(const std::string& text) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+:@%,=";
  if (text.find_first_not_of(kPlain) == std::string::npos) return text;
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

// What brings a pushed ref into the user's repository. git refuses to fetch into the branch that is checked out;
// whether that is to be thrown away for one that was forced, is left to the user.
std::string command_for(const PushCopy& copy, const PushCopy::Change& change, std::string_view head) {
  const std::string from = quoted(copy.folder().string());
  if (change.ref == head) {
    return fmt::format("git {} {} {}", change.is_forced ? "fetch" : "pull", from, quoted(change.ref));
  }
  // What is there already, git replaces only if it is told to.
  const bool replaces = change.is_forced || (!change.is_new && change.ref.starts_with("refs/tags/"));
  return fmt::format("git fetch {} {}", from,
                     quoted(fmt::format("{}{}:{}", replaces ? "+" : "", change.ref, change.ref)));
}

constexpr std::size_t kPushesShown = 20;

Result<void> tell_pushes(const PushCopy& copy, std::string_view head) {
  const auto changes = WEIR_TRY(copy.changes());
  if (changes.empty()) return {};
  print_note("Jobs pushed to this run's own copy of the repository; yours is as it was. To take it over:");
  for (const auto& change : changes | std::views::take(kPushesShown)) {
    const std::string ref = safe(change.ref);
    print_note(change.is_gone ? fmt::format("  {} was deleted", ref)
                              : fmt::format("  {} {}: {}", ref,
                                            change.is_new      ? "is new"
                                            : change.is_forced ? "was forced"
                                                               : "has moved",
                                            safe(command_for(copy, change, head))));
  }
  if (changes.size() > kPushesShown) {
    print_note(
        fmt::format("  and {} more: git ls-remote {}", changes.size() - kPushesShown, quoted(copy.folder().string())));
  }
  return {};
}

std::string file_name(const std::string& path) {
  return fs::path(path).filename().string();
}

// What of the plan people may not expect: workflows that a filter leaves out, or would, and files that cannot be read.
void tell_plan(const event::LocalPlan& plan, const PlayedEvent& played) {
  for (const auto& file : plan.broken) print_note(safe_lines(file.text));
  const auto& name = played.event.event_name;
  for (const auto& file : plan.in_spite) {
    print_note(fmt::format("{}: runs because -W names it; a {} would not start it: {}", safe(file_name(file.path)),
                           name, safe(file.text)));
  }
  for (const auto& file : plan.left_out) {
    print_note(fmt::format("{}: not started by this {}: {}; run it with -W {}", safe(file_name(file.path)), name,
                           safe(file.text), safe(file_name(file.path))));
  }
  const bool by_paths = std::ranges::any_of(
      plan.left_out, [](const auto& file) { return file.text.find("changed file") != file.text.npos; });
  if (by_paths && plan.compares_paths) {
    print_note(fmt::format("changed files are those that differ from {}", safe(played.compared_with)));
  }
}

// Says which files could not run; 1 if there are any.
int tell_broken(const event::LocalPlan& plan) {
  std::string names;
  for (const auto& file : plan.broken) names += (names.empty() ? "" : ", ") + file_name(file.path);
  if (names.empty()) return 0;
  print_error(fmt::format("{} did not run: see above what is wrong with {}", safe(names),
                          plan.broken.size() == 1 ? "it" : "them"));
  return 1;
}

Result<int> run_local(Cli& cli, const LocalArguments& arguments) {
  const auto interruption = WEIR_TRY(Interruption::watch());
  const auto git = WEIR_TRY(io::Git::discover(fs::current_path()));
  const auto work_tree = WEIR_TRY(work_tree_root());
  auto files = WEIR_TRY(chosen_workflows(work_tree, arguments.workflows));
  auto run_with = WEIR_TRY(run_options(arguments));
  auto inputs = WEIR_TRY(object_of(arguments.inputs, "--input"));
  auto wanted = WEIR_TRY(wanted_event(arguments));
  auto options = WEIR_TRY(server_options(arguments));
  // The state of a work tree is nobody's source: it is ignored before the tree is taken.
  options.state = cli.connection.state.empty() ? WEIR_TRY(state_of_work_tree(work_tree))
                                               : WEIR_TRY(named_state(cli.connection.state));

  auto played = WEIR_TRY(play_event(git, work_tree, std::move(wanted)));
  auto& event = played.event;
  event.repo = work_tree.filename().string();
  event.files = std::move(files);
  event.inputs = std::move(inputs);
  event.options = std::move(run_with);
  const auto head = git.head_ref().value_or("");
  const auto copy = WEIR_TRY(PushCopy::make(fs::absolute(options.state), git, head));
  options.local_repositories.emplace(event.repo, io::Git(copy.folder()));
  for (const auto& note : played.notes) print_note(safe(note));

  std::vector<std::int64_t> left;
  options.before_start = [&left](engine::Engine& engine) { return cancel_left(engine, left); };
  Log log(cli.clock, STDERR_FILENO, LogLevel::kWarning);
  auto server = WEIR_TRY(Server::start(options, cli.clock, log));
  auto& engine = server->engine();
  auto covered = interruption->during([&engine](bool force) { cancel_all(engine, force); });
  RunDisplay display(engine, {.json = cli.json, .live = is_terminal(STDOUT_FILENO)});
  const types::Identity identity{.name = kActor, .role = types::Role::kAdmin};
  const auto plan = WEIR_TRY(server->triggers().plan_local(event, identity));
  tell_plan(plan, played);
  if (plan.requests.empty()) return fail(Code::kNotFound, "{}", event::nothing_to_run(event, plan));
  WEIR_TRY(event::check_matrix(git, plan));
  int code = 0;
  if (interruption->signal() == 0) {
    const auto runs = WEIR_TRY(server->triggers().start_local(plan));
    WEIR_TRY(copy.serve(runs));
    if (interruption->signal() != 0) cancel_all(engine, false);  // it came before there was what it ends
    for (const auto run : runs) code = std::max(code, WEIR_TRY(display.follow(run)));
    code = std::max(code, tell_broken(plan));
  }
  WEIR_TRY(wait_for_left(engine, left));
  covered.reset();
  server->stop();
  WEIR_TRY(tell_pushes(copy, head));
  return interruption->signal() != 0 ? 128 + interruption->signal() : code;
}

}  // namespace

void add_run(CLI::App& app, Cli& cli) {
  const auto arguments = std::make_shared<LocalArguments>();
  auto* command = app.add_subcommand("run", "Run this repository's workflows here, without a server");
  command->add_option("EVENT", arguments->event, "push, pull_request, workflow_dispatch or schedule")
      ->capture_default_str();
  command->add_option("-W,--workflows", arguments->workflows,
                      "workflow file, also by its bare name, which then runs whatever the filters of its `on:` say, or "
                      "folder of them");
  command->add_option("--ref", arguments->ref,
                      "branch or tag that the work tree is played as a push of, such as refs/tags/v1; it need not be "
                      "there (default: the current branch)");
  command->add_option("--base", arguments->base,
                      "pull_request: branch that the current one is to be merged into (default: the default branch)");
  command->add_option("-j,--job", arguments->job, "only this job and what it needs");
  command->add_option("--from", arguments->from,
                      "begin with this job; what it needs is reused if nothing of it changed");
  command->add_option("--to", arguments->to, "end with this job");
  command->add_option("-e,--eventpath", arguments->event_file, "JSON file with the event's payload");
  command->add_option("-s,--secret", arguments->secrets, "NAME=VALUE, or NAME to take it from the environment");
  command->add_option("--secret-file", arguments->secret_file,
                      "file with lines NAME=VALUE; values in quotes may have several lines");
  command->add_option("--input", arguments->inputs, "NAME=VALUE of a workflow_dispatch input");
  command->add_option("--env", arguments->env, "NAME=VALUE for every step");
  command->add_option("--var", arguments->vars, "NAME=VALUE for ${{ vars.NAME }}");
  command->add_option("--matrix", arguments->matrix, "KEY:VALUE; only combinations that have it");
  add_slots(*command, arguments->slots);
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
               "weir run\nweir run -j train\nweir run --from train --to evaluate\nweir run pull_request "
               "--base main\nweir run --ref refs/tags/v1\n"
               "weir run workflow_dispatch -W deploy.yml --input environment=staging -s API_KEY");
  command->callback([&cli, arguments] {
    cli.action = [&cli, arguments] { return arguments->list ? list_workflows(cli.json) : run_local(cli, *arguments); };
  });
}

}  // namespace weir::app
