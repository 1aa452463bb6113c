#pragma once

#include <filesystem>
#include <string>

#include "base/error.h"

namespace weir::app {

// The top of the work tree around the working directory, also of a linked one or of a submodule. kNotFound in no
// repository, kFailedPrecondition in one without (bare, or inside of .git).
Result<std::filesystem::path> work_tree_root();

// The server's repository that a remote of the work tree around the working directory leads to: .../git/<name>.git.
// kNotFound says how to name one.
Result<std::string> repository_of_work_tree();

}  // namespace weir::app
