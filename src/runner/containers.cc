#include "runner/containers.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <thread>

#include "base/hash.h"
#include "io/file.h"
#include "runner/container_image.h"
#include "runner/node_find.h"
#include "runner/program.h"
#include "runner/sandbox.h"
#include "runner/step_run.h"

namespace weir::runner {
namespace {

namespace fs = std::filesystem;

constexpr auto kAskLimit = std::chrono::seconds{30};
constexpr auto kHealthLimitMin = std::chrono::seconds{10};
constexpr auto kHealthPause = std::chrono::seconds{1};
constexpr auto kTidyLimit = std::chrono::seconds{5};
constexpr std::string_view kHome = "/github/home";
constexpr std::string_view kMountedNode = "/__e/node/bin/node";  // below GitHub's folder for the same
constexpr std::size_t kIdLength = 64;
constexpr std::string_view kHelpers[] = {"aardvark-dns", "slirp4netns", "pasta", "pasta.avx2", "dnsmasq"};
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

// The id that podman prints, among what else it may have said.
std::string id_in(std::string_view output) {
  std::string last;
  while (!output.empty()) {
    const auto end = std::min(output.find('\n'), output.size());
    const auto line = trim(output.substr(0, end));
    output.remove_prefix(std::min(end + 1, output.size()));
    if (line.size() == kIdLength && line.find_first_not_of("0123456789abcdef") == std::string_view::npos)
      return std::string(line);
    last = line;
  }
  return last;
}

void append(std::vector<std::string>& arguments, const std::vector<std::string>& more) {
  arguments.insert(arguments.end(), more.begin(), more.end());
}

// Variables that podman, and what it starts, go by themselves.
bool is_heeded_by_podman(std::string_view name) {
  constexpr std::string_view kNames[] = {"HOME",        "PATH",          "TMPDIR",
                                         "USER",        "LISTEN_FDS",    "NOTIFY_SOCKET",
                                         "DOCKER_HOST", "DOCKER_CONFIG", "REGISTRY_AUTH_FILE",
                                         "IFS",         "SHELL"};
  constexpr std::string_view kBeginnings[] = {"CONTAINER", "STORAGE_", "XDG_",  "LD_",       "BUILDAH_",    "PODMAN_",
                                              "GO",        "SSL_",     "DBUS_", "NETAVARK_", "_CONTAINERS_"};
  return std::ranges::find(kNames, name) != std::end(kNames) ||
         std::ranges::any_of(kBeginnings, [&](std::string_view beginning) { return name.starts_with(beginning); });
}

// Adds options that give a container the variables. What is returned has to be in podman's own environment for that: it
// stands in no command line, which everybody may read.
std::map<std::string, std::string> tell(const std::map<std::string, std::string>& variables,
                                        std::vector<std::string>& arguments) {
  std::map<std::string, std::string> env;
  for (const auto& [name, value] : variables) {
    const bool heeded = is_heeded_by_podman(name);
    arguments.insert(arguments.end(), {"-e", heeded ? fmt::format("{}={}", name, value) : name});
    if (!heeded) env[name] = value;
  }
  return env;
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
      spare_helpers();
      return leave_mark();
    }();
  }
  if (*usable_) return {};
  return fail(Code::kUnimplemented, "{} needs containers: {}", what, usable_->error().message);
}

// Where no job did, the server need not ask podman what may be left.
Result<void> Containers::leave_mark() const {
  if (job_.spec->containers_dir.empty()) return {};
  return io::write_file_atomic(fs::path(job_.spec->containers_dir) / std::to_string(job_.spec->job_id), "");
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
  return fail(Code::kFailedPrecondition, "podman {} failed with exit code {}: {}", arguments.front(), end.status.code,
              trim(*output));
}

// podman leaves processes that serve the containers of all jobs; they are this one's descendants if it was the first.
// What an ordinary user's podman leaves first of all, to hold its namespaces, has the name of podman itself.
void Containers::spare_helpers() {
  for (const auto& process : living_descendants()) {
    if (process.name == "podman" || process.name == "catatonit") lasting_.insert(process.pid);
  }
  job_.supervisor->spare([this](const TreeProcess& process) {
    return std::ranges::find(kHelpers, process.name) != std::end(kHelpers) || lasting_.contains(process.pid);
  });
}

// What podman tells of something there is, without the warnings that it may have.
Result<std::string> Containers::ask(std::vector<std::string> arguments) const {
  io::ProcessOptions options;
  options.argv = {program_};
  append(options.argv, arguments);
  options.env = job_.inherited;
  const auto done = WEIR_TRY(io::run_process(std::move(options), {}, kAskLimit, 1U << 20));
  if (done.status.code == 0) return std::string(trim(done.out));
  return fail(Code::kFailedPrecondition, "podman {} failed with exit code {}: {}", arguments.front(), done.status.code,
              trim(done.err));
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
std::vector<std::string> Containers::folders() {
  std::vector<std::string> mounts;
  mounted_.clear();
  const auto add = [&](const fs::path& folder, std::string_view mode) {
    std::error_code error;
    if (folder.empty() || !fs::is_directory(folder, error) || std::ranges::find(mounted_, folder) != mounted_.end())
      return;
    mounted_.push_back(folder);
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

bool Containers::has_folder(const fs::path& folder) const {
  return std::ranges::any_of(
      mounted_, [&](const fs::path& mounted) { return std::ranges::mismatch(mounted, folder).in1 == mounted.end(); });
}

// The server's name for browsers and GitHub's clients is one that not every image's library knows.
std::vector<std::string> Containers::hosts() const {
  std::vector<std::string> all;
  for (const auto& [service, address] : addresses_) {
    all.insert(all.end(), {"--add-host", fmt::format("{}:{}", service, address)});
  }
  if (loopback_port(job_.spec->server_url) != 0) all.insert(all.end(), {"--add-host", "weir.localhost:127.0.0.1"});
  return all;
}

std::map<std::string, std::string> Containers::own_variables(const std::map<std::string, std::string>& all,
                                                             const json::object& env) const {
  std::map<std::string, std::string> own;
  for (const auto& [name, value] : all) {
    const auto outside = job_.inherited.find(name);
    const bool of_weir = name == "WEIR_URL" || name == "WEIR_TOKEN" || name.starts_with("MLFLOW_") ||
                         name == "CML_COMMENT_PUBLISH_URL" || name == "CML_ASSET_URL";
    if (name == "PATH" || name == "VIRTUAL_ENV" || name == "HOME") continue;
    const bool set_here = env.contains(name) || job_.fixed_env.contains(name) || job_.hidden_env.contains(name);
    if (set_here || of_weir || outside == job_.inherited.end() || outside->second != value) own.emplace(name, value);
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
  wish.image = whole_image_name(wish.image);
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
  const std::string registry = wish.image.substr(0, wish.image.find('/'));
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
  append(arguments, hosts());
  for (const auto& port : wish.ports) arguments.insert(arguments.end(), {"-p", port});
  for (const auto& volume : wish.volumes) arguments.insert(arguments.end(), {"-v", volume});
  arguments.insert(arguments.end(), mounts.begin(), mounts.end());
  arguments.insert(arguments.end(), wish.options.begin(), wish.options.end());
  std::map<std::string, std::string> variables = wish.env;
  variables.try_emplace("CI", "true");
  variables["GITHUB_ACTIONS"] = "true";
  const auto env = tell(variables, arguments);
  if (!wish.entrypoint.empty()) arguments.insert(arguments.end(), {"--entrypoint", wish.entrypoint});
  arguments.push_back(wish.image);
  arguments.insert(arguments.end(), command.begin(), command.end());
  started_.push_back(name);
  auto id = podman(step, std::move(arguments), true, env);
  if (!auth.empty()) ::unlink(auth.c_str());
  const std::string output = WEIR_TRY(std::move(id));
  WEIR_TRY(podman(step, {"start", name}, false));
  return id_in(output);
}

Result<std::optional<Duration>> Containers::health_limit(const std::string& name) const {
  const std::string text = WEIR_TRY(ask({"inspect", "--format", "{{json .Config.Healthcheck}}", name}));
  const json::value check = WEIR_TRY(parse_json(text, "the health check that podman tells"));
  const auto* test = json_find(check, "Test");
  if (test == nullptr || !test->is_array() || test->get_array().empty()) return std::nullopt;
  if (workflow::to_text(test->get_array().front()) == "NONE") return std::nullopt;
  const auto time = [&](std::string_view key, Duration otherwise) -> Duration {
    const auto nanoseconds = json_int(check, key).value_or(0);
    return nanoseconds > 0 ? std::chrono::duration_cast<Duration>(std::chrono::nanoseconds{nanoseconds}) : otherwise;
  };
  const auto retries = std::max<std::int64_t>(json_int(check, "Retries").value_or(1), 1);
  const Duration once = time("Interval", std::chrono::seconds{30}) + time("Timeout", std::chrono::seconds{30});
  return std::max<Duration>(kHealthLimitMin, time("StartPeriod", Duration{0}) + once * retries);
}

Result<void> Containers::wait_until_healthy(StepState& step, const std::string& name, std::string_view service) {
  const auto limit = WEIR_TRY(health_limit(name));
  const auto deadline = std::chrono::steady_clock::now() + limit.value_or(Duration{0});
  for (;;) {
    const std::string state = WEIR_TRY(ask({"inspect", "--format", "{{.State.Status}}", name}));
    const bool runs = state == "running";
    if (!limit) {
      if (!runs) job_.warning(step, fmt::format("the service {} has ended already (podman: {})", service, state));
      return {};
    }
    if (!runs) return fail(Code::kFailedPrecondition, "the service {} ended before it was healthy", service);
    const auto healthy = podman(step, {"healthcheck", "run", name}, false);
    if (healthy) return {};
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

Result<void> Containers::note_address(const std::string& service, const std::string& name) {
  if (network_knows_names_) return {};
  const std::string address =
      WEIR_TRY(ask({"inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}", name}));
  if (!address.empty()) addresses_[service] = address.substr(0, address.find(' '));
  return {};
}

void Containers::open_door(StepState& step, const std::string& name) {
  const std::uint16_t port = loopback_port(job_.spec->server_url);
  if (port == 0) return;
  const auto open = [&]() -> Result<void> {
    const std::string text = WEIR_TRY(ask({"inspect", "--format", "{{.State.Pid}}", name}));
    pid_t pid = 0;
    std::from_chars(text.data(), text.data() + text.size(), pid);
    if (pid <= 0) return fail(Code::kFailedPrecondition, "it does not run");
    doors_[name] = WEIR_TRY(ContainerDoor::open(pid, port));
    return {};
  };
  if (const auto opened = open(); !opened) {
    job_.warning(step, fmt::format("Nothing in the container reaches the server at {}: {}", job_.spec->server_url,
                                   opened.error().message));
  }
}

// {"6379": "49153"}: ports of the container, and where they are on this machine.
Result<json::object> Containers::ports_of(const std::string& name) const {
  json::object ports;
  const std::string text = WEIR_TRY(ask({"port", name}));
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
  const std::string network = new_name("net");
  arguments.push_back(network);
  WEIR_TRY(podman(set_up, std::move(arguments), false));
  network_ = network;
  const auto names = ask({"network", "inspect", "--format", "{{.DNSEnabled}}", network_});
  network_knows_names_ = !names || *names != "false";
  auto& state = job_.contexts.values["job"];
  if (!state.is_object()) state.emplace_object();
  if (has_services) {
    state.get_object()["services"].emplace_object();
    for (const auto& [id, value] : services.get_object()) WEIR_TRY(start_service(set_up, id, value));
  }
  if (in_container) WEIR_TRY(start_job_container(set_up, WEIR_TRY(read_wish(container, "the job's container"))));
  for (const auto& [id, name] : services_) WEIR_TRY(wait_until_healthy(set_up, name, id));
  return {};
}

Result<void> Containers::start_service(StepState& step, const std::string& id, const json::value& value) {
  const Wish wish = WEIR_TRY(read_wish(value, fmt::format("the service {}", id)));
  if (wish.image.empty()) return {};
  const std::string name = new_name("service");
  services_.emplace_back(id, name);
  const std::string made = WEIR_TRY(create(step, wish, name, id, wish.command, {}));
  WEIR_TRY(note_address(id, name));
  job_.contexts.values["job"].at("services").get_object()[id] = {
      {"id", made}, {"network", network_}, {"ports", WEIR_TRY(ports_of(name))}};
  return {};
}

Result<void> Containers::start_job_container(StepState& step, Wish wish) {
  wish.entrypoint = "tail";
  wish.env.try_emplace("HOME", kHome);
  std::vector<std::string> mounts = folders();
  // Actions run on this machine's node, if the image can run it.
  const auto path = job_.inherited.find("PATH");
  const NodePlaces places{.path = path == job_.inherited.end() ? std::string() : path->second,
                          .tool_dir = job_.spec->tool_dir,
                          .env = job_.inherited};
  if (const auto node = find_node(places, 0); node && !has_folder(node->executable)) {
    std::error_code error;
    machine_node_ = node->executable;
    mounts.insert(mounts.end(),
                  {"-v", fmt::format("{}:{}:ro", fs::canonical(node->executable, error).string(), kMountedNode)});
  }
  const std::string name = new_name("job");
  const std::string made = WEIR_TRY(create(step, wish, name, "", {"-f", "/dev/null"}, mounts));
  name_ = name;
  job_.contexts.values["job"].get_object()["container"] = {{"id", made}, {"network", network_}};
  job_.line(step.index, 'c', fmt::format("Scripts and actions run in a container of {}", wish.image));
  open_door(step, name);
  return {};
}

std::optional<std::string> Containers::node_inside(const fs::path& node, int major) {
  const auto key = std::pair(node.string(), major);
  if (const auto known = nodes_.find(key); known != nodes_.end()) return known->second;
  const auto runs = [&](const std::string& program) {
    const auto version = ask({"exec", name_, program, "--version"});
    int found = 0;
    if (!version || !version->starts_with('v')) return false;
    std::from_chars(version->data() + 1, version->data() + version->size(), found);
    return found >= major;
  };
  std::optional<std::string> found;
  if (!node.empty() && has_folder(node) && runs(node.string())) {
    found = node.string();
  } else if (!node.empty() && node == machine_node_ && runs(std::string(kMountedNode))) {
    found = kMountedNode;
  } else if (runs("node")) {
    found = "node";
  }
  return nodes_[key] = found;
}

void Containers::stop(StepState& clean_up) {
  if (started_.empty() && network_.empty()) return;
  doors_.clear();
  for (const auto& [id, name] : services_) {
    job_.line(clean_up.index, 'c', fmt::format("##[group]What the service {} printed", id));
    [[maybe_unused]] const auto shown = podman(clean_up, {"logs", name});
    job_.line(clean_up.index, 'c', "##[endgroup]");
  }
  for (const auto& name : std::exchange(started_, {})) {
    [[maybe_unused]] const auto removed = podman(clean_up, {"rm", "--force", "--time", "0", "--volumes", name}, false);
  }
  if (!network_.empty()) {
    [[maybe_unused]] const auto removed = podman(clean_up, {"network", "rm", "--force", network_}, false);
  }
  services_.clear();
  name_.clear();
  // podman's own helpers tidy up behind a container; nobody should end them meanwhile.
  const auto deadline = std::chrono::steady_clock::now() + kTidyLimit;
  const auto tidies = [&] {
    return std::ranges::any_of(living_descendants(lasting_), [](const TreeProcess& process) {
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
  for (const auto& [name, value] : tell(own_variables(step.variables, step.env), options.argv))
    (*options.env)[name] = value;
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

// Made before it is started, so that the server can be reached there from the first moment on.
Result<SupervisedEnd> Containers::run_action(StepState& step, ActionProcess process) {
  const std::string name = new_name("action");
  auto variables = own_variables(process.variables, step.env);
  variables["GITHUB_WORKSPACE"] = "/github/workspace";
  std::vector<std::string> arguments{"create", "--name", name};
  append(arguments, labels());
  // What was built here is nowhere else.
  const bool built = process.image.starts_with("sha256:");
  arguments.insert(arguments.end(), {"--workdir", "/github/workspace", "--pull", built ? "never" : "newer"});
  if (!network_.empty()) arguments.insert(arguments.end(), {"--network", network_});
  append(arguments, hosts());
  const auto env = tell(variables, arguments);
  for (const auto& mount : folders()) arguments.push_back(mount);
  arguments.insert(arguments.end(), {"-v", fmt::format("{}:/github/workspace", job_.workspace.string())});
  if (!process.entrypoint.empty()) arguments.insert(arguments.end(), {"--entrypoint", process.entrypoint});
  arguments.push_back(process.image);
  append(arguments, process.arguments);

  const auto go = [&]() -> Result<SupervisedEnd> {
    WEIR_TRY(podman(step, std::move(arguments), false, env));
    WEIR_TRY(podman(step, {"init", name}, false));
    open_door(step, name);
    io::ProcessOptions options;
    options.argv = {program_, "start", "--attach", name};
    options.env = job_.inherited;
    return job_.supervisor->run(std::move(options), take_lines(job_, step), time_left(step), cancels(job_, step));
  };
  auto end = go();
  doors_.erase(name);
  io::ProcessOptions remove;
  remove.argv = {program_, "rm", "--force", "--time", "0", "--volumes", "--ignore", name};
  remove.env = job_.inherited;
  [[maybe_unused]] const auto removed = io::run_process(std::move(remove), {}, kAskLimit, 1U << 20);
  return end;
}

// The tag is the action's, not the job's, so that the next job finds its layers; what runs is the very image that was
// built, as another job may build one of that tag meanwhile.
Result<std::string> Containers::build(StepState& step, std::string_view action, const fs::path& dockerfile) {
  if (const auto built = built_.find(dockerfile); built != built_.end()) return built->second;
  const std::string tag = sha256_hex(fmt::format("{} {}", job_.spec->repository, action)).substr(0, 16);
  const fs::path id_file = job_.temp_dir / fmt::format("image-{}", random_hex(4));
  std::vector<std::string> arguments{"build",          "-t",          fmt::format("localhost/weir-action:{}", tag),
                                     "--label",        "weir-action", "--iidfile",
                                     id_file.string(), "-f",          dockerfile.string()};
  const std::string text = io::read_file(dockerfile, 1U << 20).value_or("");
  for (const auto& [written, name] : short_images_of(text)) {
    // Some versions look for what is written, others for what comes of it.
    for (const auto& key : std::set{written, name}) {
      arguments.insert(arguments.end(),
                       {"--build-context", fmt::format("{}=docker-image://{}", key, whole_image_name(name))});
    }
  }
  arguments.push_back(dockerfile.parent_path().string());
  job_.line(step.index, 'c', "##[group]Building the action's image");
  auto done = podman(step, std::move(arguments));
  job_.line(step.index, 'c', "##[endgroup]");
  WEIR_TRY(done);
  std::string id(trim(WEIR_TRY(io::read_file(id_file, 1000))));
  ::unlink(id_file.c_str());
  return built_[dockerfile] = std::move(id);
}

}  // namespace weir::runner
