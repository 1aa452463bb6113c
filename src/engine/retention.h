#pragma once

#include <filesystem>

#include "engine/engine.h"

namespace weir::engine {

// Removes workspaces, and later logs, of the jobs of completed runs that are neither among the newest of their workflow
// nor young enough, nor needed. Rows stay.
Result<Removed> remove_old_folders(store::Database& db, TimePoint now, const std::filesystem::path& jobs_dir,
                                   const RetentionRules& rules);

}  // namespace weir::engine
