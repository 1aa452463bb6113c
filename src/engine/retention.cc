#include "engine/retention.h"

#include "io/file.h"

namespace weir::engine {
namespace {

// A bounded number at a time, so that the first clean-up after a long while is no single huge read.
constexpr int kBatch = 100;

Result<std::vector<std::int64_t>> removable_runs(store::Reader& reader, TimePoint now, const RetentionRules& rules) {
  const auto oldest_kept = WEIR_TRY(reader.integer("SELECT id FROM engine_runs ORDER BY id DESC LIMIT 1 OFFSET ?",
                                                   {std::max(0, rules.runs_kept - 1)}));
  if (!oldest_kept) return std::vector<std::int64_t>{};
  return reader.all<std::int64_t>(
      "SELECT id FROM engine_runs WHERE folders = 1 AND id < ? AND state = ? AND completed_at < ? ORDER BY id LIMIT ?",
      {rules.runs_kept > 0 ? *oldest_kept : *oldest_kept + 1, static_cast<std::int64_t>(RunState::kCompleted),
       now - rules.age_max, kBatch},
      [](const store::Row& row) { return row.integer(0); });
}

Result<int> remove_folders_of(store::Database& db, std::int64_t run, const std::filesystem::path& jobs_dir,
                              const RetentionRules& rules) {
  const auto jobs = WEIR_TRY(db.load<std::vector<std::int64_t>>([&](store::Reader& reader) {
    return reader.all<std::int64_t>("SELECT id FROM engine_jobs WHERE run = ?", {run},
                                    [](const store::Row& row) { return row.integer(0); });
  }));
  int removed = 0;
  for (const auto job : jobs) {
    const auto dir = jobs_dir / std::to_string(job);
    std::error_code ignored;
    // Of the turns before, if it was preempted.
    for (int turn = 1;; ++turn) {
      const std::filesystem::path aside = fmt::format("{}.preempted-{}", dir.string(), turn);
      if (!std::filesystem::exists(aside, ignored)) break;
      WEIR_TRY(io::remove_tree(aside));
    }
    if (!std::filesystem::exists(dir, ignored)) continue;
    if (rules.before_remove) rules.before_remove(job, dir);
    WEIR_TRY(io::remove_tree(dir));
    ++removed;
  }
  // Unless the run was started again meanwhile, which gives it new folders.
  WEIR_TRY(db.write([&](store::Transaction& tx) -> Result<void> {
    WEIR_TRY(tx.execute("UPDATE engine_runs SET folders = 0 WHERE id = ? AND state = ?",
                        {run, static_cast<std::int64_t>(RunState::kCompleted)}));
    return {};
  }));
  return removed;
}

}  // namespace

Result<int> remove_old_folders(store::Database& db, TimePoint now, const std::filesystem::path& jobs_dir,
                               const RetentionRules& rules) {
  int removed = 0;
  for (;;) {
    const auto runs = WEIR_TRY(
        db.load<std::vector<std::int64_t>>([&](store::Reader& reader) { return removable_runs(reader, now, rules); }));
    if (runs.empty()) return removed;
    for (const auto run : runs) removed += WEIR_TRY(remove_folders_of(db, run, jobs_dir, rules));
  }
}

}  // namespace weir::engine
