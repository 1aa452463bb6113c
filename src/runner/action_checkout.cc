#include <cerrno>
#include <cstdio>

#include "base/hash.h"
#include "io/file.h"
#include "io/git.h"
#include "runner/action.h"
#include "runner/checkout.h"
#include "runner/checkout_lfs.h"
#include "runner/checkout_network.h"

namespace weir::runner {
namespace {

namespace fs = std::filesystem;

bool is_object_id(std::string_view text) {
  return (text.size() == 40 || text.size() == 64) &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// What to check out: `ref` as a commit, a full ref, a branch, a tag, in that order; without it the run's own commit.
Result<CheckoutTarget> find_target(const io::Git& git, const ActionRequest& request) {
  const std::string ref = request.input("ref");
  if (ref.empty() || ref == request.spec->ref) return CheckoutTarget{request.spec->commit, request.spec->ref};
  if (is_object_id(ref)) return CheckoutTarget{WEIR_TRY(git.resolve(ref + "^{commit}")), ""};
  if (ref.starts_with("refs/")) return CheckoutTarget{WEIR_TRY(git.resolve(ref + "^{commit}")), ref};
  for (const char* folder : {"refs/heads/", "refs/tags/"}) {
    if (auto sha = git.resolve(folder + ref + "^{commit}")) return CheckoutTarget{*std::move(sha), folder + ref};
  }
  return fail(Code::kNotFound, "A branch or tag with the name '{}' could not be found", ref);
}

enum class Submodules : std::uint8_t { kNone, kDirect, kRecursive };

Result<Submodules> submodules_of(const ActionRequest& request) {
  const std::string text = request.input_or("submodules", "false");
  if (equal_ignoring_case(text, "recursive")) return Submodules::kRecursive;
  return equal_ignoring_case(text, "true") ? Submodules::kDirect : Submodules::kNone;
}

Result<void> refuse_unbuilt(const ActionRequest& request) {
  for (const char* key : {"ssh-key", "github-server-url"}) {
    if (request.input(key).empty() || !is_other_repository(request)) continue;
    return fail(Code::kUnimplemented, "actions/checkout: `{}` is not built; clone '{}' in a `run` step", key,
                request.input("repository"));
  }
  if (request.confinement && is_other_repository(request)) {
    return fail(Code::kPermissionDenied,
                "actions/checkout: a job of a foreign pull request has no network, so '{}' cannot be checked out",
                request.input("repository"));
  }
  return {};
}

Result<void> clean_folder(const fs::path& folder) {
  WEIR_TRY(io::make_dirs(folder));
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) WEIR_TRY(io::remove_tree(entry.path()));
  return {};
}

// Steps of a sandbox may have left settings of git's, or links, in the workspace. git works aside therefore; only
// moving what it made there touches theirs, and that is confined.
Result<void> check_out_aside(const ActionRequest& request, const fs::path& folder, const CheckoutTarget& target,
                             bool all_refs, bool lfs, const SparseCheckout& sparse) {
  const fs::path aside = request.staging / random_hex(8);
  WEIR_TRY(io::make_dirs(aside));
  WEIR_TRY(check_out(*request.spec, aside, target, all_refs, sparse));
  if (lfs) WEIR_TRY(bring_lfs_files(request, aside));
  return run_confined(request.confinement, [&]() -> Result<void> {
    WEIR_TRY(clean_folder(folder));
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(aside, error)) {
      const fs::path to = folder / entry.path().filename();
      if (::rename(entry.path().c_str(), to.c_str()) != 0) {
        return fail_errno(errno, fmt::format("cannot make {}", to.string()));
      }
    }
    return {};
  });
}

Result<CheckoutTarget> check_out_own(const ActionRequest& request, const fs::path& folder, bool clean) {
  const io::Git git(request.spec->git_dir);
  CheckoutTarget target = WEIR_TRY(find_target(git, request));
  const bool all_refs =
      request.input_or("fetch-depth", "1") == "0" || WEIR_TRY(request.input_bool("fetch-tags", false));
  const bool lfs = WEIR_TRY(request.input_bool("lfs", false));
  const SparseCheckout sparse = WEIR_TRY(sparse_of(request));
  if (request.confinement) {
    WEIR_TRY(check_out_aside(request, folder, target, all_refs, lfs, sparse));
  } else {
    WEIR_TRY(clean ? clean_folder(folder) : io::make_dirs(folder));
    WEIR_TRY(check_out(*request.spec, folder, target, all_refs, sparse));
    if (lfs) WEIR_TRY(bring_lfs_files(request, folder));
  }
  return target;
}

Result<CheckoutTarget> check_out_there(const ActionRequest& request, const fs::path& folder) {
  WEIR_TRY(clean_folder(folder));
  auto target = WEIR_TRY(check_out_other(request, folder));
  if (WEIR_TRY(request.input_bool("lfs", false))) WEIR_TRY(pull_lfs_files(request, folder));
  return target;
}

Result<void> bring_submodules(const ActionRequest& request, const fs::path& folder) {
  const auto wanted = WEIR_TRY(submodules_of(request));
  if (wanted == Submodules::kNone) return {};
  if (!request.confinement) {
    WEIR_TRY(update_submodules(request, folder, wanted == Submodules::kRecursive));
    if (WEIR_TRY(request.input_bool("lfs", false))) {
      WEIR_TRY(pull_lfs_of_submodules(request, folder, wanted == Submodules::kRecursive));
    }
    return {};
  }
  if (!fs::exists(folder / ".gitmodules")) return {};
  return fail(Code::kPermissionDenied,
              "actions/checkout: a job of a foreign pull request has no network, so its submodules cannot be had");
}

Result<ActionResult> run(const ActionRequest& request) {
  WEIR_TRY(refuse_unbuilt(request));
  const fs::path folder = request.input("path").empty()
                              ? request.workspace
                              : WEIR_TRY(io::join_below(request.workspace, request.input("path")));
  const bool other = is_other_repository(request);
  request.reporter->line(
      fmt::format("Syncing repository: {}", other ? request.input("repository") : request.spec->repository));
  const bool clean = WEIR_TRY(request.input_bool("clean", true));
  const auto target = WEIR_TRY(other ? check_out_there(request, folder) : check_out_own(request, folder, clean));
  WEIR_TRY(bring_submodules(request, folder));
  const std::string place = target.ref.empty() ? "detached" : target.ref;
  request.reporter->line(fmt::format("HEAD is now at {} ({})", target.sha, place));

  ActionResult result;
  result.outputs = {{"ref", target.ref.empty() ? target.sha : target.ref}, {"commit", target.sha}};
  if (!request.confinement && WEIR_TRY(request.input_bool("persist-credentials", true))) {
    result.hidden_env = checkout_credentials(request);
  }
  return result;
}

}  // namespace

BuiltinAction checkout_action() {
  return {"actions/checkout",
          {"repository",
           "ref",
           "token",
           "ssh-key",
           "ssh-known-hosts",
           "ssh-strict",
           "ssh-user",
           "persist-credentials",
           "path",
           "clean",
           "filter",
           "sparse-checkout",
           "sparse-checkout-cone-mode",
           "fetch-depth",
           "fetch-tags",
           "show-progress",
           "lfs",
           "submodules",
           "set-safe-directory",
           "github-server-url",
           "allow-unsafe-pr-checkout"},
          run};
}

}  // namespace weir::runner
