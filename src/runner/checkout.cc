#include "runner/checkout.h"

#include <fstream>

#include "io/git.h"

namespace weir::runner {
namespace {

namespace fs = std::filesystem;

// A pushed repository is reached over HTTP, so that the server sees what is pushed; a user's own work tree (`weir run`)
// by its path.
std::string origin_url(const types::JobSpec& spec) {
  const fs::path name = fs::path(spec.git_dir).filename();
  if (name.extension() != ".git" || name == ".git") return spec.git_dir;
  return fmt::format("{}/git/{}", spec.server_url, name.string());
}

Result<void> write_text(const fs::path& path, std::string_view text, std::ios::openmode mode) {
  std::ofstream file(path, std::ios::binary | mode);
  file << text;
  file.close();
  if (file) return {};
  return fail(Code::kInternal, "cannot write {}", path.string());
}

}  // namespace

Result<void> check_out(const types::JobSpec& spec, const fs::path& folder, const CheckoutTarget& target,
                       bool all_refs) {
  const io::Git git(spec.git_dir);
  WEIR_TRY(git.checkout_to(folder, target.sha, target.ref));

  std::map<std::string, std::string> refs;
  if (all_refs) {
    for (const auto& [name, sha] : WEIR_TRY(git.refs())) {
      if (name.starts_with("refs/heads/")) refs["refs/remotes/origin/" + name.substr(11)] = sha;
      if (name.starts_with("refs/tags/")) refs[name] = sha;
    }
  }
  std::string config =
      fmt::format("[remote \"origin\"]\n\turl = {}\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n", origin_url(spec));
  if (!target.ref.empty()) refs.try_emplace(target.ref, target.sha);
  if (target.ref.starts_with("refs/heads/")) {
    const std::string branch = target.ref.substr(11);
    refs["refs/remotes/origin/" + branch] = target.sha;
    config += fmt::format("[branch \"{}\"]\n\tremote = origin\n\tmerge = {}\n", branch, target.ref);
  }
  WEIR_TRY(write_text(folder / ".git" / "config", config, std::ios::app));
  // Without "peeled" in its header git looks at tags itself.
  std::string packed = "# pack-refs with: sorted \n";
  for (const auto& [name, sha] : refs) packed += fmt::format("{} {}\n", sha, name);
  return write_text(folder / ".git" / "packed-refs", packed, std::ios::trunc);
}

std::map<std::string, std::string> git_credentials(const types::JobSpec& spec, std::string_view token) {
  if (token.empty()) return {};
  return {{"GIT_CONFIG_COUNT", "1"},
          {"GIT_CONFIG_KEY_0", fmt::format("http.{}/.extraheader", spec.server_url)},
          {"GIT_CONFIG_VALUE_0", fmt::format("Authorization: Bearer {}", token)}};
}

}  // namespace weir::runner
