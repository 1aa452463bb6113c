// `run:` steps.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "runner/action_environment.h"
#include "runner/containers.h"
#include "runner/loaded_action.h"
#include "runner/program.h"
#include "runner/step_commands.h"
#include "runner/step_run.h"

namespace weir::runner {
namespace {

namespace fs = std::filesystem;
using types::Conclusion;

struct Shell {
  std::string program;    // absolute path
  std::string arguments;  // with "{0}" for the script
  std::string extension;  // of the script's file
};

struct KnownShell {
  std::string_view name;
  std::string_view arguments;
  std::string_view extension;
};
constexpr KnownShell kShells[] = {{"bash", "--noprofile --norc -eo pipefail {0}", ".sh"},
                                  {"sh", "-e {0}", ".sh"},
                                  {"python", "{0}", ".py"},
                                  {"pwsh", "-command \". '{0}'\"", ".ps1"}};

// `contained`: the program is looked for when it is started, in the job's container.
Result<Shell> choose_shell(const std::string& wish, const std::string& path, bool contained) {
  if (wish.empty() && contained) return Shell{"sh", "-e {0}", ".sh"};
  if (wish.empty()) {
    // Without a wish bash is started plainly, unlike with `shell: bash`.
    for (const char* name : {"bash", "sh"}) {
      if (auto program = find_program(name, path); !program.empty()) return Shell{std::move(program), "-e {0}", ".sh"};
    }
    return fail(Code::kNotFound, "there is neither bash nor sh on PATH ({})", path);
  }
  const auto space = wish.find(' ');
  const std::string name = wish.substr(0, space);
  if (wish == "cmd" || wish == "powershell") {
    return fail(Code::kNotFound,
                "`shell: {}` is there on Windows only, and this machine runs Linux: use bash, or pwsh "
                "where PowerShell is installed",
                wish);
  }
  Shell shell;
  if (space != std::string::npos) shell.arguments = wish.substr(wish.find_first_not_of(' ', space));
  for (const auto& known : kShells) {
    if (known.name != name) continue;
    if (shell.arguments.empty()) shell.arguments = known.arguments;
    shell.extension = known.extension;
  }
  if (shell.arguments.find("{0}") == std::string::npos) {
    return fail(Code::kInvalidArgument,
                "Invalid shell option '{}'. Shell must be a valid built-in (bash, sh, python, "
                "pwsh) or a format string containing '{{0}}'",
                wish);
  }
  shell.program = contained ? name : find_program(name, path);
  if (!shell.program.empty()) return shell;
  if (name == "pwsh") {
    return fail(Code::kNotFound,
                "`shell: pwsh` is not installed on this machine: use `shell: bash`, or install PowerShell");
  }
  return fail(Code::kNotFound, "{}: command not found (`shell: {}`); PATH is {}", name, wish, path);
}

std::vector<std::string> command_line(const Shell& shell, const fs::path& script) {
  std::vector<std::string> argv{shell.program};
  for (auto& argument : split_arguments(shell.arguments)) {
    for (auto at = argument.find("{0}"); at != std::string::npos;
         at = argument.find("{0}", at + script.string().size())) {
      argument.replace(at, 3, script.string());
    }
    argv.push_back(std::move(argument));
  }
  return argv;
}

void show_header(JobState& job, const StepState& step, std::string_view script, const Shell& shell) {
  std::string_view rest = script;
  while (!rest.empty() && std::string_view(" \t\r\n").contains(rest.front())) rest.remove_prefix(1);
  // In one go, so that a secret of several lines in the script is masked too.
  std::string text = fmt::format("##[group]Run {}\n", rest.substr(0, rest.find_first_of("\r\n")));
  std::string_view body = script;
  while (body.ends_with('\n')) body.remove_suffix(1);
  text += body;
  text += fmt::format("\nshell: {} {}\n", shell.program, shell.arguments);
  if (!step.env.empty()) {
    text += "env:\n";
    for (const auto& [name, value] : step.env) {
      text += fmt::format("  {}: {}\n", std::string_view(name), workflow::to_text(value));
    }
  }
  text += "##[endgroup]";
  job.line(step.index, 'c', text);
}

// The script may hold secrets: only the user may read it, and it goes when the step has ended.
class ScriptFile {
 public:
  explicit ScriptFile(fs::path path) : path_(std::move(path)) {}
  ~ScriptFile() { ::unlink(path_.c_str()); }
  ScriptFile(const ScriptFile&) = delete;
  ScriptFile& operator=(const ScriptFile&) = delete;

  [[nodiscard]] Result<void> write(std::string_view text) const {
    // Steps write to this folder too: a link that one left here must not be written through.
    ::unlink(path_.c_str());
    const int fd = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0700);
    if (fd < 0) return fail_errno(errno, fmt::format("cannot make {}", path_.string()));
    Result<void> result;
    while (!text.empty()) {
      const ssize_t written = ::write(fd, text.data(), text.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) {
        result = fail_errno(errno, fmt::format("cannot write {}", path_.string()));
        break;
      }
      text.remove_prefix(static_cast<std::size_t>(written));
    }
    ::close(fd);
    return result;
  }

 private:
  fs::path path_;
};

// A step's own value, else the job's `defaults.run`, which do not reach into actions.
Result<std::string> setting(const JobState& job, const std::string& own, std::string_view key) {
  if (!own.empty()) return workflow::interpolate(own, job.contexts);
  const auto* run = job.depth > 0 ? nullptr : job.spec->defaults.if_contains("run");
  return run == nullptr ? std::string() : json_string_or(*run, key, "");
}

}  // namespace

Result<void> run_script(JobState& job, StepState& step) {
  step.variables = job.process_env(step.env);
  for (const auto& [name, value] : id_token_environment(job)) step.variables[name] = value;
  add_action_variables(job, step.variables);
  step.variables["GITHUB_ACTION"] = step.name;
  WEIR_TRY(job.files.prepare(step.variables));
  const std::string script = WEIR_TRY(workflow::interpolate(step.step.run, job.contexts));
  const bool contained = job.containers != nullptr && job.containers->has_job_container();
  const Shell shell =
      WEIR_TRY(choose_shell(WEIR_TRY(setting(job, step.step.shell, "shell")), step.variables["PATH"], contained));
  const std::string folder = WEIR_TRY(setting(job, step.step.working_directory, "working-directory"));
  show_header(job, step, script, shell);

  const fs::path path = job.temp_dir / fmt::format("step-{}{}", step.index, shell.extension);
  const ScriptFile file(path);
  const bool powershell = shell.extension == ".ps1";
  WEIR_TRY(file.write(powershell ? fmt::format("$ErrorActionPreference = 'stop'\n{}\nif ((Test-Path -LiteralPath "
                                               "variable:\\LASTEXITCODE)) {{ exit $LASTEXITCODE }}",
                                               script)
                                 : script));
  io::ProcessOptions options;
  options.argv = command_line(shell, path);
  options.working_dir = job.workspace / folder;
  options.env = step.variables;
  if (contained) options = job.containers->inside(step, std::move(options.argv), options.working_dir);
  const auto end = WEIR_TRY(run_supervised(job, step, std::move(options)));
  if (contained && end.stopped != StopReason::kNone) job.containers->end_inside(step);
  if (!report_stop(job, step, end.stopped) && end.status.code != 0) {
    job.error(step, fmt::format("Process completed with exit code {}.", end.status.code));
    step.outcome = Conclusion::kFailure;
  }
  process_step_files(job, step);
  return {};
}

}  // namespace weir::runner
