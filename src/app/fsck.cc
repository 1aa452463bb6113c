#include "app/fsck.h"

#include <set>

#include "base/hash.h"
#include "store/blob_store.h"
#include "store/database.h"
#include "store/sqlite/sqlite_database.h"

namespace weir::app {
namespace {

constexpr std::int64_t kQuickBlobBytes = 16 << 20;

// Tables whose rows name blobs: what to call the row, the table, its column.
struct Reference {
  std::string_view what;
  std::string_view table;
  std::string_view column;
};
constexpr Reference kReferences[] = {
    {"workflow artifact", "engine_artifacts", "sha256"},
    {"cache", "engine_caches", "sha256"},
    {"experiment artifact", "track_artifacts", "blob"},
};

Result<void> check_events(store::Reader& reader, FsckReport& report) {
  std::string previous;
  std::int64_t expected = 1;
  // In pages, so that memory does not grow with the log.
  for (std::int64_t after = 0;;) {
    const auto events = WEIR_TRY(store::read_events(reader, after, 1'000));
    if (events.empty()) return {};
    for (const auto& event : events) {
      if (event.sequence != expected) {
        report.problems.push_back(fmt::format("event log: row {} is missing", expected));
      }
      if (store::chain_hash(event, previous) != event.chain_hash) {
        report.problems.push_back(fmt::format("event {}: its chain hash does not follow from the row before: the row was "
                                              "changed, or one before it",
                                              event.sequence));
      }
      previous = event.chain_hash;
      expected = event.sequence + 1;
      after = event.sequence;
      ++report.events;
    }
  }
}

// Apart, because the stored text itself is hashed, not what a parser makes of it.
Result<void> check_payloads(store::Reader& reader, FsckReport& report) {
  return reader.query("SELECT sequence, payload, payload_hash FROM events WHERE payload IS NOT NULL", {},
                      [&](const store::Row& row) {
                        if (sha256_hex(row.text(1)) == row.text(2)) return;
                        report.problems.push_back(fmt::format("event {}: its payload was changed", row.integer(0)));
                      });
}

Result<std::set<std::string>> check_references(store::Reader& reader, const store::BlobStore& blobs, FsckReport& report) {
  std::set<std::string> referred;
  for (const auto& reference : kReferences) {
    WEIR_TRY(reader.query(fmt::format("SELECT DISTINCT {0} FROM {1} WHERE {0} <> ''", reference.column, reference.table), {},
                          [&](const store::Row& row) {
                            ++report.references;
                            if (!blobs.contains(row.text(0))) {
                              report.problems.push_back(
                                  fmt::format("{}: its blob {} is not there", reference.what, row.text(0)));
                            }
                            referred.insert(row.string(0));
                          }));
  }
  return referred;
}

}  // namespace

json::object to_json(const FsckReport& report) {
  return {{"events", report.events},
          {"blobs", report.blobs},
          {"blobs_read", report.blobs_read},
          {"references", report.references},
          {"problems", json::value_from(report.problems)}};
}

Result<FsckReport> fsck(const std::filesystem::path& state, const FsckOptions& options) {
  FsckReport report;
  std::set<std::string> referred;
  const auto blobs = WEIR_TRY(store::view_local_blobs(state / "blobs"));
  auto inspected = store::inspect_sqlite(state / "weir.db", [&](store::Reader& reader) -> Result<void> {
    WEIR_TRY(check_events(reader, report));
    WEIR_TRY(check_payloads(reader, report));
    referred = WEIR_TRY(check_references(reader, *blobs, report));
    return {};
  });
  if (!inspected) {
    if (inspected.error().code != Code::kCorrupt) return std::unexpected(inspected.error());
    report.problems.push_back(inspected.error().message);
  }
  WEIR_TRY(blobs->for_each([&](const store::BlobInfo& blob) {
    ++report.blobs;
    if (!options.read_blobs && (blob.size_bytes > kQuickBlobBytes || !referred.contains(blob.sha256))) return;
    ++report.blobs_read;
    if (const auto sound = blobs->verify(blob.sha256); !sound) report.problems.push_back(sound.error().message);
  }));
  return report;
}

}  // namespace weir::app
