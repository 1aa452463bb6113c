#include "app/kept.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "engine/run_artifacts.h"
#include "engine/views.h"
#include "types/job_spec.h"

namespace weir::app {
namespace {

constexpr BlobReference kReferences[] = {
    {"workflow artifact", "engine_artifacts", "sha256", "'run ' || run_id || ', ' || name"},
    {"cache", "engine_caches", "sha256", "repository || ', ' || cache_key"},
    {"file of a release", "forge_release_assets", "sha256", "'release ' || release || ', ' || name"},
    {"experiment artifact", "track_artifacts", "blob", "folder || '/' || name"},
};

constexpr std::size_t kBatch = 200;          // blobs of one transaction
constexpr int kCandidatesMax = 10'000;       // of one round
constexpr std::size_t kDeploymentsKept = 2;  // what is live, and what a rollback leads to

using Columns = std::set<std::pair<std::string, std::string>>;

// Every column that may name a blob: those of the list, and whatever else is called like them, so that a table which
// somebody forgot to list costs room and not bytes.
Result<Columns> naming_columns(store::Reader& reader) {
  Columns columns;
  for (const auto& one : kReferences) columns.emplace(one.table, one.column);
  WEIR_TRY(reader.query(
      "SELECT m.name, c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' AND "
      "(c.name LIKE '%sha256%' OR c.name LIKE '%blob%' OR c.name LIKE '%digest%')",
      {}, [&](const store::Row& row) { columns.emplace(row.string(0), row.string(1)); }));
  return columns;
}

// Those of `wanted` that some row names.
Result<std::set<std::string>> named_of(store::Reader& reader, const std::vector<std::string>& wanted) {
  // They are hex digits alone: they come from this column, and blobs have no other names.
  const auto list = fmt::format("'{}'", fmt::join(wanted, "', '"));
  std::set<std::string> named;
  for (const auto& [table, column] : WEIR_TRY(naming_columns(reader))) {
    WEIR_TRY(reader.query(fmt::format("SELECT DISTINCT {0} FROM {1} WHERE {0} IN ({2})", column, table, list), {},
                          [&](const store::Row& row) { named.insert(row.string(0)); }));
  }
  return named;
}

}  // namespace

std::span<const BlobReference> blob_references() {
  return kReferences;
}

Result<std::set<std::int64_t>> needed_runs(store::Reader& reader) {
  std::set<std::int64_t> needed;
  const auto add = [&](const store::Row& row) {
    if (!row.is_null(0)) needed.insert(row.integer(0));
  };
  WEIR_TRY(
      reader.query("SELECT workflow_run FROM registry_versions WHERE deleted = 0 UNION SELECT t.workflow_run FROM "
                   "registry_versions v JOIN track_runs t ON t.id = v.run_id WHERE v.deleted = 0",
                   {}, add));
  WEIR_TRY(
      reader.query("SELECT r.id FROM forge_issues i JOIN forge_pulls p ON p.repo = i.repo AND p.number = i.number "
                   "JOIN engine_runs r ON r.repo = i.repo AND r.head_sha = p.head_sha "
                   "WHERE i.is_pull = 1 AND i.open = 1",
                   {}, add));
  WEIR_TRY(reader.query("SELECT id FROM engine_runs WHERE state <> ?",
                        {static_cast<std::int64_t>(engine::RunState::kCompleted)}, add));
  std::map<std::pair<std::string, std::string>, std::set<std::int64_t>> deployed;
  WEIR_TRY(
      reader.query("SELECT r.repo, j.environment, j.run FROM engine_jobs j JOIN engine_runs r ON r.id = j.run "
                   "WHERE j.environment <> '' AND j.deployment = 1 AND j.conclusion = ? ORDER BY j.id DESC",
                   {static_cast<std::int64_t>(types::Conclusion::kSuccess)}, [&](const store::Row& row) {
                     auto& runs = deployed[{row.string(0), row.string(1)}];
                     if (runs.size() < kDeploymentsKept) runs.insert(row.integer(2));
                   }));
  for (const auto& [where, runs] : deployed) needed.insert(runs.begin(), runs.end());
  // A result that was reused has its log with the job that made it.
  const auto direct = needed;
  for (const auto run : direct) {
    WEIR_TRY(
        reader.query("SELECT o.run FROM engine_jobs j JOIN engine_jobs o ON o.id = j.origin WHERE j.run = ? AND "
                     "j.origin <> 0",
                     {run}, add));
  }
  return needed;
}

Result<std::int64_t> remove_unnamed_blobs(store::Database& db, store::BlobStore& blobs, TimePoint since) {
  const auto candidates = WEIR_TRY(db.load<std::vector<std::string>>(
      [](store::Reader& reader) { return engine::unnamed_blobs(reader, kCandidatesMax); }));
  std::int64_t bytes = 0;
  for (std::size_t at = 0; at < candidates.size(); at += kBatch) {
    const std::vector<std::string> some(
        candidates.begin() + static_cast<std::ptrdiff_t>(at),
        candidates.begin() + static_cast<std::ptrdiff_t>(std::min(at + kBatch, candidates.size())));
    // Inside the writer's transaction no row can come to name a blob between the look and the removal.
    bytes += WEIR_TRY(db.write_with<std::int64_t>([&](store::Transaction& tx) -> Result<std::int64_t> {
      std::int64_t freed = 0;
      const auto named = WEIR_TRY(named_of(tx, some));
      for (const auto& one : some) {
        if (!named.contains(one)) {
          const auto gone = WEIR_TRY(blobs.remove_unless_put(one, since));
          if (!gone) continue;  // looked at again later
          freed += *gone;
        }
        WEIR_TRY(engine::forget_unnamed_blob(tx, one));
      }
      return freed;
    }));
  }
  return bytes;
}

}  // namespace weir::app
