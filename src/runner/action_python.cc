#include <sys/stat.h>

#include "base/hash.h"
#include "io/file.h"
#include "io/process.h"
#include "runner/action.h"

namespace weir::runner {
namespace {

namespace fs = std::filesystem;

constexpr auto kUvLimit = std::chrono::minutes{5};
constexpr auto kUvPause = std::chrono::hours{1};

PythonPlaces places_of(const ActionRequest& request) {
  const auto value = [&](const char* name) {
    const auto found = request.env.find(name);
    return found == request.env.end() ? std::string() : found->second;
  };
  // The job's own environment is not one of the machine's interpreters.
  std::string path = value("PATH") + ":";
  const std::string own = (request.job_dir / "venv" / "bin").string() + ":";
  if (const auto at = path.find(own); at != std::string::npos) path.erase(at, own.size());
  return {.path = path,
          .home = value("HOME"),
          .tool_dir = request.spec->tool_dir,
          .pyenv_root = value("PYENV_ROOT"),
          .uv_dir = value("UV_PYTHON_INSTALL_DIR"),
          .memory_file = fs::path(request.spec->envs_dir) / "interpreters.json"};
}

// The versions that were asked for: `python-version` (several lines make the last one the default), else a file.
Result<std::vector<std::string>> wanted_versions(const ActionRequest& request) {
  auto versions = request.input_lines("python-version");
  const std::string file = request.input("python-version-file");
  if (!versions.empty()) {
    if (!file.empty()) {
      request.reporter->annotate("warning",
                                 "Both python-version and python-version-file inputs are specified, only "
                                 "python-version will be used.");
    }
    return versions;
  }
  const std::string name = file.empty() ? ".python-version" : file;
  auto text = run_confined(request.confinement, [&] { return io::read_file(request.resolve(name), 1U << 20); });
  if (!text && !file.empty()) {
    return fail(Code::kNotFound, "The specified python version file at: {} doesn't exist.", file);
  }
  if (!text) return versions;
  return python_versions_of_file(name, *text);
}

// `uv python install`, where there is a uv. Tried once an hour at most: it needs the network.
bool install_with_uv(const ActionRequest& request, const std::string& wanted, const PythonPlaces& places) {
  const fs::path mark = fs::path(request.spec->envs_dir) / ("uv-failed-" + sha256_hex(wanted).substr(0, 16));
  struct stat info{};
  if (::stat(mark.c_str(), &info) == 0) {
    const auto age = std::chrono::system_clock::now() - std::chrono::system_clock::from_time_t(info.st_mtime);
    if (age < kUvPause) return false;
  }
  io::ProcessOptions options;
  options.argv = {"uv", "python", "install", "--no-progress", wanted};
  options.env = request.env;
  const auto result = io::run_process(std::move(options), {}, kUvLimit);
  if (!result) return false;  // no uv, most likely
  if (result->status.code == 0) {
    request.reporter->line(fmt::format("Python {} was installed with uv", wanted));
    return true;
  }
  request.reporter->line(fmt::format("uv could not install Python {}: {}", wanted, result->err));
  [[maybe_unused]] const auto made = io::make_dirs(places.memory_file.parent_path());
  [[maybe_unused]] const auto written = io::write_file_atomic(mark, wanted);
  return false;
}

Result<Interpreter> find(const ActionRequest& request, const std::string& wanted, const PythonPlaces& places) {
  const PythonRange range = WEIR_TRY(PythonRange::parse(wanted));
  auto all = installed_interpreters(places);
  if (auto found = find_interpreter(all, range, places)) return *std::move(found);
  if (install_with_uv(request, wanted, places)) {
    if (auto found = find_interpreter(installed_interpreters(places), range, places)) return *std::move(found);
  }
  auto nearest = nearest_interpreter(std::move(all), range, places);
  if (!nearest) {
    return fail(Code::kNotFound,
                "The version '{}' was not found: this machine has no Python 3; install python3 and "
                "python3-venv, or uv",
                wanted);
  }
  std::string advice = "install that version (with uv or pyenv), or ask for this one";
  if (wanted == "3.1" || wanted == "3.2")
    advice = fmt::format("YAML reads 3.{}0 as a number: write '3.{}0' in quotes", wanted[2], wanted[2]);
  request.reporter->annotate("warning",
                             fmt::format("Python '{}' is not installed on this machine; {} ({}) is used "
                                         "instead: {}",
                                         wanted, to_string(nearest->version), nearest->executable.string(), advice));
  return *std::move(nearest);
}

Result<ActionResult> set_up_python(const ActionRequest& request) {
  const auto versions = WEIR_TRY(wanted_versions(request));
  const PythonPlaces places = places_of(request);
  std::optional<Interpreter> chosen;
  if (versions.empty()) {
    request.reporter->annotate("warning",
                               "The `python-version` input is not set.  The version of Python currently in "
                               "`PATH` will be used.");
    if (request.python) chosen = request.python->spec().interpreter;
    if (!chosen) chosen = default_interpreter(places);
    if (!chosen) return fail(Code::kNotFound, "there is no Python 3 on PATH; install python3 and python3-venv");
    complete_version(*chosen, places);
  }
  for (const auto& wanted : versions) chosen = WEIR_TRY(find(request, wanted, places));

  const std::string cache = request.input("cache");
  if (!cache.empty() && cache != "pip" && cache != "pipenv" && cache != "poetry") {
    return fail(Code::kInvalidArgument, "Caching for '{}' is not supported", cache);
  }
  if (!cache.empty()) {
    request.reporter->line(fmt::format("Jobs share the machine's {} cache: nothing to restore", cache));
  }
  if (const auto pip = request.input("pip-version"); !pip.empty()) {
    request.reporter->annotate("warning", fmt::format("`pip-version` is not built in: run `python -m pip install "
                                                      "pip=={}` in a step",
                                                      pip));
  }
  request.reporter->line(
      fmt::format("Successfully set up CPython ({}) from {}", to_string(chosen->version), chosen->executable.string()));
  const fs::path location = request.job_dir / "venv";
  const bool update = WEIR_TRY(request.input_bool("update-environment", true));
  ActionResult result;
  result.outputs = {{"python-version", to_string(chosen->version)},
                    {"python-path", update ? (location / "bin" / "python").string() : chosen->executable.string()}};
  if (!cache.empty()) result.outputs.emplace_back("cache-hit", "true");
  if (!update) return result;
  for (const char* name : {"pythonLocation", "Python_ROOT_DIR", "Python2_ROOT_DIR", "Python3_ROOT_DIR"}) {
    result.env[name] = location.string();
  }
  result.env["PKG_CONFIG_PATH"] = (chosen->executable.parent_path().parent_path() / "lib" / "pkgconfig").string();
  result.python = *std::move(chosen);
  return result;
}

}  // namespace

BuiltinAction setup_python_action() {
  return {"actions/setup-python",
          {"python-version", "python-version-file", "cache", "architecture", "check-latest", "token",
           "cache-dependency-path", "update-environment", "allow-prereleases", "freethreaded", "pip-version"},
          set_up_python};
}

}  // namespace weir::runner
