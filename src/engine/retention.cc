#include "engine/retention.h"

#include <map>
#include <utility>

#include "io/file.h"

namespace weir::engine {
namespace {

namespace fs = std::filesystem;

// A bounded number at a time, so that the first clean-up after a long while is no single huge read.
constexpr int kBatch = 500;

// engine_runs.folders
enum class Folders : std::int64_t { kGone = 0, kWhole = 1, kLogs = 2 };

struct OldRun {
  std::int64_t id = 0;
  std::string repo;
  std::string path;
  TimePoint completed_at;
  Folders folders = Folders::kWhole;
};

Result<std::vector<OldRun>> runs_with_folders(store::Reader& reader, Folders folders, std::int64_t after) {
  return reader.all<OldRun>(
      "SELECT id, repo, path, completed_at FROM engine_runs WHERE folders = ? AND id > ? AND state = ? ORDER BY id "
      "LIMIT ?",
      {static_cast<std::int64_t>(folders), after, static_cast<std::int64_t>(RunState::kCompleted), kBatch},
      [folders](const store::Row& row) {
        return OldRun{row.integer(0), row.string(1), row.string(2), row.time(3), folders};
      });
}

// Removes all of a folder, or all but what tells what the job did.
Result<void> remove_folder(const fs::path& dir, bool keep_log) {
  if (!keep_log) return io::remove_tree(dir);
  std::error_code error;
  std::vector<fs::path> items;
  for (fs::directory_iterator item(dir, error), end; !error && item != end; item.increment(error)) {
    const auto name = item->path().filename();
    if (name != "log.txt" && name != "journal.jsonl") items.push_back(item->path());
  }
  if (error) return fail_errno(error.value(), fmt::format("cannot list {}", dir.string()));
  for (const auto& item : items) WEIR_TRY(io::remove_tree(item));
  return {};
}

class Sweep {
 public:
  Sweep(store::Database& db, TimePoint now, const fs::path& jobs_dir, const RetentionRules& rules)
      : db_(db), now_(now), jobs_dir_(jobs_dir), rules_(rules) {}

  Result<Removed> run() {
    for (const auto folders : {Folders::kWhole, Folders::kLogs}) {
      for (std::int64_t after = 0;;) {
        const auto batch = WEIR_TRY(db_.load<std::vector<OldRun>>(
            [&](store::Reader& reader) { return runs_with_folders(reader, folders, after); }));
        if (batch.empty()) break;
        for (const auto& one : batch) WEIR_TRY(consider(one));
        after = batch.back().id;
      }
    }
    return removed_;
  }

 private:
  using Kept = RetentionRules::Kept;

  Result<void> consider(const OldRun& run) {
    if (rules_.needed.contains(run.id)) return {};
    const auto& kept = kept_of(run.repo);
    const auto past = [&](const std::optional<Duration>& time) { return time && run.completed_at + *time < now_; };
    const bool logs_go = past(kept.logs);
    const bool goes = run.folders == Folders::kLogs ? logs_go : past(kept.workspaces);
    if (!goes || run.id >= WEIR_TRY(first_kept(run, kept.runs))) return {};
    return remove(run, !logs_go);
  }

  const Kept& kept_of(const std::string& repo) {
    const auto [at, made] = kept_.try_emplace(repo);
    if (made && rules_.of) at->second = rules_.of(repo);
    return at->second;
  }

  // The oldest of the newest runs of its workflow.
  Result<std::int64_t> first_kept(const OldRun& run, int count) {
    if (count == 0) return INT64_MAX;
    const auto key = std::pair(run.repo, run.path);
    if (const auto known = first_kept_.find(key); known != first_kept_.end()) return known->second;
    const auto found = WEIR_TRY(db_.load<std::optional<std::int64_t>>([&](store::Reader& reader) {
      return reader.integer("SELECT id FROM engine_runs WHERE path = ? AND repo = ? ORDER BY id DESC LIMIT 1 OFFSET ?",
                            {run.path, run.repo, count - 1});
    }));
    return first_kept_[key] = found.value_or(0);
  }

  Result<void> remove(const OldRun& run, bool keep_log) {
    const auto jobs = WEIR_TRY(db_.load<std::vector<std::int64_t>>([&](store::Reader& reader) {
      return reader.all<std::int64_t>("SELECT id FROM engine_jobs WHERE run = ?", {run.id},
                                      [](const store::Row& row) { return row.integer(0); });
    }));
    for (const auto job : jobs) {
      const auto dir = jobs_dir_ / std::to_string(job);
      std::error_code ignored;
      // Of the turns before, if it was preempted.
      for (int turn = 1;; ++turn) {
        const fs::path aside = fmt::format("{}.preempted-{}", dir.string(), turn);
        if (!fs::exists(aside, ignored)) break;
        WEIR_TRY(io::remove_tree(aside));
      }
      if (!fs::exists(dir, ignored)) continue;
      WEIR_TRY(remove_folder(dir, keep_log));
      if (run.folders == Folders::kWhole) ++removed_.workspaces;
      if (!keep_log) ++removed_.logs;
    }
    // Unless the run was started again meanwhile, which gives it new folders.
    return db_.write([&](store::Transaction& tx) -> Result<void> {
      WEIR_TRY(tx.execute("UPDATE engine_runs SET folders = ? WHERE id = ? AND state = ?",
                          {static_cast<std::int64_t>(keep_log ? Folders::kLogs : Folders::kGone), run.id,
                           static_cast<std::int64_t>(RunState::kCompleted)}));
      return {};
    });
  }

  store::Database& db_;
  TimePoint now_;
  const fs::path& jobs_dir_;
  const RetentionRules& rules_;
  std::map<std::string, Kept> kept_;
  std::map<std::pair<std::string, std::string>, std::int64_t> first_kept_;
  Removed removed_;
};

}  // namespace

Result<Removed> remove_old_folders(store::Database& db, TimePoint now, const fs::path& jobs_dir,
                                   const RetentionRules& rules) {
  return Sweep(db, now, jobs_dir, rules).run();
}

}  // namespace weir::engine
