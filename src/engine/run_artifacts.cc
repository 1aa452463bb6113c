#include "engine/run_artifacts.h"

#include "io/file.h"
#include "io/zip_reader.h"

namespace weir::engine {
namespace {

constexpr store::Migration kMigrations[] = {{"engine/artifacts-001", R"(
CREATE TABLE engine_artifacts(
  id BIGINT PRIMARY KEY, run_id BIGINT NOT NULL, name TEXT NOT NULL, sha256 TEXT NOT NULL, size_bytes BIGINT NOT NULL,
  files TEXT NOT NULL, created_at BIGINT NOT NULL, UNIQUE(run_id, name));
CREATE TABLE engine_caches(
  repository TEXT NOT NULL, ref TEXT NOT NULL, version TEXT NOT NULL, cache_key TEXT NOT NULL, sha256 TEXT NOT NULL,
  size_bytes BIGINT NOT NULL, created_at BIGINT NOT NULL, PRIMARY KEY(repository, ref, version, cache_key));
)"},
                                            {"engine/artifacts-002-format", R"(
ALTER TABLE engine_artifacts ADD COLUMN format TEXT NOT NULL DEFAULT 'tar.zst';
ALTER TABLE engine_artifacts ADD COLUMN job_id BIGINT NOT NULL DEFAULT 0;
ALTER TABLE engine_artifacts ADD COLUMN expires_at BIGINT;
)"},
                                            {"engine/artifacts-003-use", R"(
ALTER TABLE engine_caches ADD COLUMN used_at BIGINT NOT NULL DEFAULT 0;
UPDATE engine_caches SET used_at = created_at;
CREATE INDEX engine_artifacts_expires ON engine_artifacts(expires_at);
CREATE TABLE engine_unnamed_blobs(name TEXT PRIMARY KEY);
)"},
                                            {"engine/artifacts-004-attempts", R"(
CREATE TABLE engine_artifacts_by_attempt(
  id BIGINT PRIMARY KEY, run_id BIGINT NOT NULL, attempt BIGINT NOT NULL, job_id BIGINT NOT NULL, turn BIGINT NOT NULL,
  name TEXT NOT NULL, sha256 TEXT NOT NULL, size_bytes BIGINT NOT NULL, format TEXT NOT NULL, created_at BIGINT NOT NULL,
  expires_at BIGINT, files TEXT NOT NULL, UNIQUE(run_id, name, attempt));
INSERT INTO engine_artifacts_by_attempt(
  id, run_id, attempt, job_id, turn, name, sha256, size_bytes, format, created_at, expires_at, files)
SELECT id, run_id, COALESCE((SELECT attempt FROM engine_jobs WHERE engine_jobs.id = engine_artifacts.job_id), 1),
  job_id, 0, name, sha256, size_bytes, format, created_at, expires_at, files FROM engine_artifacts;
DROP TABLE engine_artifacts;
ALTER TABLE engine_artifacts_by_attempt RENAME TO engine_artifacts;
CREATE INDEX engine_artifacts_expires ON engine_artifacts(expires_at);
)"}};

constexpr std::string_view kArtifactColumns =
    "id, run_id, name, sha256, size_bytes, files, created_at, format, job_id, expires_at, attempt";

// The artifact of its name that a reader gets: of the newest attempt that has one, up to the one asked for.
constexpr std::string_view kNewest =
    "run_id = ? AND attempt <= ? AND (expires_at IS NULL OR expires_at > ?) AND NOT EXISTS(SELECT 1 FROM "
    "engine_artifacts newer WHERE newer.run_id = engine_artifacts.run_id AND newer.name = engine_artifacts.name AND "
    "newer.attempt > engine_artifacts.attempt AND newer.attempt <= ?)";

json::array files_to_json(const std::vector<ArtifactFile>& files) {
  json::array list;
  for (const auto& file : files) list.push_back({{"path", file.path}, {"size_bytes", file.size_bytes}});
  return list;
}

Artifact read_artifact(const store::Row& row) {
  Artifact artifact;
  artifact.id = row.integer(0);
  artifact.run_id = row.integer(1);
  artifact.name = row.string(2);
  artifact.sha256 = row.string(3);
  artifact.size_bytes = row.integer(4);
  if (auto files = parse_json(row.text(5), "artifact files"); files && files->is_array()) {
    for (const auto& file : files->get_array()) {
      artifact.files.push_back({json_string_or(file, "path", ""), json_int(file, "size_bytes").value_or(0)});
    }
  }
  artifact.created_at = row.time(6);
  artifact.format = row.string(7);
  artifact.job_id = row.integer(8);
  if (!row.is_null(9)) artifact.expires_at = row.time(9);
  artifact.attempt = row.integer(10);
  return artifact;
}

// What a zip says of itself counts, not what its maker says of it.
Result<std::vector<ArtifactFile>> files_of_zip(const std::filesystem::path& path) {
  const auto reader = io::ZipReader::open(path);
  if (!reader) return fail(Code::kInvalidArgument, "the artifact's bytes: {}", reader.error().message);
  std::vector<ArtifactFile> files;
  for (const auto& entry : reader->entries()) {
    if (!entry.is_folder()) files.push_back({entry.name, static_cast<std::int64_t>(entry.size_bytes)});
  }
  return files;
}

// The smallest text that is greater than every text starting with `prefix`; "" if there is none.
std::string prefix_end(std::string prefix) {
  while (!prefix.empty() && static_cast<unsigned char>(prefix.back()) == 0xff) prefix.pop_back();
  if (!prefix.empty()) prefix.back() = static_cast<char>(static_cast<unsigned char>(prefix.back()) + 1);
  return prefix;
}

Cache read_cache(const store::Row& row) {
  return {row.string(0), row.string(1), row.integer(2)};
}

Result<void> note_unnamed(store::Transaction& tx, std::string_view sha256) {
  WEIR_TRY(tx.execute("INSERT INTO engine_unnamed_blobs(name) VALUES(?) ON CONFLICT(name) DO NOTHING", {sha256}));
  return {};
}

// Which attempt of the run, and which turn of a job that was preempted, makes an artifact now.
struct Maker {
  std::int64_t attempt = 1;
  std::int64_t turn = 0;
};
Result<Maker> maker_of(store::Reader& reader, std::int64_t run, std::int64_t job) {
  const auto found =
      WEIR_TRY(reader.first<Maker>("SELECT attempt, preemptions FROM engine_jobs WHERE id = ? AND run = ?", {job, run},
                                   [](const store::Row& row) { return Maker{row.integer(0), row.integer(1)}; }));
  if (found) return *found;
  const auto attempt = WEIR_TRY(reader.integer("SELECT attempt FROM engine_runs WHERE id = ?", {run}));
  return Maker{.attempt = attempt.value_or(1), .turn = 0};
}

// What stands in the way of an artifact: one of the same name and attempt. A job that was preempted begins anew and
// makes its artifacts again.
Result<std::optional<std::int64_t>> taken_by(store::Reader& reader, const Artifact& wanted, const Maker& maker) {
  return reader.integer(
      "SELECT id FROM engine_artifacts WHERE run_id = ? AND name = ? AND attempt = ? AND NOT (job_id = ? AND job_id > "
      "0 "
      "AND turn < ?)",
      {wanted.run_id, wanted.name, maker.attempt, wanted.job_id, maker.turn});
}

Error name_is_taken(const Artifact& artifact) {
  return {Code::kAlreadyExists, fmt::format("run {} has an artifact \"{}\" already; give it another name or set "
                                            "`overwrite: true`",
                                            artifact.run_id, artifact.name)};
}

// Blobs that nothing names are removed inside transactions: what is there in this one stays until its row names it.
Result<void> still_there(const store::BlobStore& blobs, const std::string& sha256) {
  if (blobs.contains(sha256)) return {};
  return fail(Code::kUnavailable, "blob {} was removed just now, since nothing named it; upload it again", sha256);
}

}  // namespace

std::span<const store::Migration> run_artifact_migrations() {
  return kMigrations;
}

Result<void> check_artifact_name(std::string_view name) {
  const bool is_folder = name == "." || name == "..";  // it becomes the name of one where it is downloaded
  if (!name.empty() && name.size() <= 255 && !is_folder &&
      name.find_first_of("\\/:\"<>|*?\r\n") == std::string_view::npos) {
    return {};
  }
  return fail(Code::kInvalidArgument,
              "\"{}\" cannot name an artifact: it must have 1 to 255 characters and none of \\ / : \" < > | * ?, and "
              "not be . or ..",
              name.substr(0, 80));
}

Result<void> copy_artifacts(store::Transaction& tx, std::int64_t from_job, std::int64_t to_run, std::int64_t to_job) {
  const auto artifacts =
      WEIR_TRY(tx.all<std::int64_t>("SELECT id FROM engine_artifacts WHERE job_id = ? ORDER BY id", {from_job},
                                    [](const store::Row& row) { return row.integer(0); }));
  const auto maker = WEIR_TRY(maker_of(tx, to_run, to_job));
  for (const auto artifact : artifacts) {
    const auto id = WEIR_TRY(tx.next_id("artifact"));
    WEIR_TRY(tx.execute(
        "INSERT INTO engine_artifacts(id, run_id, attempt, job_id, turn, name, sha256, size_bytes, files, created_at, "
        "format, expires_at) SELECT ?, ?, ?, ?, ?, name, sha256, size_bytes, files, created_at, format, expires_at "
        "FROM engine_artifacts WHERE id = ? ON CONFLICT(run_id, name, attempt) DO NOTHING",
        {id, to_run, maker.attempt, to_job, maker.turn, artifact}));
  }
  return {};
}

json::object to_json(const Artifact& artifact) {
  json::value expires_at;
  if (artifact.expires_at) expires_at = to_iso8601(*artifact.expires_at);
  return {{"id", artifact.id},
          {"run_id", artifact.run_id},
          {"attempt", artifact.attempt},
          {"name", artifact.name},
          {"sha256", artifact.sha256},
          {"size_bytes", artifact.size_bytes},
          {"format", artifact.format},
          {"files", files_to_json(artifact.files)},
          {"expires_at", std::move(expires_at)},
          {"created_at", to_iso8601(artifact.created_at)}};
}

Result<Artifact> RunArtifacts::add(Artifact artifact, bool overwrite) {
  WEIR_TRY(check_artifact_name(artifact.name));
  if (artifact.format != "zip" && artifact.format != "tar.zst" && artifact.format != "raw") {
    return fail(Code::kInvalidArgument, "artifact \"{}\": there is no format \"{}\"", artifact.name,
                artifact.format.substr(0, 40));
  }
  if (!blobs_.contains(artifact.sha256)) {
    return fail(Code::kNotFound, "artifact \"{}\": there is no blob {}; upload it first", artifact.name,
                artifact.sha256.substr(0, 64));
  }
  if (artifact.format == "zip") artifact.files = WEIR_TRY(files_of_zip(WEIR_TRY(blobs_.local_path(artifact.sha256))));
  if (artifact.format == "raw") artifact.files = {{artifact.name, artifact.size_bytes}};
  for (const auto& file : artifact.files) WEIR_TRY(io::join_below("/", file.path));
  if (!artifact.expires_at && keep_) {
    if (const auto time = keep_(artifact.run_id)) artifact.expires_at = clock_.now() + *time;
  }
  return db_.write_with<Artifact>([&](store::Transaction& tx) -> Result<Artifact> {
    WEIR_TRY(still_there(blobs_, artifact.sha256));
    const auto maker = WEIR_TRY(maker_of(tx, artifact.run_id, artifact.job_id));
    if (!overwrite && WEIR_TRY(taken_by(tx, artifact, maker))) return std::unexpected(name_is_taken(artifact));
    WEIR_TRY(tx.execute(
        "INSERT INTO engine_unnamed_blobs(name) SELECT sha256 FROM engine_artifacts WHERE run_id = ? AND name = ? AND "
        "attempt = ? ON CONFLICT(name) DO NOTHING",
        {artifact.run_id, artifact.name, maker.attempt}));
    WEIR_TRY(tx.execute("DELETE FROM engine_artifacts WHERE run_id = ? AND name = ? AND attempt = ?",
                        {artifact.run_id, artifact.name, maker.attempt}));
    artifact.attempt = maker.attempt;
    artifact.id = WEIR_TRY(tx.next_id("artifact"));
    artifact.created_at = tx.now();
    WEIR_TRY(tx.execute(fmt::format("INSERT INTO engine_artifacts({}, turn) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                                    kArtifactColumns),
                        {artifact.id, artifact.run_id, artifact.name, artifact.sha256, artifact.size_bytes,
                         json::serialize(files_to_json(artifact.files)), artifact.created_at, artifact.format,
                         artifact.job_id, artifact.expires_at, artifact.attempt, maker.turn}));
    return artifact;
  });
}

Result<void> RunArtifacts::check_free(std::int64_t run_id, std::int64_t job_id, std::string_view name) {
  Artifact wanted;
  wanted.run_id = run_id;
  wanted.job_id = job_id;
  wanted.name = name;
  const auto taken =
      WEIR_TRY(db_.load<std::optional<std::int64_t>>([&](store::Reader& reader) -> Result<std::optional<std::int64_t>> {
        return taken_by(reader, wanted, WEIR_TRY(maker_of(reader, run_id, job_id)));
      }));
  if (taken) return std::unexpected(name_is_taken(wanted));
  return {};
}

Result<std::vector<Artifact>> RunArtifacts::list(std::int64_t run_id, std::int64_t attempt) {
  if (attempt == 0) attempt = INT64_MAX;
  return db_.load<std::vector<Artifact>>([&](store::Reader& reader) {
    return reader.all<Artifact>(
        fmt::format("SELECT {} FROM engine_artifacts WHERE {} ORDER BY name", kArtifactColumns, kNewest),
        {run_id, attempt, clock_.now(), attempt}, read_artifact);
  });
}

Result<std::vector<Artifact>> RunArtifacts::list_all(std::int64_t run_id) {
  return db_.load<std::vector<Artifact>>([&](store::Reader& reader) {
    return reader.all<Artifact>(
        fmt::format("SELECT {} FROM engine_artifacts WHERE run_id = ? AND (expires_at IS NULL OR expires_at > ?) "
                    "ORDER BY name, id",
                    kArtifactColumns),
        {run_id, clock_.now()}, read_artifact);
  });
}

Result<Artifact> RunArtifacts::find(std::int64_t run_id, std::string_view name, std::int64_t attempt) {
  if (attempt == 0) attempt = INT64_MAX;
  auto found = WEIR_TRY(db_.load<std::optional<Artifact>>([&](store::Reader& reader) {
    return reader.first<Artifact>(
        fmt::format("SELECT {} FROM engine_artifacts WHERE {} AND name = ?", kArtifactColumns, kNewest),
        {run_id, attempt, clock_.now(), attempt, name}, read_artifact);
  }));
  if (!found) return fail(Code::kNotFound, "run {} has no artifact \"{}\"", run_id, name);
  return *std::move(found);
}

Result<Artifact> RunArtifacts::find(std::int64_t id) {
  auto found = WEIR_TRY(db_.load<std::optional<Artifact>>([&](store::Reader& reader) {
    return reader.first<Artifact>(
        fmt::format("SELECT {} FROM engine_artifacts WHERE id = ? AND (expires_at IS NULL OR expires_at > ?)",
                    kArtifactColumns),
        {id, clock_.now()}, read_artifact);
  }));
  if (!found) return fail(Code::kNotFound, "there is no artifact {}", id);
  return *std::move(found);
}

Result<Artifact> RunArtifacts::remove(std::int64_t id) {
  auto artifact = WEIR_TRY(find(id));
  WEIR_TRY(db_.write([&](store::Transaction& tx) -> Result<void> {
    WEIR_TRY(tx.execute("DELETE FROM engine_artifacts WHERE id = ?", {artifact.id}));
    return note_unnamed(tx, artifact.sha256);
  }));
  return artifact;
}

Result<std::optional<Cache>> RunArtifacts::lookup_cache(std::string_view repository, std::string_view ref,
                                                        std::string_view default_ref, std::string_view key,
                                                        std::span<const std::string> restore_keys,
                                                        std::string_view version) {
  std::string_view found_in;
  auto found = WEIR_TRY(db_.load<std::optional<Cache>>([&](store::Reader& reader) -> Result<std::optional<Cache>> {
    for (const auto scope : {ref, default_ref}) {
      found_in = scope;
      auto exact =
          WEIR_TRY(reader.first<Cache>("SELECT cache_key, sha256, size_bytes FROM engine_caches "
                                       "WHERE repository = ? AND ref = ? AND version = ? AND cache_key = ?",
                                       {repository, scope, version, key}, read_cache));
      if (exact && blobs_.contains(exact->sha256)) return exact;
      for (const auto& prefix : restore_keys) {
        auto newest = WEIR_TRY(
            reader.first<Cache>("SELECT cache_key, sha256, size_bytes FROM engine_caches "
                                "WHERE repository = ? AND ref = ? AND version = ? AND cache_key >= ? AND cache_key < ? "
                                "ORDER BY created_at DESC",
                                {repository, scope, version, prefix, prefix_end(prefix)}, read_cache));
        if (newest && blobs_.contains(newest->sha256)) return newest;
      }
    }
    return std::nullopt;
  }));
  if (found) note_use(repository, found_in, version, *found);
  return found;
}

// For trim_caches(), to the hour: reading a cache must not cost a write each time.
void RunArtifacts::note_use(std::string_view repository, std::string_view ref, std::string_view version,
                            const Cache& cache) {
  const auto now = clock_.now();
  const auto fresh = db_.load<std::optional<std::int64_t>>([&](store::Reader& reader) {
    return reader.integer(
        "SELECT 1 FROM engine_caches WHERE repository = ? AND ref = ? AND version = ? AND "
        "cache_key = ? AND used_at > ?",
        {repository, ref, version, cache.key, now - std::chrono::hours{1}});
  });
  if (fresh && *fresh) return;
  db_.write_async(
      [repository = std::string(repository), ref = std::string(ref), version = std::string(version), key = cache.key,
       now](store::Transaction& tx) -> Result<void> {
        WEIR_TRY(
            tx.execute("UPDATE engine_caches SET used_at = ? WHERE repository = ? AND ref = ? AND version = ? AND "
                       "cache_key = ?",
                       {now, repository, ref, version, key}));
        return {};
      },
      [](const Result<void>&) {});
}

Result<std::int64_t> RunArtifacts::save_cache(std::string_view repository, std::string_view ref,
                                              std::string_view version, const Cache& cache) {
  if (cache.key.empty() || cache.key.size() > 512 || cache.key.find(',') != std::string::npos) {
    return fail(Code::kInvalidArgument, "a cache key has 1 to 512 characters and no comma");
  }
  if (!blobs_.contains(cache.sha256)) {
    return fail(Code::kNotFound, "cache \"{}\": there is no blob {}; upload it first", cache.key,
                cache.sha256.substr(0, 64));
  }
  return db_.write_with<std::int64_t>([&](store::Transaction& tx) -> Result<std::int64_t> {
    WEIR_TRY(still_there(blobs_, cache.sha256));
    auto added = tx.execute(
        "INSERT INTO engine_caches(repository, ref, version, cache_key, sha256, size_bytes, created_at, used_at) "
        "VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
        {repository, ref, version, cache.key, cache.sha256, cache.size_bytes, tx.now(), tx.now()});
    if (!added && added.error().code == Code::kAlreadyExists) {
      return fail(Code::kAlreadyExists, "{} has a cache \"{}\" already; caches do not change", ref, cache.key);
    }
    if (!added) return std::unexpected(added.error());
    return WEIR_TRY(tx.next_id("cache"));
  });
}

Result<RemovedRows> RunArtifacts::remove_expired(const std::set<std::int64_t>& needed) {
  constexpr auto kPutOff = std::chrono::days{1};
  return db_.write_with<RemovedRows>([&](store::Transaction& tx) -> Result<RemovedRows> {
    struct Over {
      std::int64_t id = 0;
      std::int64_t run = 0;
      std::string sha256;
      std::int64_t size_bytes = 0;
      std::int64_t job = 0;
      bool is_early = false;  // its time is not over yet
    };
    // Those of needed runs before they are over, so that nobody misses them between two rounds.
    const auto over = WEIR_TRY(tx.all<Over>(
        "SELECT id, run_id, sha256, size_bytes, job_id, expires_at FROM engine_artifacts WHERE expires_at <= ?",
        {tx.now() + kPutOff / 2}, [now = tx.now()](const store::Row& row) {
          return Over{row.integer(0), row.integer(1), row.string(2), row.integer(3), row.integer(4), row.time(5) > now};
        }));
    RemovedRows removed;
    for (const auto& one : over) {
      if (needed.contains(one.run)) {
        WEIR_TRY(tx.execute("UPDATE engine_artifacts SET expires_at = ? WHERE id = ?", {tx.now() + kPutOff, one.id}));
      } else if (!one.is_early) {
        WEIR_TRY(tx.execute("DELETE FROM engine_artifacts WHERE id = ?", {one.id}));
        WEIR_TRY(note_unnamed(tx, one.sha256));
        // A result without its artifacts stands for no later job's.
        WEIR_TRY(tx.execute("UPDATE engine_job_results SET inputs = '' WHERE job = ?", {one.job}));
        removed.bytes += one.size_bytes;
        ++removed.count;
      }
    }
    return removed;
  });
}

Result<RemovedRows> RunArtifacts::trim_caches(
    const std::function<std::int64_t(const std::string& repository)>& bytes_max) {
  return db_.write_with<RemovedRows>([&](store::Transaction& tx) -> Result<RemovedRows> {
    RemovedRows removed;
    const auto full = WEIR_TRY((tx.all<std::pair<std::string, std::int64_t>>(
        "SELECT repository, sum(size_bytes) FROM engine_caches GROUP BY repository", {},
        [](const store::Row& row) { return std::pair(row.string(0), row.integer(1)); })));
    for (auto [repository, bytes] : full) {
      const auto most = bytes_max(repository);
      if (bytes <= most) continue;
      struct Entry {
        std::string ref, version, key, sha256;
        std::int64_t size_bytes = 0;
      };
      const auto entries = WEIR_TRY(
          tx.all<Entry>("SELECT ref, version, cache_key, sha256, size_bytes FROM engine_caches WHERE repository = ? "
                        "ORDER BY used_at, created_at, cache_key",
                        {repository}, [](const store::Row& row) {
                          return Entry{row.string(0), row.string(1), row.string(2), row.string(3), row.integer(4)};
                        }));
      for (const auto& entry : entries) {
        if (bytes <= most) break;
        WEIR_TRY(
            tx.execute("DELETE FROM engine_caches WHERE repository = ? AND ref = ? AND version = ? AND "
                       "cache_key = ?",
                       {repository, entry.ref, entry.version, entry.key}));
        bytes -= entry.size_bytes;
        WEIR_TRY(note_unnamed(tx, entry.sha256));
        removed.bytes += entry.size_bytes;
        ++removed.count;
      }
    }
    return removed;
  });
}

Result<std::vector<std::string>> unnamed_blobs(store::Reader& reader, int limit) {
  return reader.all<std::string>("SELECT name FROM engine_unnamed_blobs ORDER BY name LIMIT ?", {limit},
                                 [](const store::Row& row) { return row.string(0); });
}

Result<void> forget_unnamed_blob(store::Transaction& tx, std::string_view sha256) {
  WEIR_TRY(tx.execute("DELETE FROM engine_unnamed_blobs WHERE name = ?", {sha256}));
  return {};
}

}  // namespace weir::engine
