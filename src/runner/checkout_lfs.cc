#include "runner/checkout_lfs.h"

#include <fcntl.h>

#include <cerrno>

#include "io/descriptor.h"
#include "io/file.h"
#include "io/process.h"
#include "runner/checkout_network.h"
#include "runner/lfs_files.h"
#include "runner/program.h"

namespace weir::runner {
namespace {

namespace fs = std::filesystem;

constexpr auto kPullLimit = std::chrono::hours{6};

bool has_git_lfs(const ActionRequest& request) {
  const auto path = request.env.find("PATH");
  return path != request.env.end() && !find_program("git-lfs", path->second).empty();
}

Result<void> need_git_lfs(const ActionRequest& request, std::string_view whose) {
  if (has_git_lfs(request)) return {};
  return fail(Code::kFailedPrecondition,
              "actions/checkout: `lfs: true` of {} needs the program git-lfs, which is not installed on this machine",
              whose);
}

// Runs git in the checkout, let in where the step is.
Result<void> git(const ActionRequest& request, const fs::path& folder, std::vector<std::string> arguments) {
  io::ProcessOptions options;
  options.argv = {"git", "-C", folder.string()};
  options.argv.insert(options.argv.end(), arguments.begin(), arguments.end());
  options.env = request.env;
  std::erase_if(*options.env, [](const auto& item) { return item.first.starts_with("GIT_CONFIG_"); });
  (*options.env)["GIT_TERMINAL_PROMPT"] = "0";
  for (const auto& [name, value] : checkout_credentials(request)) (*options.env)[name] = value;
  const auto done = WEIR_TRY(io::run_process(std::move(options), {}, kPullLimit));
  if (done.status.code == 0) return {};
  std::string why = done.err.empty() ? done.out : done.err;
  while (why.ends_with('\n')) why.pop_back();
  return fail(Code::kUnavailable, "{}", why.empty() ? "git lfs failed" : why);
}

Result<void> append_config(const fs::path& folder, std::string_view text) {
  const fs::path path = folder / ".git" / "config";
  const io::Descriptor file(::open(path.c_str(), O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC));
  if (!file) return fail_errno(errno, fmt::format("cannot open {}", path.string()));
  return io::write_all(file.get(), text, path.string());
}

}  // namespace

Result<void> bring_lfs_files(const ActionRequest& request, const fs::path& folder) {
  const LfsFiles done = WEIR_TRY(put_lfs_files(folder, request.spec->git_dir));
  for (const auto& message : done.missing) request.reporter->annotate("error", message);
  if (!done.missing.empty()) {
    return fail(Code::kNotFound,
                "{} of the commit's LFS objects are not in {}; whoever has them sends them with `git lfs push --all "
                "origin`",
                done.missing.size(), request.spec->repository);
  }
  if (done.count == 0) return {};
  request.reporter->line(
      fmt::format("Git LFS: {} file{}, {} bytes", done.count, done.count == 1 ? "" : "s", done.size_bytes));
  // In a sandbox nothing is pushed, and no program may run here by what its steps have put into their environment. The
  // files are moved there, which changes a time that git would take for a change of theirs.
  if (request.confinement) return append_config(folder, "[core]\n\ttrustctime = false\n");
  // What steps then do with git is to know of LFS: filters, and the hook that sends objects before a push.
  if (has_git_lfs(request)) return git(request, folder, {"lfs", "install", "--local"});
  request.reporter->line(
      "git-lfs is not installed on this machine: a step that changes and commits these files would "
      "put their whole content into git");
  return {};
}

Result<void> pull_lfs_files(const ActionRequest& request, const fs::path& folder) {
  WEIR_TRY(need_git_lfs(request, "another repository"));
  WEIR_TRY(git(request, folder, {"lfs", "install", "--local"}));
  return git(request, folder, {"lfs", "pull"});
}

Result<void> pull_lfs_of_submodules(const ActionRequest& request, const fs::path& folder, bool recursive) {
  std::error_code error;
  if (!fs::exists(folder / ".gitmodules", error)) return {};
  WEIR_TRY(need_git_lfs(request, "submodules"));
  std::vector<std::string> each{"submodule", "foreach", "--quiet"};
  if (recursive) each.emplace_back("--recursive");
  each.emplace_back("git lfs install --local && git lfs pull");
  return git(request, folder, std::move(each));
}

}  // namespace weir::runner
