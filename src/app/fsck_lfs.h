#pragma once

#include <filesystem>

#include "app/fsck.h"

namespace weir::app {

// Checks the objects of Git LFS of the repositories below `repos`, and that those are there which files on branches
// name: size and SHA-256, of those up to 16 MiB unless the options ask for all. Adds to the report; changes nothing.
Result<void> check_lfs(const std::filesystem::path& repos, const FsckOptions& options, FsckReport& report);

}  // namespace weir::app
