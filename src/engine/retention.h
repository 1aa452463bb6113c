#pragma once

#include <filesystem>

#include "engine/engine.h"

namespace weir::engine {

// Removes the folders of jobs of completed runs that are neither among the newest nor young enough. Rows stay.
Result<int> remove_old_folders(store::Database& db, TimePoint now, const std::filesystem::path& jobs_dir,
                               const RetentionRules& rules);

}  // namespace weir::engine
