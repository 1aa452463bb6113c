#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "types/job_spec.h"

namespace weir::runner {

struct CheckoutTarget {
  std::string sha;
  std::string ref;  // "refs/heads/main"; "" for a bare commit
};

// Which files of a commit are laid out: folders ("cone") or patterns as in .gitignore; none: all.
struct SparseCheckout {
  std::vector<std::string> patterns;
  bool cone = true;
};

// In the repository that jobs of `weir run` push to: the git directory of the user's own, from which it was made.
inline constexpr const char* kSourceFile = "weir-source";
// That one; nothing if `git_dir` is a server's repository.
std::optional<std::filesystem::path> users_git_dir(const std::filesystem::path& git_dir);

// Fills `folder` with the commit, as a clone of the server's repository whose objects are borrowed: remote "origin",
// HEAD on the branch, origin's branch recorded; `all_refs`: every branch and tag. No credentials inside.
Result<void> check_out(const types::JobSpec& spec, const std::filesystem::path& folder, const CheckoutTarget& target,
                       bool all_refs, const SparseCheckout& sparse = {});

// Variables that let git talk to the server in the job's name. In the environment because a file in the workspace could
// be carried off by an artifact.
std::map<std::string, std::string> git_credentials(const types::JobSpec& spec, std::string_view token);

}  // namespace weir::runner
