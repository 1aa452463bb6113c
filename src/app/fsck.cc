#include "app/fsck.h"

#include <algorithm>
#include <map>
#include <span>

#include "app/fsck_lfs.h"
#include "app/kept.h"
#include "base/hash.h"
#include "store/blob_store.h"
#include "store/database.h"
#include "store/sqlite/sqlite_database.h"

namespace weir::app {
namespace {

constexpr std::int64_t kQuickBlobBytes = 16 << 20;

constexpr std::string_view kRestoreDatabase =
    "The metadata database: stop the server and keep a copy of the state, then restore weir.db (with weir.db-wal, if "
    "there "
    "is one) from a backup. Without a backup, `sqlite3 weir.db .recover` saves what can still be read.";
constexpr std::string_view kRestoreEvents =
    "The event log was changed by something else than weir: keep a copy of the state, which shows what was changed, "
    "and "
    "restore weir.db from a backup. The server runs on as it is, but the history before that event proves nothing.";
constexpr std::string_view kRestoreBlobs =
    "Blobs: check the disk (dmesg, smartctl), remove the named files that are there, and put the right ones back from "
    "a "
    "backup; or remove them and upload the artifact again. A damaged cache may just be removed.";

constexpr BlobReference kAttachments[] = {{"attachment", "forge_attachments", "sha256", "repo || ', ' || name"}};

void add_problem(FsckReport& report, std::string problem, std::string_view advice) {
  report.problems.push_back(std::move(problem));
  if (std::ranges::find(report.advice, advice) == report.advice.end()) report.advice.emplace_back(advice);
}

// "row 5 is missing" or "rows 5 to 9 are missing"
std::string missing_rows(std::int64_t first, std::int64_t last) {
  return first == last ? fmt::format("row {} is missing", first)
                       : fmt::format("rows {} to {} are missing", first, last);
}

Result<void> check_events(store::Reader& reader, FsckReport& report) {
  std::string previous;
  std::int64_t expected = 1;
  // In pages, so that memory does not grow with the log.
  for (std::int64_t after = 0;;) {
    const auto events = WEIR_TRY(store::read_events(reader, after, 1'000));
    if (events.empty()) break;
    for (const auto& event : events) {
      if (event.sequence != expected) {
        add_problem(report, fmt::format("event log: {}", missing_rows(expected, event.sequence - 1)), kRestoreEvents);
      }
      if (store::chain_hash(event, previous) != event.chain_hash) {
        add_problem(
            report,
            fmt::format("event {}: its chain hash does not follow from the row before: the row was changed, or one "
                        "before it",
                        event.sequence),
            kRestoreEvents);
      }
      previous = event.chain_hash;
      expected = event.sequence + 1;
      after = event.sequence;
      ++report.events;
    }
  }
  const auto last = WEIR_TRY(reader.integer("SELECT last FROM series WHERE name = ?", {store::kEventSeries}));
  if (last.value_or(0) >= expected) {
    add_problem(report, fmt::format("event log: {} at its end", missing_rows(expected, *last)), kRestoreEvents);
  }
  return {};
}

// Apart, because the stored text itself is hashed, not what a parser makes of it.
Result<void> check_payloads(store::Reader& reader, FsckReport& report) {
  return reader.query(
      "SELECT sequence, payload, payload_hash FROM events WHERE payload IS NOT NULL", {}, [&](const store::Row& row) {
        if (sha256_hex(row.text(1)) == row.text(2)) return;
        add_problem(report, fmt::format("event {}: its payload was changed", row.integer(0)), kRestoreEvents);
      });
}

// The blobs that rows name, each with one of the rows.
using Referred = std::map<std::string, std::string>;
Result<Referred> check_references(store::Reader& reader, std::span<const BlobReference> references,
                                  const store::BlobStore* blobs, FsckReport& report) {
  Referred referred;
  for (const auto& reference : references) {
    // A state of an older weir has not all of them.
    if (!WEIR_TRY(reader.integer("SELECT 1 FROM sqlite_master WHERE name = ?", {reference.table}))) continue;
    WEIR_TRY(reader.query(fmt::format("SELECT {0}, min({1}) FROM {2} WHERE {0} <> '' GROUP BY {0}", reference.column,
                                      reference.label, reference.table),
                          {}, [&](const store::Row& row) {
                            ++report.references;
                            const std::string label = fmt::format("{} ({})", reference.what, row.text(1));
                            if (blobs == nullptr || !blobs->contains(row.text(0))) {
                              add_problem(report, fmt::format("{}: its blob {} is not there", label, row.text(0)),
                                          kRestoreBlobs);
                            }
                            referred.emplace(row.string(0), label);
                          }));
  }
  return referred;
}

// Those of a store, with who needs each.
Result<void> check_blobs(const store::BlobStore& blobs, const Referred& referred, const FsckOptions& options,
                         FsckReport& report) {
  return blobs.for_each([&](const store::BlobInfo& blob) {
    ++report.blobs;
    const auto row = referred.find(blob.sha256);
    if (!options.read_blobs && (blob.size_bytes > kQuickBlobBytes || row == referred.end())) return;
    ++report.blobs_read;
    if (const auto sound = blobs.verify(blob.sha256); !sound) {
      const std::string owner = row == referred.end() ? "nothing" : row->second;
      add_problem(report, fmt::format("{}; it belongs to: {}", sound.error().message, owner), kRestoreBlobs);
    }
  });
}

}  // namespace

json::object to_json(const FsckReport& report) {
  return {{"events", report.events},
          {"blobs", report.blobs},
          {"blobs_read", report.blobs_read},
          {"references", report.references},
          {"lfs_objects", report.lfs_objects},
          {"lfs_objects_read", report.lfs_objects_read},
          {"problems", json::value_from(report.problems)},
          {"advice", json::value_from(report.advice)}};
}

Result<FsckReport> fsck(const std::filesystem::path& state, const FsckOptions& options) {
  FsckReport report;
  Referred referred;
  Referred attached;
  const auto blobs = WEIR_TRY(store::view_local_blobs(state / "blobs"));
  // A state of an older weir has none.
  std::unique_ptr<store::BlobStore> attachments;
  if (std::filesystem::exists(state / "attachments")) {
    attachments = WEIR_TRY(store::view_local_blobs(state / "attachments"));
  }
  auto inspected = store::inspect_sqlite(state / "weir.db", [&](store::Reader& reader) -> Result<void> {
    WEIR_TRY(check_events(reader, report));
    WEIR_TRY(check_payloads(reader, report));
    referred = WEIR_TRY(check_references(reader, blob_references(), blobs.get(), report));
    attached = WEIR_TRY(check_references(reader, kAttachments, attachments.get(), report));
    return {};
  });
  if (!inspected) {
    if (inspected.error().code != Code::kCorrupt) return std::unexpected(inspected.error());
    add_problem(report, inspected.error().message, kRestoreDatabase);
  }
  WEIR_TRY(check_blobs(*blobs, referred, options, report));
  if (attachments) WEIR_TRY(check_blobs(*attachments, attached, options, report));
  WEIR_TRY(check_lfs(state / "repos", options, report));
  return report;
}

}  // namespace weir::app
