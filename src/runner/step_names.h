#pragma once

#include <string>
#include <vector>

#include "base/json.h"

namespace weir::runner {

// What the steps of a job are called in github.action and GITHUB_ACTION, in their order: their ids, and where there is
// none "__run", "__owner_repository" or "__self", with a number from the second of a name on: "__run_2".
std::vector<std::string> name_steps(const json::array& steps);

}  // namespace weir::runner
