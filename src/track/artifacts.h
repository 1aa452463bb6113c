#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "io/http.h"
#include "store/blob_store.h"
#include "store/database.h"
#include "track/entities.h"

namespace weir::track {

// The tree of artifacts: rows of (folder, name) that point to blobs. Paths are relative to one root:
// "7/<run>/artifacts/model/MLmodel", "7/models/<model id>/artifacts/…", and "versions/<n>/…" for the files of
// registered model versions, which are never changed. Any thread.
class Artifacts {
 public:
  // Both outlive this.
  Artifacts(store::Database& db, store::BlobStore& blobs) : db_(db), blobs_(blobs) {}

  // Below it are the files of registered versions.
  static constexpr std::string_view kVersionsRoot = "versions";

  // Stores what `source` gives as the file `path`, replacing what was there; folders are made. When it returns, bytes
  // and row are on disk. kInvalidArgument for a bad path, a folder of that name, a file where a folder is needed or a
  // length other than `size_bytes` (unless < 0); kFailedPrecondition below kVersionsRoot.
  Result<ArtifactInfo> put(std::string_view path, io::ByteSource& source, std::int64_t size_bytes = -1);
  Result<ArtifactInfo> put(std::string_view path, std::string_view bytes);

  // The file at `path`. kNotFound for anything else.
  Result<ArtifactInfo> file(std::string_view path);
  // Its bytes, and the local file that holds them.
  Result<std::string> read(std::string_view path);
  Result<std::filesystem::path> local_file(std::string_view path);

  // What is in a folder, by name; nothing for a file or an unknown path.
  Result<std::vector<ArtifactInfo>> list(std::string_view path);
  static Result<std::vector<ArtifactInfo>> list(store::Reader& reader, std::string_view path);
  // Every file below a folder, with its path relative to it.
  static Result<std::vector<ArtifactInfo>> files_below(store::Reader& reader, std::string_view path);

  // Forgets a file or a whole folder; fine if there is none. The blobs stay until nothing refers to them.
  // kFailedPrecondition below kVersionsRoot, kInvalidArgument for the root.
  Result<void> remove(std::string_view path);

  // Gives folder `to` the files of folder `from` (rows only). How many files there are now.
  static Result<std::int64_t> copy(store::Transaction& tx, std::string_view from, std::string_view to);
  static Result<void> remove_below(store::Transaction& tx, std::string_view path);

  // Writes the files of folder `path` to `folder` on disk by hard links, or copies where links cannot be made; readers
  // must not change them. The folder appears whole or not at all, and one that holds something is left as it is.
  // kNotFound if there are no files.
  Result<void> materialise(std::string_view path, const std::filesystem::path& folder);

  // Names (SHA-256) of all blobs that artifacts refer to, each at least once: for fsck and clean-up.
  static Result<void> for_each_blob(store::Reader& reader, const std::function<void(std::string_view)>& each);

 private:
  Result<ArtifactInfo> record(std::string_view path, const store::BlobInfo& blob);

  store::Database& db_;
  store::BlobStore& blobs_;
};

// "7/x" for "mlflow-artifacts:/7/x", also with a host, and for "http://host/api/2.0/mlflow-artifacts/artifacts/7/x";
// nothing for what lives elsewhere (s3://…). kInvalidArgument if the path climbs.
Result<std::optional<std::string>> artifact_path_of(std::string_view uri);
// "mlflow-artifacts:/7/x".
std::string artifact_uri_of(std::string_view path);

}  // namespace weir::track
