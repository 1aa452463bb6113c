#pragma once

#include <filesystem>

#include "engine/engine.h"
#include "engine/rows.h"

// What the API asks: rows completed with the journals of running jobs. The cost grows with what is shown.
namespace weir::engine {

Result<std::vector<Run>> find_runs(store::Reader& reader, const RunFilter& filter);
Result<std::vector<Job>> find_jobs(store::Reader& reader, const std::filesystem::path& jobs_dir, std::int64_t run,
                                   std::int64_t attempt, JobParts parts);
Result<Job> find_job(store::Reader& reader, const std::filesystem::path& jobs_dir, std::int64_t id);

}  // namespace weir::engine
