#pragma once

#include <string_view>

#include "base/json.h"
#include "engine/rows.h"

namespace weir::engine {

// The `github` context of a run (docs.github.com, "Contexts"), without what only a job has: job, token, workspace,
// action and the paths that the runner makes. Numbers that GitHub gives as texts are texts.
json::object github_context(const RunRow& run, std::string_view server_url, std::string_view default_owner);

}  // namespace weir::engine
