#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

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

// What a step uploaded for later jobs and for people: a tar archive compressed by zstd, in the blob store.
struct Artifact {
  std::int64_t id = 0;
  std::int64_t run_id = 0;
  std::string name;
  std::string sha256;
  std::int64_t size_bytes = 0;
  std::vector<ArtifactFile> files;
  TimePoint created_at;
};
json::object to_json(const Artifact& artifact);

struct Cache {
  std::string key;
  std::string sha256;
  std::int64_t size_bytes = 0;
};

// Artifacts of workflow runs and caches of repositories. Any thread.
class RunArtifacts {
 public:
  RunArtifacts(store::Database& db, store::BlobStore& blobs) : db_(db), blobs_(blobs) {}

  // Registers an uploaded blob under `name`. kAlreadyExists for a name that the run has, unless `overwrite`;
  // kNotFound if the blob is not there; kInvalidArgument for a name with / \ : " < > | * ? or a line break, or for a
  // file path that leaves the archive.
  Result<Artifact> add(Artifact artifact, bool overwrite);
  Result<std::vector<Artifact>> list(std::int64_t run_id);
  Result<Artifact> find(std::int64_t run_id, std::string_view name);

  // The cache of `key`, else the newest one that starts with one of `restore_keys` in their order: first those saved on
  // `ref`, then those of `default_ref`, as GitHub scopes them. `version` must match exactly.
  Result<std::optional<Cache>> lookup_cache(std::string_view repository, std::string_view ref,
                                            std::string_view default_ref, std::string_view key,
                                            std::span<const std::string> restore_keys, std::string_view version);
  // kAlreadyExists for a key and version that the ref has: caches do not change.
  Result<void> save_cache(std::string_view repository, std::string_view ref, std::string_view version,
                          const Cache& cache);

 private:
  store::Database& db_;
  store::BlobStore& blobs_;
};

}  // namespace weir::engine
