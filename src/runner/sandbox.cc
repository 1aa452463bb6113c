#include "runner/sandbox.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "io/file.h"
#include "runner/job_state.h"
#include "runner/program.h"

namespace weir::runner {
namespace {

namespace fs = std::filesystem;

constexpr auto kTryLimit = std::chrono::seconds{30};
constexpr std::string_view kTemporary = "/tmp";

// Joins the control groups and takes bubblewrap's options from the standard input, which is empty afterwards. What the
// step wants in its environment is among these: a program out here must never see it.
constexpr const char* kEnter =
    "while [ \"$1\" != -- ]; do echo 0 > \"$1\" || exit 125; shift; done; shift; exec 3<&0 0</dev/null \"$@\"";

bool is_below(const fs::path& path, const fs::path& folder) {
  const auto [a, b] = std::ranges::mismatch(folder, path);
  return a == folder.end();
}

fs::path resolved(const fs::path& path) {
  std::error_code error;
  auto found = fs::weakly_canonical(path, error);
  return error ? path.lexically_normal() : found;
}

// What only its owner may read is nobody's business in there; where the server is that owner, the kernel would not
// mind.
void hide_private_files(const fs::path& folder, std::vector<std::string>& options) {
  std::error_code error;
  for (fs::recursive_directory_iterator entry(folder, fs::directory_options::skip_permission_denied, error), end;
       !error && entry != end; entry.increment(error)) {
    struct stat info{};
    if (::lstat(entry->path().c_str(), &info) != 0 || S_ISLNK(info.st_mode)) continue;
    const bool is_folder = S_ISDIR(info.st_mode);
    if ((info.st_mode & (is_folder ? S_IXOTH : S_IROTH)) != 0) continue;
    if (::access(entry->path().c_str(), is_folder ? X_OK : R_OK) != 0) continue;
    if (is_folder) {
      entry.disable_recursion_pending();
      options.insert(options.end(), {"--tmpfs", entry->path().string(), "--remount-ro", entry->path().string()});
    } else {
      options.insert(options.end(), {"--ro-bind", "/dev/null", entry->path().string()});
    }
  }
}

// The kernel's settings belong to the user that a server of root's is, without any further right: they would be open to
// be changed.
void protect_kernel_files(std::vector<std::string>& options) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/proc", error)) {
    const std::string name = entry.path().filename().string();
    struct stat info{};
    if (std::isdigit(static_cast<unsigned char>(name[0])) != 0 || ::lstat(entry.path().c_str(), &info) != 0) continue;
    const bool is_setting = S_ISDIR(info.st_mode) || (S_ISREG(info.st_mode) && (info.st_mode & 0222) != 0);
    if (is_setting) options.insert(options.end(), {"--ro-bind-try", entry.path().string(), entry.path().string()});
  }
}

std::string variable(const JobState& job, const char* name) {
  const auto found = job.inherited.find(name);
  return found == job.inherited.end() ? std::string() : found->second;
}

bool is_for_actions_only(std::string_view name) {
  return name.starts_with("ACTIONS_") && (name.ends_with("_TOKEN") || name.ends_with("_URL"));
}

// As bubblewrap's --args takes them.
std::string input_text(const std::vector<std::string>& arguments) {
  std::string text;
  for (const auto& argument : arguments) {
    text += argument;
    text += '\0';
  }
  return text;
}

Result<io::Descriptor> memory_of(std::string_view text) {
  io::Descriptor memory(::memfd_create("weir-sandbox", MFD_CLOEXEC));
  if (!memory) return fail_errno(errno, "cannot make the sandbox's options");
  WEIR_TRY(io::write_all(memory.get(), text, "the sandbox's options"));
  ::lseek(memory.get(), 0, SEEK_SET);
  return memory;
}

}  // namespace

Result<std::shared_ptr<Sandbox>> Sandbox::create(JobState& job) {
  const auto go = [&]() -> Result<std::shared_ptr<Sandbox>> {
    const std::string program = find_program("bwrap", variable(job, "PATH"));
    if (program.empty()) return fail(Code::kUnimplemented, "bubblewrap is not installed: apt install bubblewrap");
    WEIR_TRY(Confinement::available());
    const auto& limits = *job.spec->sandbox;
    std::shared_ptr<Sandbox> made(new Sandbox(WEIR_TRY(ControlGroup::create(
        fmt::format("{}", job.spec->job_id), {.memory_bytes = limits.memory_bytes, .processes = limits.processes}))));
    made->program_ = program;
    WEIR_TRY(made->make_folders(job));
    made->find_machine(job);
    WEIR_TRY(made->try_out(job));
    job.line(-1, 'c',
             fmt::format("Steps run in a sandbox (bubblewrap, without network), as the pull request is by somebody who "
                         "may not push: {} MiB of memory and {} processes together, kept by {}",
                         limits.memory_bytes >> 20, limits.processes, made->group_.description()));
    return made;
  };
  auto made = go();
  if (made) return made;
  return fail(made.error().code,
              "the pull request is by somebody who may not push, so its jobs run in a sandbox only, which this machine "
              "does not have: {}",
              made.error().message);
}

Result<void> Sandbox::make_folders(const JobState& job) {
  const fs::path own = job.job_dir / "sandbox";
  home_ = own / "home";
  staging_ = own / "staging";
  // A step could put links where its own folders are to appear below /tmp.
  if (!is_below(job.job_dir, kTemporary) && !is_below(job.workspace, kTemporary)) temporary_ = own / "tmp";
  for (const auto& folder : {home_, staging_, temporary_}) {
    if (!folder.empty()) WEIR_TRY(io::make_dirs(folder));
  }
  confinement_ = std::make_shared<const Confinement>(
      std::vector<fs::path>{job.workspace, job.temp_dir, home_, staging_, job.job_dir / "venv"},
      std::vector<fs::path>{job.job_dir / "repository", "/dev/null", "/dev/urandom", "/etc/hosts", "/etc/resolv.conf",
                            "/etc/nsswitch.conf", "/etc/localtime", "/etc/ssl/certs", "/usr/share/zoneinfo",
                            "/usr/share/ca-certificates"});
  return {};
}

void Sandbox::find_machine(const JobState& job) {
  machine_ = {"--unshare-user", "--disable-userns", "--unshare-pid", "--unshare-ipc",     "--unshare-uts",
              "--unshare-net",  "--cap-drop",       "ALL",           "--die-with-parent", "--clearenv"};
  for (const char* name : {"/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"}) {
    std::error_code error;
    if (const auto target = fs::read_symlink(name, error); !error) {
      machine_.insert(machine_.end(), {"--symlink", target.string(), name});
    } else {
      machine_.insert(machine_.end(), {"--ro-bind-try", name, name});
    }
  }
  for (const char* name : {"/usr", "/etc", "/opt", "/nix/store", "/sys/devices/system/cpu"}) {
    machine_.insert(machine_.end(), {"--ro-bind-try", name, name});
  }
  hide_private_files("/etc", machine_);
  machine_.insert(machine_.end(), {"--proc", "/proc", "--dev", "/dev", "--tmpfs", "/run", "--tmpfs", "/var/tmp"});
  protect_kernel_files(machine_);

  const fs::path home = resolved(variable(job, "HOME"));
  forbidden_ = {"/home", "/root", "/var/lib", "/run", "/proc", "/sys", "/dev", kTemporary, job.job_dir};
  if (const auto& state = job.spec->sandbox->state_dir; !state.empty()) forbidden_.push_back(resolved(state));
  if (home.is_absolute() && home != "/") forbidden_.push_back(home);
  const std::string path = variable(job, "PATH");
  for (std::string_view rest = path; !rest.empty();) {
    const std::string_view folder = rest.substr(0, rest.find(':'));
    rest.remove_prefix(std::min(rest.size(), folder.size() + 1));
    // Programs in somebody's home may be wrappers that need more of it.
    if (folder.empty() || is_below(resolved(folder), home)) continue;
    if (auto found = program_folder(folder)) path_.push_back(*std::move(found));
  }
}

std::optional<fs::path> Sandbox::program_folder(const fs::path& path) const {
  fs::path place = resolved(path);
  std::error_code error;
  if (!place.is_absolute() || !fs::is_directory(place, error)) return std::nullopt;
  for (const char* name : {"/usr", "/opt", "/etc", "/nix/store"}) {
    if (is_below(place, name)) return std::nullopt;
  }
  if (is_below(place, kTemporary)) return std::nullopt;
  for (const auto& forbidden : forbidden_) {
    if (is_below(forbidden, place)) return std::nullopt;
  }
  return place;
}

// Interpreters that the job has been given may lie anywhere.
std::vector<fs::path> Sandbox::program_folders(const JobState& job) const {
  std::vector<fs::path> all = path_;
  const auto add = [&](const fs::path& folder) {
    if (auto found = program_folder(folder)) all.push_back(*std::move(found));
  };
  const auto add_program = [&](const fs::path& program) {
    add(program.parent_path().parent_path());
    add(resolved(program).parent_path().parent_path());
  };
  if (job.python) {
    const auto& interpreter = job.python->spec().interpreter;
    add_program(interpreter.executable);
    if (!interpreter.virtual_env.empty()) add(interpreter.virtual_env);
  }
  for (const auto& [version, node] : job.nodes) add_program(node);
  return all;
}

std::map<std::string, std::string> Sandbox::environment(const JobState& job) const {
  constexpr std::string_view kHarmless[] = {"PATH", "LANG",     "LANGUAGE",           "TZ",
                                            "TERM", "WEIR_URL", "GIT_PYTHON_REFRESH", "MLFLOW_TRACKING_URI"};
  std::map<std::string, std::string> all;
  for (const auto& [name, value] : job.inherited) {
    if (name.starts_with("LC_") || std::ranges::find(kHarmless, name) != std::end(kHarmless)) all.emplace(name, value);
  }
  all["HOME"] = home_.string();
  return all;
}

// Later mounts lie upon earlier ones.
std::vector<std::string> Sandbox::options_for(const JobState& job, const io::ProcessOptions& wanted) const {
  const auto& spec = *job.spec;
  std::vector<std::string> all = machine_;
  const auto bind = [&](const char* option, const fs::path& path) {
    all.insert(all.end(), {option, path.string(), path.string()});
  };
  if (temporary_.empty()) {
    all.insert(all.end(), {"--tmpfs", std::string(kTemporary)});
  } else {
    all.insert(all.end(), {"--bind", temporary_.string(), std::string(kTemporary)});
  }
  for (const auto& folder : program_folders(job)) bind("--ro-bind-try", folder);
  const std::string state = spec.sandbox->state_dir.empty() ? "" : resolved(spec.sandbox->state_dir).string();
  if (!state.empty()) all.insert(all.end(), {"--tmpfs", state});

  if (!spec.git_dir.empty()) bind("--ro-bind-try", fs::path(spec.git_dir) / "objects");
  if (!spec.tool_dir.empty()) bind("--ro-bind-try", spec.tool_dir);
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(spec.envs_dir, error)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("base-") || name.starts_with("scripts-")) bind("--ro-bind-try", entry.path());
  }
  bind("--ro-bind-try", job.job_dir / "repository");
  bind("--ro-bind", job.own_dir);
  for (const char* name : {"GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH", "GITHUB_STATE", "GITHUB_STEP_SUMMARY"}) {
    // One by one: none of them can be replaced by a link.
    const auto file = wanted.env ? wanted.env->find(name) : std::map<std::string, std::string>::const_iterator();
    if (wanted.env && file != wanted.env->end()) bind("--bind", file->second);
  }
  for (const auto& folder : {home_, job.workspace, job.temp_dir}) bind("--bind", folder);
  if (job.python) {
    for (const auto& layer : job.python->spec().layers) bind("--ro-bind-try", layer);
    bind("--bind", job.python->spec().folder);
  }
  if (!state.empty()) all.insert(all.end(), {"--remount-ro", state});
  all.insert(all.end(), {"--remount-ro", "/", "--chdir", wanted.working_dir.string()});
  if (!wanted.env) return all;
  for (const auto& [name, value] : *wanted.env) {
    if (!name.empty() && !is_for_actions_only(name)) all.insert(all.end(), {"--setenv", name, value});
  }
  return all;
}

io::ProcessOptions Sandbox::outer_process(const JobState& job, const std::vector<std::string>& argv) const {
  io::ProcessOptions options;
  options.argv = {"/bin/sh", "-c", kEnter, "sh"};
  for (const auto& entrance : group_.entrances()) options.argv.push_back(entrance.string());
  options.argv.insert(options.argv.end(), {"--", program_, "--args", "3", "--"});
  options.argv.insert(options.argv.end(), argv.begin(), argv.end());
  options.working_dir = "/";
  options.env = std::map<std::string, std::string>{{"PATH", "/usr/local/bin:/usr/bin:/bin"}};
  // By this the server finds what a dead runner has left.
  const auto tracking = job.fixed_env.find("RUNNER_TRACKING_ID");
  if (tracking != job.fixed_env.end()) options.env->insert(*tracking);
  return options;
}

Result<Sandbox::Start> Sandbox::wrap(const JobState& job, const io::ProcessOptions& wanted) const {
  Start start{.options = outer_process(job, wanted.argv),
              .input = WEIR_TRY(memory_of(input_text(options_for(job, wanted))))};
  start.options.stdin_fd = start.input.get();
  return start;
}

Result<void> Sandbox::try_out(const JobState& job) const {
  io::ProcessOptions wanted;
  wanted.working_dir = job.workspace;
  const auto done = io::run_process(outer_process(job, {"/bin/sh", "-c", "exit 7"}),
                                    input_text(options_for(job, wanted)), kTryLimit, 1U << 20);
  if (!done) return std::unexpected(done.error());
  if (done->status.code == 7) return {};
  std::string problem = done->err;
  while (problem.ends_with('\n')) problem.pop_back();
  return fail(Code::kUnimplemented,
              "bubblewrap does not work here ({}): version 0.8 or newer is needed, and a kernel that lets it make user "
              "namespaces (see the settings kernel.unprivileged_userns_clone, user.max_user_namespaces and "
              "kernel.apparmor_restrict_unprivileged_userns)",
              problem.empty() ? fmt::format("exit code {}", done->status.code) : problem);
}

void Sandbox::report_limits(JobState& job, StepState& step) {
  const auto now = group_.events();
  const auto& limits = *job.spec->sandbox;
  if (now.killed_for_memory > seen_.killed_for_memory) {
    job.error(step, fmt::format("The steps' processes came to the sandbox's limit of {} MiB of memory, and one or more "
                                "were ended for it.",
                                limits.memory_bytes >> 20));
  }
  if (now.forks_refused > seen_.forks_refused) {
    job.error(step,
              fmt::format("The steps came to the sandbox's limit of {} processes and threads.", limits.processes));
  }
  seen_ = now;
}

}  // namespace weir::runner
