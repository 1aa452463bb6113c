#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "store/blob_store.h"
#include "store/database.h"

namespace weir::engine {

// Tables engine_artifacts and engine_caches.
std::span<const store::Migration> run_artifact_migrations();

struct ArtifactFile {
  std::string path;  // relative, below the artifact's root
  std::int64_t size_bytes = 0;
};

// What a step uploaded for later jobs and for people, in the blob store.
struct Artifact {
  std::int64_t id = 0;
  std::int64_t run_id = 0;
  std::int64_t attempt = 1;    // of the run, in which it was made
  std::int64_t job_id = 0;     // that made it; 0 if unknown
  std::string format = "zip";  // "raw": a single file as it is; "tar.zst": as weir 0.1 kept them
  std::string name;
  std::string sha256;
  std::int64_t size_bytes = 0;
  std::vector<ArtifactFile> files;
  TimePoint created_at;
  std::optional<TimePoint> expires_at;  // gone from then on; none: kept with its run
};
json::object to_json(const Artifact& artifact);

// kInvalidArgument unless it has 1 to 255 bytes and none of / \ : " < > | * ? or a line break.
Result<void> check_artifact_name(std::string_view name);

// Gives a run what a job of an earlier one made, as if `to_job` had.
Result<void> copy_artifacts(store::Transaction& tx, std::int64_t from_job, std::int64_t to_run, std::int64_t to_job);

// What went; its blobs are those that unnamed_blobs() tells of.
struct RemovedRows {
  int count = 0;
  std::int64_t bytes = 0;
};

// Blobs that rows of these tables named and no longer do, at most so many. Others may still name them.
Result<std::vector<std::string>> unnamed_blobs(store::Reader& reader, int limit);
Result<void> forget_unnamed_blob(store::Transaction& tx, std::string_view sha256);

struct Cache {
  std::string key;
  std::string sha256;
  std::int64_t size_bytes = 0;
};

// Artifacts of workflow runs and caches of repositories. Any thread.
class RunArtifacts {
 public:
  RunArtifacts(store::Database& db, store::BlobStore& blobs, const Clock& clock)
      : db_(db), blobs_(blobs), clock_(clock) {}

  // How long an artifact of the run stays that does not say it itself. Default: with its run. Before others use this.
  void keep_by(std::function<std::optional<Duration>(std::int64_t run)> rule) { keep_ = std::move(rule); }

  // Registers an uploaded blob under `name`, for the attempt that the run is at. kAlreadyExists for a name that was
  // used in this attempt, unless `overwrite`, or if the same job used it and was preempted since: then it takes its
  // place. Artifacts of earlier attempts stay, behind it. kNotFound if the blob is not there; kInvalidArgument for a
  // name that check_artifact_name refuses, for bytes that are no zip though they should be, or for a file path that
  // leaves the archive. The files of a zip are read out of it.
  Result<Artifact> add(Artifact artifact, bool overwrite);
  // Whether add() would take the name from this job; else its error.
  Result<void> check_free(std::int64_t run_id, std::int64_t job_id, std::string_view name);
  // By name. A name may be used in each attempt: the newest is given, or the newest up to `attempt`, so that what jobs
  // made that were not run again is there.
  Result<std::vector<Artifact>> list(std::int64_t run_id, std::int64_t attempt = 0);
  Result<Artifact> find(std::int64_t run_id, std::string_view name, std::int64_t attempt = 0);
  // Those of every attempt.
  Result<std::vector<Artifact>> list_all(std::int64_t run_id);
  Result<Artifact> find(std::int64_t id);
  // Gives what it was.
  Result<Artifact> remove(std::int64_t id);

  // The cache of `key`, else the newest one that starts with one of `restore_keys` in their order: first those saved on
  // `ref`, then those of `default_ref`, as GitHub scopes them. `version` must match exactly.
  Result<std::optional<Cache>> lookup_cache(std::string_view repository, std::string_view ref,
                                            std::string_view default_ref, std::string_view key,
                                            std::span<const std::string> restore_keys, std::string_view version);
  // Gives the entry's number. kAlreadyExists for a key and version that the ref has: caches do not change.
  Result<std::int64_t> save_cache(std::string_view repository, std::string_view ref, std::string_view version,
                                  const Cache& cache);

  // Forgets artifacts whose time is over. Those of `needed` runs get another day instead.
  Result<RemovedRows> remove_expired(const std::set<std::int64_t>& needed);
  // Forgets caches, those used longest ago first, of each repository that has more than `bytes_max` of them.
  Result<RemovedRows> trim_caches(const std::function<std::int64_t(const std::string& repository)>& bytes_max);

 private:
  void note_use(std::string_view repository, std::string_view ref, std::string_view version, const Cache& cache);

  store::Database& db_;
  store::BlobStore& blobs_;
  const Clock& clock_;
  std::function<std::optional<Duration>(std::int64_t run)> keep_;
};

}  // namespace weir::engine
