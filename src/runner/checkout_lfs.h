#pragma once

#include <filesystem>

#include "runner/action.h"

namespace weir::runner {

// What `lfs: true` of actions/checkout means for a fresh checkout of the run's own repository in `folder`: its files
// come from where the repository keeps its objects. Fails, naming them, if some are not there.
Result<void> bring_lfs_files(const ActionRequest& request, const std::filesystem::path& folder);

// The same for a checkout of another repository, from its own server: by git-lfs, which has to be there.
Result<void> pull_lfs_files(const ActionRequest& request, const std::filesystem::path& folder);
// And for the submodules of a checkout.
Result<void> pull_lfs_of_submodules(const ActionRequest& request, const std::filesystem::path& folder, bool recursive);

}  // namespace weir::runner
