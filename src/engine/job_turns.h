#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"

// A job that makes room for another one begins anew later, in a turn of its own: what its folder held stays beside it,
// its log goes on, and what it wrote for itself is there.
namespace weir::engine {

// WEIR_RESUME_DIR of a job: `name` is its key with the number of its combination, "train.0". The same in every turn and
// attempt.
std::filesystem::path resume_dir(const std::filesystem::path& jobs_dir, std::int64_t run, std::string_view name);

// Writes into the log of a job that was preempted that its `turn`, counted from 1, was, and then `why`. Once, though it
// may be asked to again. A job without a log never began, and needs none.
Result<void> note_preemption(const std::filesystem::path& job_dir, int turn, TimePoint now, std::string_view why);

// Before a next turn: the folder of the last one becomes job_dir.preempted-1 or a later number, once, where
// `has_begun` names the file that shows that a runner was at work in it. Its log becomes that of the new folder.
Result<void> begin_turn(const std::filesystem::path& job_dir, const char* has_begun);

}  // namespace weir::engine
