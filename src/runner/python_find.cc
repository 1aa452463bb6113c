#include "runner/python_find.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "base/json.h"
#include "io/file.h"
#include "io/process.h"

namespace weir::runner {
namespace {

namespace fs = std::filesystem;

bool is_program(const fs::path& path) {
  struct stat info{};
  return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) && ::access(path.c_str(), X_OK) == 0;
}

// pyenv's shims (and other wrappers) are scripts, an interpreter is not.
bool is_script(const fs::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return true;
  char start[2] = {};
  const ssize_t got = ::read(fd, start, 2);
  ::close(fd);
  return got == 2 && start[0] == '#' && start[1] == '!';
}

std::vector<fs::path> path_folders(std::string_view path) {
  std::vector<fs::path> folders;
  while (!path.empty()) {
    const auto end = path.find(':');
    if (end != 0) folders.emplace_back(path.substr(0, end));
    path.remove_prefix(end == std::string_view::npos ? path.size() : end + 1);
  }
  return folders;
}

// "3.12.4" of ".../versions/3.12.4/bin/python3.12" or ".../cpython-3.12.4-linux-x86_64-gnu/bin/python3.12".
std::optional<PythonVersion> version_of_folder(const fs::path& executable) {
  std::string name = executable.parent_path().parent_path().filename().string();
  if (name == "x64") name = executable.parent_path().parent_path().parent_path().filename().string();
  std::string_view text = name;
  if (text.starts_with("cpython-")) text.remove_prefix(8);
  if (std::ranges::count(text.substr(0, text.find('-')), '.') != 2) return std::nullopt;
  return parse_python_version(text);
}

std::optional<PythonVersion> version_of_name(const fs::path& executable) {
  const std::string name = executable.filename().string();
  if (!name.starts_with("python")) return std::nullopt;
  return parse_python_version(std::string_view(name).substr(6));
}

std::string file_stamp(const fs::path& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return {};
  return fmt::format("{}.{}", info.st_mtim.tv_sec, info.st_size);
}

// Only a memory: what is lost or broken is asked for again.
json::object load_memory(const PythonPlaces& places) {
  const auto text = io::read_file(places.memory_file, 1U << 20);
  if (!text) return {};
  auto value = parse_json(*text, "interpreters");
  return value && value->is_object() ? std::move(value->get_object()) : json::object{};
}

void remember(const PythonPlaces& places, const Interpreter& interpreter) {
  if (places.memory_file.empty()) return;
  json::object memory = load_memory(places);
  memory[interpreter.executable.string()] = {{"stamp", file_stamp(interpreter.executable)},
                                             {"version", to_string(interpreter.version)}};
  if (!io::make_dirs(places.memory_file.parent_path())) return;
  [[maybe_unused]] const auto written = io::write_file_atomic(places.memory_file, json::serialize(memory));
}

std::optional<Interpreter> make_interpreter(const fs::path& found, const PythonPlaces& places) {
  std::error_code error;
  Interpreter interpreter{.executable = fs::canonical(found, error)};
  if (error || !is_program(interpreter.executable) || is_script(interpreter.executable)) return std::nullopt;
  const fs::path prefix = found.parent_path().parent_path();
  if (fs::exists(prefix / "pyvenv.cfg", error)) interpreter.virtual_env = prefix;
  if (const auto version = version_of_folder(interpreter.executable)) {
    interpreter.version = *version;
    interpreter.patch_known = true;
  } else if (const auto named = version_of_name(interpreter.executable)) {
    interpreter.version = *named;
  } else if (!complete_version(interpreter, places)) {
    return std::nullopt;
  }
  if (interpreter.version.major < 3) return std::nullopt;  // has no virtual environments
  return interpreter;
}

// The version that pyenv's shims would start: PYENV_VERSION is not looked at, the job's environment decides there.
std::optional<fs::path> behind_shim(const PythonPlaces& places) {
  const fs::path root = places.pyenv_root.empty() ? places.home / ".pyenv" : places.pyenv_root;
  const auto text = io::read_file(root / "version", 4096);
  if (!text) return std::nullopt;
  std::string_view version = *text;
  version = version.substr(0, version.find_first_of(" \t\r\n"));
  if (version.empty() || version == "system" || version.find('/') != std::string_view::npos) return std::nullopt;
  const fs::path exact = root / "versions" / version / "bin" / "python3";
  if (is_program(exact)) return exact;
  return std::nullopt;
}

void add(std::vector<Interpreter>& all, std::set<fs::path>& seen, const fs::path& found, const PythonPlaces& places) {
  std::error_code error;
  const fs::path real = fs::canonical(found, error);
  if (error || seen.contains(real)) return;
  if (auto interpreter = make_interpreter(found, places)) {
    seen.insert(real);
    all.push_back(*std::move(interpreter));
  }
}

void add_children(std::vector<Interpreter>& all, std::set<fs::path>& seen, const fs::path& folder,
                  std::string_view below, const PythonPlaces& places) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) add(all, seen, entry.path() / below, places);
}

}  // namespace

bool complete_version(Interpreter& interpreter, const PythonPlaces& places) {
  if (interpreter.patch_known) return true;
  const json::value memory = load_memory(places);
  if (const auto* known = json_find(memory, interpreter.executable.string())) {
    const auto version = parse_python_version(json_string_or(*known, "version", ""));
    if (version && json_string_or(*known, "stamp", "") == file_stamp(interpreter.executable)) {
      interpreter.version = *version;
      interpreter.patch_known = true;
      return true;
    }
  }
  io::ProcessOptions options;
  options.argv = {interpreter.executable.string(), "-I", "-S", "-c",
                  "import sys; print('%d.%d.%d' % sys.version_info[:3])"};
  const auto text = io::run_checked(std::move(options), {}, std::chrono::seconds{10});
  const auto version = text ? parse_python_version(*text) : std::nullopt;
  if (!version) return false;
  interpreter.version = *version;
  interpreter.patch_known = true;
  remember(places, interpreter);
  return true;
}

std::optional<Interpreter> default_interpreter(const PythonPlaces& places) {
  for (const auto& folder : path_folders(places.path)) {
    for (const char* name : {"python3", "python"}) {
      const fs::path found = folder / name;
      if (!is_program(found)) continue;
      if (!is_script(found)) {
        if (auto interpreter = make_interpreter(found, places)) return interpreter;
      } else if (folder.filename() == "shims") {
        const auto real = behind_shim(places);
        if (!real) continue;
        if (auto interpreter = make_interpreter(*real, places)) return interpreter;
      }
    }
  }
  return std::nullopt;
}

std::vector<Interpreter> installed_interpreters(const PythonPlaces& places) {
  std::vector<Interpreter> all;
  std::set<fs::path> seen;
  std::error_code error;
  if (!places.tool_dir.empty()) add_children(all, seen, places.tool_dir / "Python", "x64/bin/python3", places);
  auto folders = path_folders(places.path);
  folders.emplace_back("/usr/local/bin");
  folders.emplace_back("/usr/bin");
  for (const auto& folder : folders) {
    for (const char* name : {"python3", "python"}) {
      if (is_program(folder / name) && !is_script(folder / name)) add(all, seen, folder / name, places);
    }
    for (int minor = 7; minor < 30; ++minor) {
      const fs::path found = folder / fmt::format("python3.{}", minor);
      if (is_program(found) && !is_script(found)) add(all, seen, found, places);
    }
  }
  const fs::path pyenv = places.pyenv_root.empty() ? places.home / ".pyenv" : places.pyenv_root;
  add_children(all, seen, pyenv / "versions", "bin/python3", places);
  const fs::path uv = places.uv_dir.empty() ? places.home / ".local/share/uv/python" : places.uv_dir;
  add_children(all, seen, uv, "bin/python3", places);
  return all;
}

std::optional<Interpreter> find_interpreter(std::vector<Interpreter> all, const PythonRange& range,
                                            const PythonPlaces& places) {
  std::optional<Interpreter> best;
  for (auto& interpreter : all) {
    if (!complete_version(interpreter, places) || !range.contains(interpreter.version)) continue;
    if (!best || interpreter.version > best->version) best = interpreter;
  }
  return best;
}

std::optional<Interpreter> nearest_interpreter(std::vector<Interpreter> all, const PythonRange& range,
                                               const PythonPlaces& places) {
  const PythonVersion wanted = range.anchor();
  const auto distance = [&](const Interpreter& interpreter) {
    const std::int64_t majors = std::abs(std::int64_t{interpreter.version.major} - wanted.major);
    const std::int64_t minors = std::abs(std::int64_t{interpreter.version.minor} - wanted.minor);
    return std::pair{majors, minors};
  };
  std::optional<Interpreter> best;
  for (auto& interpreter : all) {
    if (!complete_version(interpreter, places)) continue;
    const bool nearer = !best || distance(interpreter) < distance(*best) ||
                        (distance(interpreter) == distance(*best) && interpreter.version > best->version);
    if (nearer) best = interpreter;
  }
  return best;
}

}  // namespace weir::runner
