#include "runner/checkout.h"

#include "io/checkout_cache.h"
#include "io/file.h"
#include "io/git.h"
#include "runner/reads.h"

namespace weir::runner {
namespace {

namespace fs = std::filesystem;

// A pushed repository is reached over HTTP, so that the server sees what is pushed, under its name: actions read owner
// and repository from there. What stands for a user's own one (`weir run`) is reached by its path.
std::string origin_url(const types::JobSpec& spec) {
  const fs::path name = fs::path(spec.git_dir).filename();
  if (name.extension() != ".git" || name == ".git") return spec.git_dir;
  if (spec.server_owner.empty()) return fmt::format("{}/git/{}", spec.server_url, name.string());
  return fmt::format("{}/{}/{}", spec.server_url, spec.server_owner, name.stem().string());
}

// A path asks nobody for a token: pushes of a job that may not are refused where git would start the other side.
constexpr std::string_view kRefusePushes =
    "\treceivepack = \"echo 'the job may not push: its permissions have no contents: write' >&2; false\"\n";

}  // namespace

std::optional<fs::path> users_git_dir(const fs::path& git_dir) {
  const auto text = io::read_file(git_dir / kSourceFile, 4'096);
  if (!text) return std::nullopt;
  return text->substr(0, text->find('\n'));
}

Result<void> check_out(const types::JobSpec& spec, const fs::path& folder, const CheckoutTarget& target, bool all_refs,
                       const SparseCheckout& sparse) {
  const io::Git git(spec.git_dir);
  io::GitCheckout checkout{.sha = target.sha,
                           .ref = target.ref,
                           .refs = {},
                           .config = {},
                           .sparse = sparse.patterns,
                           .sparse_cone = sparse.cone};
  auto& refs = checkout.refs;
  if (all_refs) {
    for (const auto& [name, sha] : WEIR_TRY(git.refs())) {
      if (name.starts_with("refs/heads/")) refs["refs/remotes/origin/" + name.substr(11)] = sha;
      if (name.starts_with("refs/tags/")) refs[name] = sha;
    }
  }
  checkout.config =
      fmt::format("[remote \"origin\"]\n\turl = {}\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n", origin_url(spec));
  if (!spec.may_push && origin_url(spec) == spec.git_dir) checkout.config += kRefusePushes;
  if (!target.ref.empty()) refs.try_emplace(target.ref, target.sha);
  if (target.ref.starts_with("refs/heads/")) {
    const std::string branch = target.ref.substr(11);
    refs["refs/remotes/origin/" + branch] = target.sha;
    checkout.config += fmt::format("[branch \"{}\"]\n\tremote = origin\n\tmerge = {}\n", branch, target.ref);
  }
  WEIR_TRY(git.checkout_to(folder, checkout, io::CheckoutCache(spec.checkouts_dir)));
  mark_unread(folder, target.sha);
  return {};
}

std::map<std::string, std::string> git_credentials(const types::JobSpec& spec, std::string_view token) {
  if (token.empty()) return {};
  return {{"GIT_CONFIG_COUNT", "1"},
          {"GIT_CONFIG_KEY_0", fmt::format("http.{}/.extraheader", spec.server_url)},
          {"GIT_CONFIG_VALUE_0", fmt::format("Authorization: Bearer {}", token)}};
}

}  // namespace weir::runner
