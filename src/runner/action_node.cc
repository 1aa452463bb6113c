#include <sys/stat.h>

#include <algorithm>

#include "base/json.h"
#include "io/file.h"
#include "runner/action.h"
#include "runner/node_find.h"

namespace weir::runner {
namespace {

namespace fs = std::filesystem;

// Maintained for long when this was written; the names that nvm gives to such versions.
struct Codename {
  std::string_view name;
  int major;
};
constexpr Codename kCodenames[] = {{"gallium", 16}, {"hydrogen", 18}, {"iron", 20}, {"jod", 22}, {"krypton", 24}};
constexpr int kNewestLongTerm = 24;

NodePlaces places_of(const ActionRequest& request) {
  const auto path = request.env.find("PATH");
  return {.path = path == request.env.end() ? std::string() : path->second,
          .tool_dir = request.spec->tool_dir,
          .env = request.env};
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n\"'";
  while (!text.empty() && kBlank.contains(text.front())) text.remove_prefix(1);
  while (!text.empty() && kBlank.contains(text.back())) text.remove_suffix(1);
  return text;
}

// The version that a file asks for: .nvmrc, .node-version, .tool-versions, package.json.
Result<std::string> version_of_file(const ActionRequest& request, const std::string& name) {
  const auto text = run_confined(request.confinement, [&] { return io::read_file(request.resolve(name), 1U << 20); });
  if (!text) return fail(Code::kNotFound, "The specified node version file at: {} does not exist", name);
  if (fs::path(name).filename() == "package.json") {
    const auto value = WEIR_TRY(parse_json(*text, name));
    for (const char* member : {"volta", "engines"}) {
      const auto* inner = json_find(value, member);
      if (inner == nullptr) continue;
      if (auto version = json_string_or(*inner, "node", ""); !version.empty()) return version;
    }
    return fail(Code::kInvalidArgument, "{} names no version of node (engines.node)", name);
  }
  std::string_view rest = *text;
  while (!rest.empty()) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    line = trim(line.substr(0, line.find('#')));
    for (const std::string_view tool : {"nodejs", "node"}) {
      if (line.starts_with(tool) && line.size() > tool.size() &&
          (line[tool.size()] == ' ' || line[tool.size()] == '\t'))
        return std::string(trim(line.substr(tool.size())));
    }
    if (!line.empty() && fs::path(name).filename() != ".tool-versions") return std::string(line);
  }
  return fail(Code::kInvalidArgument, "{} names no version of node", name);
}

// The range behind the names that nvm knows.
Result<std::string> range_text(std::string_view wanted) {
  wanted = trim(wanted);
  if (wanted.starts_with('v')) wanted.remove_prefix(1);
  if (wanted == "latest" || wanted == "node" || wanted == "current") return ">=" + std::to_string(kNewestLongTerm);
  if (!wanted.starts_with("lts/") && !wanted.starts_with("lts-")) return std::string(wanted);
  const std::string_view name = wanted.substr(4);
  if (name == "*" || name.empty()) return std::to_string(kNewestLongTerm) + ".x";
  for (const auto& codename : kCodenames) {
    if (equal_ignoring_case(name, codename.name)) return std::to_string(codename.major) + ".x";
  }
  return fail(Code::kInvalidArgument, "Unable to find LTS release '{}' for Node version '{}'", name, wanted);
}

// A registry that packages come from or go to: a file of its own, which the environment names.
Result<void> set_registry(const ActionRequest& request, ActionResult& result) {
  std::string url = request.input("registry-url");
  if (url.empty()) return {};
  if (!url.ends_with('/')) url += '/';
  const auto host = url.find("//");
  if (host == std::string::npos) return fail(Code::kInvalidArgument, "registry-url is no address: {}", url);
  std::string scope = request.input("scope");
  if (scope.empty() && url.find("npm.pkg.github.com") != std::string::npos) {
    scope = request.spec->repository.substr(0, request.spec->repository.find('/'));
  }
  if (!scope.empty() && !scope.starts_with('@')) scope.insert(0, "@");
  std::string text = fmt::format("{}:_authToken=${{NODE_AUTH_TOKEN}}\n", url.substr(host));
  text += scope.empty() ? fmt::format("registry={}\n", url) : fmt::format("{}:registry={}\n", scope, url);
  const fs::path file = request.temp_dir / ".npmrc";
  WEIR_TRY(run_confined(request.confinement, [&] { return io::write_file_atomic(file, text, 0600); }));
  result.env["NPM_CONFIG_USERCONFIG"] = file.string();
  if (!request.env.contains("NODE_AUTH_TOKEN")) result.env["NODE_AUTH_TOKEN"] = "XXXXX-XXXXX-XXXXX-XXXXX";
  return {};
}

Result<NodeProgram> choose(const ActionRequest& request, const std::string& wanted) {
  const PythonRange range = WEIR_TRY(PythonRange::parse(WEIR_TRY(range_text(wanted))));
  const NodePlaces places = places_of(request);
  const auto fits = [&range](const NodeVersion& version) { return range.contains(version); };
  if (auto found = find_node(places, fits)) return *std::move(found);
  const int major = range.anchor().major;
  auto got = provide_node(places, major, *request.stop, *request.reporter);
  if (!got && got.error().code == Code::kCancelled) return got;
  if (auto found = find_node(places, fits)) return *std::move(found);
  auto nearest = find_node(places, [major](const NodeVersion& version) { return version.major == major; });
  if (!nearest) nearest = find_node(places, [](const NodeVersion&) { return true; });
  if (!nearest) return got;
  request.reporter->annotate("warning",
                             fmt::format("Node '{}' is not installed on this machine; {} ({}) is used instead", wanted,
                                         to_string(nearest->version), nearest->executable.string()));
  return *std::move(nearest);
}

Result<ActionResult> set_up(const ActionRequest& request) {
  std::string wanted = request.input("node-version");
  if (const auto file = request.input("node-version-file"); !file.empty()) {
    if (wanted.empty()) {
      wanted = WEIR_TRY(version_of_file(request, file));
    } else {
      request.reporter->annotate("warning",
                                 "Both node-version and node-version-file inputs are specified, only node-version will "
                                 "be used");
    }
  }
  ActionResult result;
  const NodePlaces places = places_of(request);
  std::optional<NodeProgram> node;
  if (wanted.empty()) {
    node = find_node(places, [](const NodeVersion&) { return true; });
    if (!node) node = WEIR_TRY(provide_node(places, kNewestLongTerm, *request.stop, *request.reporter));
  } else {
    node = WEIR_TRY(choose(request, wanted));
  }
  request.reporter->line(fmt::format("node {}: {}", to_string(node->version), node->executable.string()));
  result.paths.push_back(node->executable.parent_path().string());
  result.outputs.emplace_back("node-version", "v" + to_string(node->version));
  if (const auto cache = request.input("cache"); !cache.empty()) {
    if (cache != "npm" && cache != "yarn" && cache != "pnpm") {
      return fail(Code::kInvalidArgument, "Caching for '{}' is not supported", cache);
    }
    request.reporter->line(fmt::format("Jobs share the machine's {} cache: nothing to restore", cache));
    result.outputs.emplace_back("cache-hit", "true");
  }
  WEIR_TRY(set_registry(request, result));
  return result;
}

}  // namespace

BuiltinAction setup_node_action() {
  return {"actions/setup-node",
          {"node-version", "node-version-file", "architecture", "check-latest", "registry-url", "scope", "token",
           "cache", "package-manager-cache", "cache-dependency-path", "always-auth", "mirror", "mirror-token"},
          set_up};
}

}  // namespace weir::runner
