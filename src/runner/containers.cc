#include "runner/containers.h"

#include <unistd.h>

#include <algorithm>
#include <thread>

#include "base/hash.h"
#include "io/file.h"
#include "runner/program.h"
#include "runner/sandbox.h"
#include "runner/step_run.h"

namespace weir::runner {
namespace {

namespace fs = std::filesystem;

constexpr auto kAskLimit = std::chrono::seconds{30};
constexpr auto kHealthLimit = std::chrono::minutes{5};
constexpr auto kHealthPause = std::chrono::seconds{1};
constexpr auto kTidyLimit = std::chrono::seconds{5};
constexpr int kNoHealthCheck = 125;
constexpr std::string_view kHome = "/github/home";
// Ends a process and what it started, in a container, where there may be little to do it with.
constexpr const char* kEndTree =
    "for p in $(ps -o pid,ppid | awk -v r=\"$1\" 'p[$2] || $1 == r {p[$1] = 1; print $1}'); do kill -9 $p; done "
    "2> /dev/null || kill -9 \"$1\"";

std::string text_of(const json::object& object, std::string_view key) {
  const auto* value = object.if_contains({key.data(), key.size()});
  return value == nullptr ? std::string() : workflow::to_text(*value);
}

std::vector<std::string> list_of(const json::object& object, std::string_view key) {
  std::vector<std::string> items;
  const auto* value = object.if_contains({key.data(), key.size()});
  if (value == nullptr || !value->is_array()) return items;
  for (const auto& item : value->get_array()) items.push_back(workflow::to_text(item));
  return items;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && std::string_view(" \t\r\n").contains(text.back())) text.remove_suffix(1);
  while (!text.empty() && std::string_view(" \t\r\n").contains(text.front())) text.remove_prefix(1);
  return text;
}

void append(std::vector<std::string>& arguments, const std::vector<std::string>& more) {
  arguments.insert(arguments.end(), more.begin(), more.end());
}

}  // namespace

std::string Containers::new_name(std::string_view what) const {
  return fmt::format("weir-{}-{}-{}", job_.spec->job_id, what, random_hex(4));
}

Result<void> Containers::require(std::string_view what) {
  if (job_.spec->sandbox) return fail(Code::kPermissionDenied, "{}: containers are not for {}", what, kSandboxed);
  if (!usable_) {
    const auto path = job_.inherited.find("PATH");
    program_ = find_program("podman", path == job_.inherited.end() ? "" : path->second);
    usable_ = [&]() -> Result<void> {
      if (program_.empty()) return fail(Code::kUnimplemented, "podman is not installed on this machine");
      io::ProcessOptions options;
      options.argv = {program_, "info", "--format", "{{.Version.Version}}"};
      options.env = job_.inherited;
      const auto answer = io::run_process(std::move(options), {}, kAskLimit, 1U << 20);
      if (!answer) return std::unexpected(answer.error());
      if (answer->status.code != 0) {
        return fail(Code::kUnimplemented, "podman does not work on this machine: {}", trim(answer->err));
      }
      return {};
    }();
  }
  if (*usable_) return {};
  return fail(Code::kUnimplemented, "{} needs containers: {}", what, usable_->error().message);
}

Result<std::string> Containers::podman(StepState& step, std::vector<std::string> arguments, bool show,
                                       const std::map<std::string, std::string>& env) {
  io::ProcessOptions options;
  options.argv = {program_};
  options.argv.insert(options.argv.end(), arguments.begin(), arguments.end());
  options.env = job_.inherited;
  for (const auto& [name, value] : env) (*options.env)[name] = value;
  // Shared: something that podman leaves behind may print to it later.
  const auto output = std::make_shared<std::string>();
  const auto take = [this, output, show, index = step.index](const LineSplitter::Line& line) {
    *output += std::string(line.text) + "\n";
    if (show) job_.log->line(index, 'o', line.text, line.bytes_cut);
  };
  const auto end = WEIR_TRY(job_.supervisor->run(std::move(options), take, time_left(step), [] { return true; }));
  if (end.stopped != StopReason::kNone) return fail(Code::kCancelled, "The operation was canceled.");
  if (end.status.code == 0) return std::string(trim(*output));
  return fail(end.status.code == kNoHealthCheck ? Code::kNotFound : Code::kFailedPrecondition,
              "podman {} failed with exit code {}: {}", arguments.front(), end.status.code, trim(*output));
}

// By the second a server finds what a runner left that was killed: the id is that of one job of one state.
std::vector<std::string> Containers::labels() const {
  std::vector<std::string> all{"--label", fmt::format("weir-job={}", job_.spec->job_id)};
  const auto tracking = job_.fixed_env.find("RUNNER_TRACKING_ID");
  if (tracking != job_.fixed_env.end()) {
    all.insert(all.end(), {"--label", fmt::format("{}={}", types::kTrackingLabel, tracking->second)});
  }
  return all;
}

// Folders that mean the same inside and outside.
std::vector<std::string> Containers::folders() const {
  std::vector<std::string> mounts;
  std::set<std::string> seen;
  const auto add = [&](const fs::path& folder, std::string_view mode) {
    std::error_code error;
    if (folder.empty() || !fs::is_directory(folder, error) || !seen.insert(folder.string()).second) return;
    mounts.insert(mounts.end(), {"-v", fmt::format("{0}:{0}{1}", folder.string(), mode)});
  };
  add(job_.workspace, "");
  add(job_.temp_dir, "");
  add(job_.own_dir, "");
  add(job_.spec->tool_dir, "");
  add(job_.spec->actions_dir, ":ro");
  const fs::path home = job_.temp_dir / "_github_home";
  if (io::make_dirs(home)) mounts.insert(mounts.end(), {"-v", fmt::format("{}:{}", home.string(), kHome)});
  return mounts;
}

std::map<std::string, std::string> Containers::own_variables(const std::map<std::string, std::string>& all) const {
  std::map<std::string, std::string> own;
  for (const auto& [name, value] : all) {
    const auto outside = job_.inherited.find(name);
    const bool of_weir = name == "WEIR_URL" || name == "WEIR_TOKEN" || name.starts_with("MLFLOW_") ||
                         name == "CML_COMMENT_PUBLISH_URL" || name == "CML_ASSET_URL";
    if (name == "PATH" || name == "VIRTUAL_ENV" || name == "HOME") continue;
    if (outside == job_.inherited.end() || outside->second != value || of_weir) own.emplace(name, value);
  }
  own["HOME"] = kHome;
  return own;
}

Result<Containers::Wish> Containers::read_wish(const json::value& value, std::string_view what) const {
  Wish wish;
  if (!value.is_object()) {
    wish.image = workflow::to_text(value);
  } else {
    const auto& object = value.get_object();
    wish.image = text_of(object, "image");
    wish.options = split_arguments(text_of(object, "options"));
    wish.ports = list_of(object, "ports");
    wish.volumes = list_of(object, "volumes");
    wish.entrypoint = text_of(object, "entrypoint");
    wish.command = split_arguments(text_of(object, "command"));
    if (const auto* env = object.if_contains("env"); env != nullptr && env->is_object()) {
      for (const auto& [name, text] : env->get_object()) wish.env[std::string(name)] = workflow::to_text(text);
    }
    if (const auto* credentials = object.if_contains("credentials");
        credentials != nullptr && credentials->is_object()) {
      wish.username = text_of(credentials->get_object(), "username");
      wish.password = text_of(credentials->get_object(), "password");
    }
  }
  if (wish.image.starts_with("docker://")) wish.image.erase(0, 9);
  if (wish.image.starts_with('-'))
    return fail(Code::kInvalidArgument, "the image of {} is no name: {}", what, wish.image);
  for (const auto& option : wish.options) {
    if (option.starts_with("--network") || option.starts_with("--entrypoint")) {
      return fail(Code::kInvalidArgument, "`options` of {} may not hold {}", what, option);
    }
  }
  return wish;
}

// A file with the credentials, as podman reads them; a command line would show them to everybody.
Result<std::string> Containers::authentication(const Wish& wish) const {
  if (wish.username.empty() && wish.password.empty()) return std::string();
  const auto slash = wish.image.find('/');
  std::string registry = slash == std::string::npos ? "docker.io" : wish.image.substr(0, slash);
  if (registry.find_first_of(".:") == std::string::npos && registry != "localhost") registry = "docker.io";
  job_.log->add_mask(wish.password);
  const json::object file{
      {"auths", json::object{{registry, json::object{{"auth", base64_encode(wish.username + ":" + wish.password)}}}}}};
  const fs::path path = job_.temp_dir / fmt::format("auth-{}.json", random_hex(4));
  WEIR_TRY(io::write_file_atomic(path, json::serialize(file), 0600));
  return path.string();
}

Result<std::string> Containers::create(StepState& step, const Wish& wish, const std::string& name,
                                       std::string_view alias, std::vector<std::string> command,
                                       const std::vector<std::string>& mounts) {
  const std::string auth = WEIR_TRY(authentication(wish));
  std::vector<std::string> arguments{"create", "--name", name};
  append(arguments, labels());
  arguments.insert(arguments.end(), {"--pull", "newer"});
  if (!auth.empty()) arguments.insert(arguments.end(), {"--authfile", auth});
  if (!network_.empty()) arguments.insert(arguments.end(), {"--network", network_});
  if (!network_.empty() && !alias.empty()) arguments.insert(arguments.end(), {"--network-alias", std::string(alias)});
  for (const auto& port : wish.ports) arguments.insert(arguments.end(), {"-p", port});
  for (const auto& volume : wish.volumes) arguments.insert(arguments.end(), {"-v", volume});
  arguments.insert(arguments.end(), mounts.begin(), mounts.end());
  arguments.insert(arguments.end(), wish.options.begin(), wish.options.end());
  std::map<std::string, std::string> env = wish.env;
  env.try_emplace("CI", "true");
  env["GITHUB_ACTIONS"] = "true";
  for (const auto& [variable, value] : env) arguments.insert(arguments.end(), {"-e", variable});
  if (!wish.entrypoint.empty()) arguments.insert(arguments.end(), {"--entrypoint", wish.entrypoint});
  arguments.push_back(wish.image);
  arguments.insert(arguments.end(), command.begin(), command.end());
  started_.push_back(name);
  auto id = podman(step, std::move(arguments), true, env);
  if (!auth.empty()) ::unlink(auth.c_str());
  const std::string output = WEIR_TRY(std::move(id));
  WEIR_TRY(podman(step, {"start", name}, false));
  return output.substr(output.rfind('\n') + 1);  // behind what it said while it pulled
}

Result<void> Containers::wait_until_healthy(StepState& step, const std::string& name, std::string_view service) {
  const auto deadline = std::chrono::steady_clock::now() + kHealthLimit;
  for (;;) {
    const auto healthy = podman(step, {"healthcheck", "run", name}, false);
    if (healthy || healthy.error().code == Code::kNotFound) return {};
    if (healthy.error().code == Code::kCancelled) return std::unexpected(healthy.error());
    if (std::chrono::steady_clock::now() >= deadline) {
      return fail(Code::kDeadlineExceeded, "the service {} did not become healthy", service);
    }
    const auto until = std::chrono::steady_clock::now() + kHealthPause;
    while (std::chrono::steady_clock::now() < until && !job_.cancelled()) {
      job_.supervisor->poll_now();
      std::this_thread::sleep_for(std::chrono::milliseconds{20});
    }
  }
}

// {"6379": "49153"}: ports of the container, and where they are on this machine.
Result<json::object> Containers::ports_of(StepState& step, const std::string& name) {
  json::object ports;
  const std::string text = WEIR_TRY(podman(step, {"port", name}, false));
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    const auto arrow = line.find(" -> ");
    const auto colon = line.rfind(':');
    if (arrow == std::string_view::npos || colon == std::string_view::npos || colon < arrow) continue;
    const std::string_view inside = line.substr(0, std::min(arrow, line.find('/')));
    ports[json::string_view(inside.data(), inside.size())] = trim(line.substr(colon + 1));
  }
  return ports;
}

Result<void> Containers::start(StepState& set_up) {
  const auto& spec = *job_.spec;
  if (spec.container.is_null() && spec.services.is_null()) return {};
  job_.contexts.values["env"] = job_.job_env;
  const json::value container = WEIR_TRY(workflow::evaluate_tree(spec.container, job_.contexts));
  const json::value services = WEIR_TRY(workflow::evaluate_tree(spec.services, job_.contexts));
  const bool in_container =
      !container.is_null() && !WEIR_TRY(read_wish(container, "the job's container")).image.empty();
  const bool has_services = services.is_object() && !services.get_object().empty();
  if (!in_container && !has_services) return {};
  WEIR_TRY(require(in_container ? "`container` of the job" : "`services` of the job"));
  std::vector<std::string> arguments{"network", "create"};
  append(arguments, labels());
  arguments.push_back(new_name("net"));
  network_ = WEIR_TRY(podman(set_up, std::move(arguments), false));
  auto& state = job_.contexts.values["job"];
  if (!state.is_object()) state.emplace_object();
  if (has_services) {
    auto& known = state.get_object()["services"].emplace_object();
    for (const auto& [id, value] : services.get_object()) {
      const Wish wish = WEIR_TRY(read_wish(value, fmt::format("the service {}", std::string_view(id))));
      if (wish.image.empty()) continue;
      const std::string name = new_name("service");
      services_.emplace_back(id, name);
      const std::string made = WEIR_TRY(create(set_up, wish, name, id, wish.command, {}));
      known[id] = {{"id", made}, {"network", network_}, {"ports", WEIR_TRY(ports_of(set_up, name))}};
    }
  }
  if (in_container) {
    Wish wish = WEIR_TRY(read_wish(container, "the job's container"));
    wish.entrypoint = "tail";
    wish.env.try_emplace("HOME", kHome);
    const std::string name = new_name("job");
    const std::string made = WEIR_TRY(create(set_up, wish, name, "", {"-f", "/dev/null"}, folders()));
    name_ = name;
    state.get_object()["container"] = {{"id", made}, {"network", network_}};
    job_.line(set_up.index, 'c', fmt::format("Scripts run in a container of {}", wish.image));
  }
  for (const auto& [id, name] : services_) WEIR_TRY(wait_until_healthy(set_up, name, id));
  return {};
}

void Containers::stop(StepState& clean_up) {
  if (started_.empty() && network_.empty()) return;
  for (const auto& [id, name] : services_) {
    job_.line(clean_up.index, 'c', fmt::format("##[group]What the service {} printed", id));
    [[maybe_unused]] const auto shown = podman(clean_up, {"logs", name});
    job_.line(clean_up.index, 'c', "##[endgroup]");
  }
  for (const auto& name : std::exchange(started_, {})) {
    [[maybe_unused]] const auto removed = podman(clean_up, {"rm", "--force", "--time", "1", "--volumes", name}, false);
  }
  if (!network_.empty()) {
    [[maybe_unused]] const auto removed = podman(clean_up, {"network", "rm", "--force", network_}, false);
  }
  services_.clear();
  name_.clear();
  // podman's own helpers tidy up behind a container; nobody should end them meanwhile.
  const auto deadline = std::chrono::steady_clock::now() + kTidyLimit;
  const auto tidies = [] {
    return std::ranges::any_of(living_descendants(), [](const TreeProcess& process) {
      return process.name == "conmon" || process.name == "podman" || process.name == "crun";
    });
  };
  while (std::chrono::steady_clock::now() < deadline && tidies()) {
    std::this_thread::sleep_for(std::chrono::milliseconds{20});
  }
}

io::ProcessOptions Containers::inside(const StepState& step, std::vector<std::string> argv,
                                      const fs::path& folder) const {
  io::ProcessOptions options;
  options.argv = {program_, "exec", "--workdir", folder.string()};
  options.env = job_.inherited;
  for (const auto& [name, value] : own_variables(step.variables)) {
    options.argv.insert(options.argv.end(), {"-e", name});
    // podman itself needs its own home.
    if (name == "HOME") {
      options.argv.back() += "=" + value;
    } else {
      (*options.env)[name] = value;
    }
  }
  std::string paths;
  for (auto added = job_.added_paths.rbegin(); added != job_.added_paths.rend(); ++added) paths += *added + ":";
  options.argv.insert(options.argv.end(),
                      {name_, "sh", "-c", "echo $$ > \"$1\"; PATH=$2$PATH; shift 2; exec \"$@\"", "weir",
                       (job_.own_dir / fmt::format("inside-{}.pid", step.index)).string(), paths});
  options.argv.insert(options.argv.end(), argv.begin(), argv.end());
  return options;
}

void Containers::end_inside(StepState& step) {
  // A client that was killed leaves what it started.
  const auto pid = io::read_file(job_.own_dir / fmt::format("inside-{}.pid", step.index), 100);
  if (!pid) return;
  io::ProcessOptions options;
  options.argv = {program_, "exec", name_, "sh", "-c", kEndTree, "weir", std::string(trim(*pid))};
  options.env = job_.inherited;
  [[maybe_unused]] const auto done = io::run_process(std::move(options), {}, kAskLimit, 1U << 20);
}

Result<SupervisedEnd> Containers::run_action(StepState& step, ActionProcess process) {
  const std::string name = new_name("action");
  auto variables = own_variables(process.variables);
  variables["GITHUB_WORKSPACE"] = "/github/workspace";
  io::ProcessOptions options;
  options.argv = {program_, "run", "--rm", "--name", name};
  append(options.argv, labels());
  options.argv.insert(options.argv.end(), {"--workdir", "/github/workspace", "--pull", "newer"});
  if (!network_.empty()) options.argv.insert(options.argv.end(), {"--network", network_});
  options.env = job_.inherited;
  for (const auto& [variable, value] : variables) {
    options.argv.insert(options.argv.end(), {"-e", variable});
    if (variable == "HOME") {
      options.argv.back() += "=" + value;
    } else {
      (*options.env)[variable] = value;
    }
  }
  for (const auto& mount : folders()) options.argv.push_back(mount);
  options.argv.insert(options.argv.end(), {"-v", fmt::format("{}:/github/workspace", job_.workspace.string())});
  if (!process.entrypoint.empty()) options.argv.insert(options.argv.end(), {"--entrypoint", process.entrypoint});
  options.argv.push_back(process.image);
  options.argv.insert(options.argv.end(), process.arguments.begin(), process.arguments.end());
  auto end = job_.supervisor->run(std::move(options), take_lines(job_, step), time_left(step), cancels(job_, step));
  if (end && end->stopped != StopReason::kNone) {
    io::ProcessOptions remove;
    remove.argv = {program_, "rm", "--force", "--time", "0", "--ignore", name};
    remove.env = job_.inherited;
    [[maybe_unused]] const auto removed = io::run_process(std::move(remove), {}, kAskLimit, 1U << 20);
  }
  return end;
}

Result<std::string> Containers::build(StepState& step, const fs::path& dockerfile) {
  std::string image = fmt::format("localhost/weir-action:{}", sha256_hex(dockerfile.string()).substr(0, 16));
  job_.line(step.index, 'c', "##[group]Building the action's image");
  auto built = podman(step, {"build", "-t", image, "-f", dockerfile.string(), dockerfile.parent_path().string()});
  job_.line(step.index, 'c', "##[endgroup]");
  WEIR_TRY(built);
  return image;
}

}  // namespace weir::runner
