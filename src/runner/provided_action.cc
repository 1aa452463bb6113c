#include "runner/provided_action.h"

#include <algorithm>

#include "base/hash.h"
#include "io/file.h"
#include "io/process.h"
#include "runner/node_find.h"
#include "runner/provided_files.h"
#include "runner/step_work.h"

namespace weir::runner {
namespace {

namespace fs = std::filesystem;

constexpr auto kInstallLimit = std::chrono::minutes{10};
constexpr int kNode = 20;

const std::vector<ProvidedAction>& all_provided() {
  static const std::vector<ProvidedAction> all{
      {"actions/github-script",
       {{"action.yml", provided::kGithubScriptAction}, {"main.js", provided::kGithubScriptMain}},
       {"@actions/core@1", "@actions/github@6", "@actions/exec@1", "@actions/glob@0.5", "@actions/io@1",
        "@octokit/plugin-retry@6", "@octokit/plugin-request-log@4"}},
      {"iterative/setup-cml", {{"action.yml", provided::kSetupCmlAction}, {"helpers.cjs", provided::kCmlHelpers}}, {}},
      {"iterative/setup-dvc", {{"action.yml", provided::kSetupDvcAction}}, {}},
      {"astral-sh/setup-uv",
       {{"action.yml", provided::kSetupUvAction},
        {"setup.sh", provided::kSetupUvScript},
        {"uv.sh", provided::kUvProgram}},
       {}},
  };
  return all;
}

fs::path folder_of(const ProvidedAction& action, const fs::path& tool_dir) {
  std::string identity;
  for (const auto& file : action.files) identity += fmt::format("{}\n{}\n", file.name, file.text);
  for (const auto package : action.npm_packages) identity += fmt::format("{}\n", package);
  std::string name(action.name);
  std::ranges::replace(name, '/', '-');
  return tool_dir / "weir-actions" / fmt::format("{}-{}", name, sha256_hex(identity).substr(0, 12));
}

Result<void> install_packages(const ProvidedAction& action, const NodePlaces& places, const fs::path& folder) {
  auto node = find_node(places, kNode);
  const fs::path tools = node ? node->executable.parent_path() : fs::path();
  io::ProcessOptions options;
  options.argv = {"npm",       "install",          "--silent", "--no-audit",
                  "--no-fund", "--ignore-scripts", "--prefix", folder.string()};
  for (const auto package : action.npm_packages) options.argv.emplace_back(package);
  options.env = places.env;
  if (!tools.empty()) (*options.env)["PATH"] = tools.string() + ":" + places.path;
  options.working_dir = folder;
  auto done = io::run_checked(std::move(options), {}, kInstallLimit);
  if (done) return {};
  std::string packages;
  for (const auto package : action.npm_packages) packages += fmt::format("{}{}", packages.empty() ? "" : ", ", package);
  return fail(done.error().code,
              "{} needs packages of npm ({}), which could not be installed: {}. npm must be on PATH, and its registry "
              "within reach; once they are installed, no registry is needed",
              action.name, packages, done.error().message);
}

Result<void> lay_out(const ProvidedAction& action, const NodePlaces& places, const fs::path& folder,
                     const std::atomic<bool>& stop) {
  return with_lock(fs::path(folder.string() + ".lock"), stop, [&]() -> Result<void> {
    std::error_code error;
    if (fs::is_directory(folder, error)) return {};
    const fs::path temporary = folder.string() + ".new";
    WEIR_TRY(io::remove_tree(temporary));
    WEIR_TRY(io::make_dirs(temporary));
    for (const auto& file : action.files) WEIR_TRY(io::write_file_atomic(temporary / file.name, file.text));
    if (!action.npm_packages.empty()) WEIR_TRY(install_packages(action, places, temporary));
    fs::rename(temporary, folder, error);
    if (error) return fail(Code::kInternal, "cannot keep {}: {}", folder.string(), error.message());
    return {};
  });
}

}  // namespace

const ProvidedAction* find_provided(std::string_view name) {
  const auto& all = all_provided();
  const auto found = std::ranges::find(all, name, &ProvidedAction::name);
  return found == all.end() ? nullptr : &*found;
}

std::vector<std::string_view> provided_names() {
  std::vector<std::string_view> names;
  for (const auto& action : all_provided()) names.push_back(action.name);
  return names;
}

Result<ActionPtr> load_provided(JobState& job, StepState& step, const ProvidedAction& action,
                                const UsesReference& uses) {
  const fs::path folder = folder_of(action, job.spec->tool_dir);
  std::error_code error;
  if (!fs::is_directory(folder, error)) {
    const auto path = job.inherited.find("PATH");
    const NodePlaces places{.path = path == job.inherited.end() ? std::string() : path->second,
                            .tool_dir = job.spec->tool_dir,
                            .env = job.inherited};
    const bool with_node = !action.npm_packages.empty();
    auto done = work_aside<fs::path>(job, step,
                                     [&action, places, folder, with_node](const WorkTools& tools) -> Result<fs::path> {
                                       if (with_node && !find_node(places, kNode)) {
                                         WEIR_TRY(provide_node(places, kNode, *tools.stop, *tools.reporter));
                                       }
                                       WEIR_TRY(lay_out(action, places, folder, *tools.stop));
                                       return folder;
                                     });
    if (!done) return fail(Code::kCancelled, "The operation was canceled.");
    WEIR_TRY(std::move(*done));
  }
  return load_action(uses, folder, action.name);
}

}  // namespace weir::runner
