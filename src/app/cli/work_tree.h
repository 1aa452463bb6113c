#pragma once

#include <string>

#include "base/error.h"

namespace weir::app {

// The server's repository that a remote of the work tree around the working directory leads to: .../git/<name>.git.
// kNotFound says how to name one.
Result<std::string> repository_of_work_tree();

}  // namespace weir::app
