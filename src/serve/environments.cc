#include "serve/environments.h"

#include <fcntl.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <thread>

#include "base/hash.h"
#include "base/json.h"
#include "io/file.h"
#include "io/process.h"

namespace weir::serve {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kFormat = "weir-environment-1";
constexpr std::string_view kRecord = "weir-environment.json";
constexpr std::string_view kTemporaryPrefix = ".tmp-";
constexpr Duration kPoll{std::chrono::milliseconds{100}};

void copy_variable(std::map<std::string, std::string>& env, const char* name) {
  if (const char* value = std::getenv(name); value != nullptr) env[name] = value;
}

// What installers need beside clean_environment(): indexes, proxies and certificates. Index addresses may hold a
// password, so workers do not get these.
std::map<std::string, std::string> installer_environment() {
  auto env = clean_environment();
  for (const char* name : {"HOME",
                           "XDG_CACHE_HOME",
                           "HTTP_PROXY",
                           "HTTPS_PROXY",
                           "NO_PROXY",
                           "http_proxy",
                           "https_proxy",
                           "no_proxy",
                           "SSL_CERT_FILE",
                           "SSL_CERT_DIR",
                           "REQUESTS_CA_BUNDLE",
                           "PIP_INDEX_URL",
                           "PIP_EXTRA_INDEX_URL",
                           "PIP_FIND_LINKS",
                           "PIP_NO_INDEX",
                           "PIP_TRUSTED_HOST",
                           "PIP_CACHE_DIR",
                           "PIP_CONFIG_FILE",
                           "UV_INDEX_URL",
                           "UV_DEFAULT_INDEX",
                           "UV_INDEX",
                           "UV_EXTRA_INDEX_URL",
                           "UV_FIND_LINKS",
                           "UV_OFFLINE",
                           "UV_CACHE_DIR",
                           "UV_NATIVE_TLS",
                           "UV_LINK_MODE",
                           "UV_CONFIG_FILE",
                           "UV_INSECURE_HOST",
                           "UV_HTTP_TIMEOUT"}) {
    copy_variable(env, name);
  }
  env["PIP_DISABLE_PIP_VERSION_CHECK"] = "1";
  env["PIP_NO_INPUT"] = "1";
  return env;
}

std::string name_of(const Interpreter& interpreter, const std::vector<std::string>& requirements) {
  Sha256 hash;
  const auto add = [&](std::string_view text) {
    hash.update(text);
    hash.update("\n");
  };
  add(kFormat);
  add(interpreter.executable.string());
  add(interpreter.version);
  for (const auto& line : requirements) add(line);
  return hash.finish_hex().substr(0, 32);
}

fs::path python_of(const fs::path& environment) {
  return environment / "bin" / "python";
}

bool is_built(const fs::path& environment) {
  std::error_code ignored;
  return fs::exists(environment / kRecord, ignored);
}

// Scripts in bin/ name the folder that they were made in.
Result<void> rename_in_scripts(const fs::path& environment, const fs::path& final_path) {
  constexpr std::uint64_t kScriptBytesMax = 256U << 10;
  const std::string from = environment.string();
  const std::string to = final_path.string();
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(environment / "bin", error)) {
    std::error_code ignored;
    if (entry.is_symlink(ignored) || !entry.is_regular_file(ignored) || entry.file_size(ignored) > kScriptBytesMax) {
      continue;
    }
    std::string text = WEIR_TRY(io::read_file(entry.path(), kScriptBytesMax));
    bool changed = false;
    for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
      text.replace(at, from.size(), to);
      changed = true;
    }
    if (changed) WEIR_TRY(io::write_file_atomic(entry.path(), text, 0755));
  }
  return {};
}

// mlflow must be there. Loading the model once leaves compiled modules behind, so that workers, which write none, start
// faster; whether it can be loaded is for the workers to say.
constexpr std::string_view kCheck = R"(
import importlib.util, sys
if importlib.util.find_spec("mlflow") is None:
    sys.exit("the requirements do not install mlflow")
import mlflow.pyfunc
try:
    mlflow.pyfunc.load_model(sys.argv[1])
except Exception:
    pass
)";

// Last lines of what an installer printed.
std::string tail_of(const fs::path& file) {
  constexpr std::size_t kShown = 2'000;
  auto text = io::read_file(file, 256U << 20);
  if (!text) return {};
  while (!text->empty() && (text->back() == '\n' || text->back() == ' ')) text->pop_back();
  if (text->size() <= kShown) return *std::move(text);
  const auto line = text->find('\n', text->size() - kShown);
  return text->substr(line == std::string::npos ? text->size() - kShown : line + 1);
}

// Everything in the folder's file system is on disk: a record that says "built" must not outlive what was built.
Result<void> sync_file_system(const fs::path& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return fail_errno(errno, fmt::format("cannot open {}", folder.string()));
  const int failed = ::syncfs(fd) != 0 ? errno : 0;
  ::close(fd);
  if (failed != 0) return fail_errno(failed, fmt::format("cannot sync {}", folder.string()));
  return {};
}

}  // namespace

std::map<std::string, std::string> clean_environment() {
  std::map<std::string, std::string> env{{"PATH", "/usr/local/bin:/usr/bin:/bin"}, {"LANG", "C.UTF-8"}};
  for (const char* name : {"PATH", "TMPDIR", "TZ", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES"}) copy_variable(env, name);
  return env;
}

struct Environments::Build {
  std::mutex mutex;  // held by the one who builds
};

Environments::Environments(Options options, Log& log) : options_(std::move(options)), log_(log) {}
Environments::~Environments() = default;

Result<fs::path> Environments::ensure(std::string_view python_version, const std::vector<std::string>& requirements,
                                      const fs::path& working_dir) {
  if (!options_.ready_made.empty()) return options_.ready_made;
  const auto interpreter = WEIR_TRY(options_.find_interpreter(python_version));
  const std::string name = name_of(interpreter, requirements);
  const fs::path target = options_.folder / name;
  if (is_built(target)) return python_of(target);

  std::shared_ptr<Build> mine;
  {
    const std::scoped_lock lock(mutex_);
    auto& shared = builds_[name];
    if (!shared) shared = std::make_shared<Build>();
    mine = shared;
  }
  const std::scoped_lock build_lock(mine->mutex);
  if (is_built(target)) return python_of(target);
  WEIR_TRY(io::make_dirs(options_.folder));
  // Another process with the same state folder, such as `weir run`, may be building it.
  const auto deadline = std::chrono::steady_clock::now() + options_.build_limit;
  auto lock = io::FileLock::acquire(options_.folder / (name + ".lock"));
  while (!lock && lock.error().code == Code::kFailedPrecondition && std::chrono::steady_clock::now() < deadline &&
         !cancelled_) {
    std::this_thread::sleep_for(kPoll);
    lock = io::FileLock::acquire(options_.folder / (name + ".lock"));
  }
  if (!lock) return std::unexpected(lock.error());
  if (is_built(target)) return python_of(target);
  if (!python_version.empty() &&
      !interpreter.version.starts_with(python_version.substr(0, python_version.rfind('.')))) {
    log_.warning("there is no Python {}: the model's environment is made with Python {} ({})", python_version,
                 interpreter.version, interpreter.executable.string());
  }
  return build(interpreter, requirements, working_dir, target);
}

Result<fs::path> Environments::build(const Interpreter& interpreter, const std::vector<std::string>& requirements,
                                     const fs::path& working_dir, const fs::path& target) {
  const auto began = std::chrono::steady_clock::now();
  const fs::path temporary = options_.folder / fmt::format("{}{}", kTemporaryPrefix, target.filename().string());
  // What an interrupted build left; nobody else is here while the lock is held.
  WEIR_TRY(io::remove_tree(temporary));
  WEIR_TRY(io::remove_tree(target));
  if (auto installed = install(interpreter, requirements, working_dir, temporary); !installed) {
    [[maybe_unused]] const auto removed = io::remove_tree(temporary);
    return std::unexpected(
        Error{installed.error().code, "cannot make the model's Python environment: " + installed.error().message});
  }
  const json::object record{{"format", kFormat},
                            {"interpreter", interpreter.executable.string()},
                            {"python", interpreter.version},
                            {"requirements", json::value_from(requirements)}};
  WEIR_TRY(rename_in_scripts(temporary, target));
  WEIR_TRY(io::write_file_atomic(temporary / kRecord, pretty_json(record)));
  WEIR_TRY(sync_file_system(temporary));
  std::error_code error;
  fs::rename(temporary, target, error);
  if (error) return fail_errno(error.value(), fmt::format("cannot move an environment to {}", target.string()));
  WEIR_TRY(io::sync_path(options_.folder));
  const auto took = std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now() - began);
  log_.info("made the Python environment {} for {} requirements in {}", target.filename().string(), requirements.size(),
            format_duration(took));
  return python_of(target);
}

Result<void> Environments::run(std::vector<std::string> argv, const fs::path& working_dir,
                               std::map<std::string, std::string> env, const fs::path& output) {
  const std::string command = fmt::format("{}", fmt::join(argv, " "));
  const int fd = ::open(output.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return fail_errno(errno, fmt::format("cannot write {}", output.string()));
  auto process = io::Process::start(
      {.argv = std::move(argv), .working_dir = working_dir, .env = std::move(env), .stdout_fd = fd, .stderr_fd = fd});
  ::close(fd);
  if (!process) return std::unexpected(process.error());
  const auto deadline = std::chrono::steady_clock::now() + options_.build_limit;
  for (;;) {
    if (const auto status = process->wait(kPoll)) {
      if (status->code == 0) return {};
      return fail(Code::kFailedPrecondition, "`{}` ended with {}: {}", command.substr(0, 200), status->code,
                  tail_of(output));
    }
    const bool late = std::chrono::steady_clock::now() > deadline;
    if (!late && !cancelled_) continue;
    process->kill_group(SIGKILL);
    process->wait();
    if (!late) return fail(Code::kCancelled, "the server stops");
    return fail(Code::kDeadlineExceeded, "`{}` did not end within {}: {}", command.substr(0, 200),
                format_duration(options_.build_limit), tail_of(output));
  }
}

Result<void> Environments::install(const Interpreter& interpreter, const std::vector<std::string>& requirements,
                                   const fs::path& working_dir, const fs::path& temporary) {
  const fs::path list = options_.folder / (temporary.filename().string() + ".txt");
  const fs::path output = options_.folder / (temporary.filename().string() + ".log");
  WEIR_TRY(io::write_file_atomic(list, fmt::format("{}\n", fmt::join(requirements, "\n"))));
  const auto installer = [&](std::vector<std::string> argv) {
    return run(std::move(argv), working_dir, installer_environment(), output);
  };
  const auto all = [&]() -> Result<void> {
    const std::string python = python_of(temporary).string();
    if (options_.uv.empty()) {
      WEIR_TRY(installer({interpreter.executable.string(), "-I", "-m", "venv", temporary.string()}));
      WEIR_TRY(installer({python, "-I", "-m", "pip", "install", "--quiet", "-r", list.string()}));
    } else {
      const std::string uv = options_.uv.string();
      WEIR_TRY(installer(
          {uv, "venv", "--quiet", "--no-project", "--python", interpreter.executable.string(), temporary.string()}));
      WEIR_TRY(installer({uv, "pip", "install", "--quiet", "--python", python, "-r", list.string()}));
    }
    // This one runs the model's own code: without what installers may know.
    return run({python, "-I", "-c", std::string(kCheck), working_dir.string()}, working_dir, clean_environment(),
               output);
  };
  const auto result = all();
  std::error_code ignored;
  fs::remove(list, ignored);
  fs::remove(output, ignored);
  return result;
}

}  // namespace weir::serve
