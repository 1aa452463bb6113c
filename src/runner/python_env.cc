#include "runner/python_env.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>

#include "base/hash.h"
#include "base/json.h"
#include "io/file.h"
#include "io/process.h"

namespace weir::runner {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPathFile = "_weir_layers.pth";
constexpr std::string_view kHookFile = "_weir_base.py";
constexpr std::string_view kSpareFolder = "spare";
constexpr std::size_t kSparesMax = 16;
constexpr std::string_view kLayerFile = "weir-layer.json";

// Starts the python that lies beside the name by which the script was called; the second and third line are a string
// to Python. No dirname(1): a console script should not cost a process more.
constexpr std::string_view kScriptStart = "#!/bin/sh\n'''exec' \"${0%/*}/python\" \"$0\" \"$@\"\n' '''\n";

// Waits for the first import of pip or setuptools, makes the base layer then, and gets out of the way.
constexpr std::string_view kHook = R"(# Makes the layer with pip when it is first wanted.
import sys


class BaseLayer:
    def find_spec(self, name, path=None, target=None):
        if name not in ("pip", "setuptools", "pkg_resources", "wheel"):
            return None
        sys.meta_path.remove(self)
        import fcntl, importlib.machinery, os, shutil, site, subprocess
        with open(BASE + ".lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not os.path.isdir(BASE):
                print("weir: preparing pip for Python %d.%d, once" % sys.version_info[:2], file=sys.stderr, flush=True)
                shutil.rmtree(BASE + ".new", ignore_errors=True)
                made = subprocess.run([PYTHON, "-I", "-m", "venv", BASE + ".new"], stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True)
                if made.returncode != 0:
                    print("weir: there is no pip for %s: %s" % (PYTHON, made.stdout.strip()), file=sys.stderr)
                    print("weir: install the package python3-venv, or name another version with actions/setup-python",
                          file=sys.stderr, flush=True)
                    return None
                os.rename(BASE + ".new", BASE)
        site.addsitedir(SITE)
        return importlib.machinery.PathFinder.find_spec(name, path, target)


sys.meta_path.append(BaseLayer())
)";

// No sync: an environment need not survive a power cut, its job does not either.
Result<void> put(const fs::path& path, std::string_view text, mode_t mode = 0644) {
  ::unlink(path.c_str());  // never write through a link into a layer
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
  if (fd < 0) return fail_errno(errno, fmt::format("cannot make {}", path.string()));
  const ssize_t written = ::write(fd, text.data(), text.size());
  ::close(fd);
  if (written == static_cast<ssize_t>(text.size())) return {};
  return fail(Code::kResourceExhausted, "cannot write {}: no room left", path.string());
}

Result<void> make_dir(const fs::path& path) {
  if (::mkdir(path.c_str(), 0755) == 0 || errno == EEXIST) return {};
  return fail_errno(errno, fmt::format("cannot make the folder {}", path.string()));
}

void link_over(const std::string& target, const fs::path& path) {
  ::unlink(path.c_str());
  [[maybe_unused]] const int status = ::symlink(target.c_str(), path.c_str());
}

// Tells files apart by what identifies them. FNV-1a: OpenSSL would take longer to start than a job to set up.
std::string short_hash(std::string_view text) {
  std::uint64_t hash = 14'695'981'039'346'656'037U;
  for (const char c : text) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 1'099'511'628'211U;
  }
  return fmt::format("{:016x}", hash);
}

std::string python_literal(std::string_view text) {
  // A JSON string is a Python string too.
  return json::serialize(json::string_view(text.data(), text.size()));
}

std::string pip_script() {
  return fmt::format("{}import sys\nfrom pip._internal.cli.main import main\nsys.exit(main())\n", kScriptStart);
}

// Tells the interpreter's own programs from those that packages brought.
bool is_interpreter_name(std::string_view name) {
  return name.starts_with("python") || name.starts_with("activate") || name.starts_with("Activate");
}

// The text of a console script made to start the python beside it; nothing if `text` is no script of a Python in
// `folder` ("" : of any virtual environment's).
std::optional<std::string> relocatable(std::string_view text, std::string_view folder) {
  const auto end = text.find('\n');
  if (!text.starts_with("#!") || end == std::string_view::npos) return std::nullopt;
  std::string_view first = text.substr(2, end - 2);
  std::size_t body = end + 1;
  // A long or blank-holding path makes installers write the same trick that kScriptStart uses.
  if (first == "/bin/sh" && text.substr(body).starts_with("'''exec' ")) {
    const auto second = text.find('\n', body);
    const auto third = second == std::string_view::npos ? second : text.find('\n', second + 1);
    if (third == std::string_view::npos) return std::nullopt;
    first = text.substr(body, second - body);
    body = third + 1;
  }
  const bool ours = folder.empty() ? first.find("python") != std::string_view::npos
                                   : first.find(fmt::format("{}/bin/python", folder)) != std::string_view::npos;
  if (!ours) return std::nullopt;
  return std::string(kScriptStart) + std::string(text.substr(body));
}

// Rewrites the scripts of `bin` that start `folder`'s python ("" : any).
void make_scripts_relocatable(const fs::path& bin, std::string_view folder) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(bin, error)) {
    if (entry.is_symlink(error) || !entry.is_regular_file(error)) continue;
    if (is_interpreter_name(entry.path().filename().string())) continue;
    if (entry.file_size(error) > (1U << 20)) continue;  // a program, not a script
    const auto text = io::read_file(entry.path());
    if (!text) continue;
    if (const auto changed = relocatable(*text, folder)) {
      [[maybe_unused]] const auto written = put(entry.path(), *changed, 0755);
    }
  }
}

// Names of distributions in `site` that were installed as editable, and the files that make them so.
void remove_editable(const fs::path& site, std::vector<std::string>& names) {
  std::error_code error;
  std::vector<fs::path> doomed;
  for (const auto& entry : fs::directory_iterator(site, error)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("__editable__") || name.ends_with(".egg-link") || name == "easy-install.pth") {
      doomed.push_back(entry.path());
    }
    if (!name.ends_with(".dist-info")) continue;
    const auto origin = io::read_file(entry.path() / "direct_url.json", 1U << 20);
    if (!origin) continue;
    const auto value = parse_json(*origin, "direct_url.json");
    const auto* folder = value ? json_find(*value, "dir_info") : nullptr;
    if (folder == nullptr || !json_bool_or(*folder, "editable", false)) continue;
    names.push_back(name.substr(0, name.find('-')));
    doomed.push_back(entry.path());
    // Other build tools than setuptools name the path file after the project.
    doomed.push_back(site / ("_" + names.back() + ".pth"));
    doomed.push_back(site / (names.back() + ".pth"));
  }
  for (const auto& path : doomed) [[maybe_unused]]
    const auto removed = io::remove_tree(path);
}

}  // namespace

fs::path PythonEnv::library_dir(const fs::path& prefix) const {
  return prefix / "lib" / ("python" + minor_version(spec_.interpreter.version)) / "site-packages";
}

fs::path PythonEnv::site_packages() const {
  return library_dir(spec_.folder);
}

fs::path PythonEnv::base_dir() const {
  struct stat info{};
  ::stat(spec_.interpreter.executable.c_str(), &info);
  const std::string identity =
      fmt::format("{}|{}|{}", spec_.interpreter.executable.string(), info.st_mtim.tv_sec, info.st_size);
  return spec_.envs_dir / ("base-" + short_hash(identity));
}

Result<PythonEnv> PythonEnv::create(PythonEnvSpec spec) {
  PythonEnv env(std::move(spec));
  std::error_code error;
  const fs::path& folder = env.spec_.folder;
  if (fs::exists(fs::symlink_status(folder, error))) WEIR_TRY(io::remove_tree(folder));
  const auto files = WEIR_TRY(env.own_files());
  if (env.take_spare(files)) return env;
  WEIR_TRY(make_dir(folder));
  WEIR_TRY(env.write(files));
  return env;
}

Result<PythonEnv> PythonEnv::adopt(PythonEnvSpec spec) {
  PythonEnv env(std::move(spec));
  WEIR_TRY(env.refresh());
  return env;
}

Result<void> PythonEnv::refresh() {
  make_scripts_relocatable(bin(), "");
  WEIR_TRY(make_dir(spec_.folder));
  return write(WEIR_TRY(own_files()));
}

Result<std::vector<PythonEnv::OwnFile>> PythonEnv::own_files() const {
  using Kind = OwnFile::Kind;
  const std::string minor = minor_version(spec_.interpreter.version);
  const fs::path site = library_dir("");
  const fs::path base = base_dir();
  std::vector<OwnFile> files;
  for (const auto& folder : {fs::path("bin"), fs::path("lib"), site.parent_path(), site}) {
    files.push_back({Kind::kFolder, folder, {}});
  }
  files.push_back({Kind::kLink, "bin/python", spec_.interpreter.executable.string()});
  files.push_back({Kind::kLink, "bin/python3", "python"});
  files.push_back({Kind::kLink, "bin/python" + minor, "python"});
  files.push_back({Kind::kFile, "pyvenv.cfg",
                   fmt::format("home = {}\ninclude-system-site-packages = {}\nversion = {}\n",
                               spec_.interpreter.executable.parent_path().string(), spec_.system_packages,
                               to_string(spec_.interpreter.version))});

  std::string lines;
  const auto add_layer = [&](const fs::path& layer_site) {
    // addsitedir() instead of a bare path: it also reads the layer's own .pth files.
    lines += fmt::format("import site; site.addsitedir({})\n", python_literal(layer_site.string()));
  };
  for (const auto& layer : spec_.layers) add_layer(library_dir(layer));
  if (!spec_.interpreter.virtual_env.empty()) add_layer(library_dir(spec_.interpreter.virtual_env));
  if (::access(base.c_str(), F_OK) == 0) {
    add_layer(library_dir(base));
  } else {
    // Beside the layer to be, so that jobs without pip need not write it again and again.
    lines += fmt::format("{}\nimport _weir_base\n", WEIR_TRY(hook_folder(base)).string());
  }
  files.push_back({Kind::kFile, site / kPathFile, lines});
  files.push_back({Kind::kProgram, "bin/pip", pip_script()});
  files.push_back({Kind::kLink, "bin/pip3", "pip"});
  files.push_back({Kind::kLink, "bin/pip" + minor, "pip"});
  WEIR_TRY(add_layer_scripts(files));
  return files;
}

Result<void> PythonEnv::write(const std::vector<OwnFile>& files) const {
  for (const auto& file : files) {
    const fs::path path = spec_.folder / file.path;
    switch (file.kind) {
      case OwnFile::Kind::kFolder: WEIR_TRY(make_dir(path)); break;
      case OwnFile::Kind::kFile: WEIR_TRY(put(path, file.text)); break;
      case OwnFile::Kind::kProgram: WEIR_TRY(put(path, file.text, 0755)); break;
      case OwnFile::Kind::kLink: link_over(file.text, path); break;
      case OwnFile::Kind::kScriptLink:
        // What is there already is nearer.
        [[maybe_unused]] const int status = ::symlink(file.text.c_str(), path.c_str());
        break;
    }
  }
  return {};
}

bool PythonEnv::holds_just(const std::vector<OwnFile>& files) const {
  std::error_code error;
  std::size_t found = 0;
  auto entry = fs::recursive_directory_iterator(spec_.folder, error);
  for (; !error && entry != fs::end(entry) && found <= files.size(); entry.increment(error)) ++found;
  if (error || found != files.size()) return false;
  return std::ranges::all_of(files, [&](const OwnFile& file) {
    const fs::path path = spec_.folder / file.path;
    switch (file.kind) {
      case OwnFile::Kind::kFolder: return true;  // or its contents would not be there
      case OwnFile::Kind::kFile:
      case OwnFile::Kind::kProgram: return io::read_file(path, 1U << 20).value_or("") == file.text;
      case OwnFile::Kind::kLink:
      case OwnFile::Kind::kScriptLink: return fs::read_symlink(path, error) == file.text;
    }
    return false;
  });
}

// <envs_dir>/spare/<hash of what is in it>.<job's folder>
std::string PythonEnv::spare_prefix(const std::vector<OwnFile>& files) {
  std::string all;
  for (const auto& file : files) all += fmt::format("{}\n{}\n", file.path.string(), file.text);
  return short_hash(all) + ".";
}

bool PythonEnv::take_spare(const std::vector<OwnFile>& files) const {
  const std::string prefix = spare_prefix(files);
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(spec_.envs_dir / kSpareFolder, error)) {
    if (!entry.path().filename().string().starts_with(prefix)) continue;
    // Another job may have been faster.
    if (::rename(entry.path().c_str(), spec_.folder.c_str()) != 0) continue;
    if (holds_just(files)) return true;
    [[maybe_unused]] const auto removed = io::remove_tree(spec_.folder);
  }
  return false;
}

void PythonEnv::retire() const {
  const auto files = own_files();
  if (!files) return;
  const fs::path folder = spec_.envs_dir / kSpareFolder;
  if (::access(folder.c_str(), F_OK) != 0 && !io::make_dirs(folder)) return;
  // Those that nobody takes any more go first.
  std::error_code error;
  std::vector<std::pair<fs::file_time_type, fs::path>> spare;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    spare.emplace_back(entry.last_write_time(error), entry.path());
  }
  if (spare.size() >= kSparesMax) {
    [[maybe_unused]] const auto removed = io::remove_tree(std::ranges::min_element(spare)->second);
  }
  const auto name = spare_prefix(*files) + spec_.folder.parent_path().filename().string();
  [[maybe_unused]] const int status = ::rename(spec_.folder.c_str(), (folder / name).c_str());
}

Result<fs::path> PythonEnv::hook_folder(const fs::path& base) const {
  const fs::path folder = base.string() + "-hook";
  if (::access((folder / kHookFile).c_str(), F_OK) == 0) return folder;
  WEIR_TRY(io::make_dirs(folder));
  const fs::path fresh = folder / (random_hex(4) + ".new");
  WEIR_TRY(put(fresh, fmt::format("BASE = {}\nSITE = {}\nPYTHON = {}\n{}", python_literal(base.string()),
                                  python_literal(library_dir(base).string()),
                                  python_literal(spec_.interpreter.executable.string()), kHook)));
  if (::rename(fresh.c_str(), (folder / kHookFile).c_str()) == 0) return folder;
  return fail_errno(errno, fmt::format("cannot make {}", (folder / kHookFile).string()));
}

Result<void> PythonEnv::add_layer_scripts(std::vector<OwnFile>& files) const {
  std::vector<fs::path> folders;
  for (const auto& layer : spec_.layers) folders.push_back(layer / "bin");
  if (!spec_.interpreter.virtual_env.empty()) folders.push_back(WEIR_TRY(scripts_of_outer_env()));
  std::set<std::string> names{"pip", "pip3", "pip" + minor_version(spec_.interpreter.version)};
  for (const auto& folder : folders) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
      const std::string name = entry.path().filename().string();
      if (is_interpreter_name(name) || !names.insert(name).second) continue;
      files.push_back({OwnFile::Kind::kScriptLink, "bin/" + name, entry.path().string()});
    }
  }
  return {};
}

Result<fs::path> PythonEnv::scripts_of_outer_env() const {
  const fs::path outer = spec_.interpreter.virtual_env / "bin";
  struct stat info{};
  if (::stat(outer.c_str(), &info) != 0) return outer;
  const std::string identity = fmt::format("{}|{}.{}", outer.string(), info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
  const fs::path folder = spec_.envs_dir / ("scripts-" + short_hash(identity));
  std::error_code error;
  if (fs::exists(folder, error)) return folder;
  // Made aside and renamed: another job may be doing the same.
  const fs::path fresh = folder.string() + "." + random_hex(4);
  WEIR_TRY(io::make_dirs(fresh));
  for (const auto& entry : fs::directory_iterator(outer, error)) {
    const std::string name = entry.path().filename().string();
    if (is_interpreter_name(name) || !entry.is_regular_file(error)) continue;
    const auto text = entry.file_size(error) <= (1U << 20) ? io::read_file(entry.path()) : Result<std::string>("");
    const auto changed = text ? relocatable(*text, "") : std::nullopt;
    if (changed) {
      WEIR_TRY(put(fresh / name, *changed, 0755));
    } else {
      link_over(entry.path().string(), fresh / name);
    }
  }
  fs::rename(fresh, folder, error);
  if (error) [[maybe_unused]]
    const auto removed = io::remove_tree(fresh);
  return folder;
}

bool PythonEnv::is_own_file(const fs::path& path) const {
  const std::string name = path.filename().string();
  const fs::path folder = path.parent_path();
  if (folder == spec_.folder) return name == "pyvenv.cfg";
  if (folder == site_packages()) return name == kPathFile;
  if (folder != bin()) return false;
  if (is_interpreter_name(name) || fs::is_symlink(path)) return true;
  if (name != "pip") return false;
  const auto text = io::read_file(path, 1U << 20);
  return text && *text == pip_script();  // not one that an upgrade of pip put there
}

Result<void> PythonEnv::make_base(const std::map<std::string, std::string>& env) {
  if (::access(base_dir().c_str(), F_OK) == 0) return {};
  io::ProcessOptions options;
  options.argv = {(bin() / "python").string(), "-I", "-c", "import pip"};
  options.env = env;
  options.working_dir = spec_.envs_dir;
  [[maybe_unused]] const auto made = io::run_process(std::move(options));
  return refresh();  // now upon that layer
}

bool PythonEnv::has_packages() const {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(site_packages(), error)) {
    const std::string name = entry.path().filename().string();
    if (name != kPathFile && name != "__pycache__") return true;
  }
  return false;
}

Result<fs::path> PythonEnv::make_layer(std::string_view name, std::vector<std::string>& left_out) {
  const fs::path layer = spec_.envs_dir / "layers" / name;
  remove_editable(site_packages(), left_out);
  std::error_code error;
  std::vector<fs::path> own;
  for (const auto& folder : {spec_.folder, bin(), site_packages()}) {
    for (const auto& entry : fs::directory_iterator(folder, error)) {
      if (is_own_file(entry.path())) own.push_back(entry.path());
    }
  }
  for (const auto& path : own) ::unlink(path.c_str());
  make_scripts_relocatable(bin(), spec_.folder.string());

  json::object info;
  info["version"] = to_string(spec_.interpreter.version);
  info["interpreter"] = spec_.interpreter.executable.string();
  json::array below;
  for (const auto& lower : spec_.layers) below.emplace_back(lower.string());
  info["layers"] = std::move(below);
  WEIR_TRY(put(spec_.folder / kLayerFile, pretty_json(info) + "\n"));

  WEIR_TRY(io::make_dirs(layer.parent_path()));
  WEIR_TRY(io::remove_tree(layer));
  fs::rename(spec_.folder, layer, error);
  if (error == std::errc::cross_device_link) {
    error.clear();
    fs::copy(spec_.folder, layer, fs::copy_options::recursive | fs::copy_options::copy_symlinks, error);
  }
  if (error)
    return fail_errno(error.value(), fmt::format("cannot keep {} as {}", spec_.folder.string(), layer.string()));
  return layer;
}

Result<LayerInfo> read_layer_info(const fs::path& layer) {
  const auto text = WEIR_TRY(io::read_file(layer / kLayerFile, 1U << 20));
  const auto value = WEIR_TRY(parse_json(text, (layer / kLayerFile).string()));
  const auto version = parse_python_version(json_string_or(value, "version", ""));
  if (!version) return fail(Code::kCorrupt, "{} names no version", (layer / kLayerFile).string());
  LayerInfo info{.version = *version, .interpreter = json_string_or(value, "interpreter", ""), .layers = {}};
  if (const auto* below = json_find(value, "layers"); below != nullptr && below->is_array()) {
    for (const auto& lower : below->get_array()) {
      if (lower.is_string()) info.layers.emplace_back(std::string(lower.get_string()));
    }
  }
  return info;
}

std::vector<fs::path> flatten_layers(const std::vector<std::string>& layers, const PythonVersion& version,
                                     std::vector<std::string>& dropped) {
  std::vector<fs::path> flat;
  const auto add = [&](const fs::path& layer) {
    if (std::ranges::find(flat, layer) != flat.end()) return;
    const auto info = read_layer_info(layer);
    if (!info) {
      dropped.push_back(fmt::format("{} is gone", layer.string()));
    } else if (!info->version.same_minor(version)) {
      dropped.push_back(fmt::format("{} is for Python {}", layer.string(), minor_version(info->version)));
    } else {
      flat.push_back(layer);
    }
  };
  // The direct ones first, all of them: what one job needs of another is nearer than what that one was made upon.
  for (const auto& layer : layers) add(layer);
  const std::size_t direct = flat.size();
  for (std::size_t i = 0; i < direct; ++i) {
    const auto info = read_layer_info(flat[i]);
    if (!info) continue;
    for (const auto& lower : info->layers) add(lower);
  }
  return flat;
}

}  // namespace weir::runner
