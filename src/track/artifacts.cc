#include "track/artifacts.h"

#include <system_error>

#include "base/hash.h"
#include "io/file.h"
#include "track/names.h"

namespace weir::track {
namespace {

constexpr std::string_view kScheme = "mlflow-artifacts:";
constexpr std::string_view kProxyPath = "/api/2.0/mlflow-artifacts/artifacts";

struct Split {
  std::string_view folder;
  std::string_view name;
};

Split split(std::string_view path) {
  const auto slash = path.rfind('/');
  if (slash == std::string_view::npos) return {{}, path};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

bool is_version_file(std::string_view path) {
  return path == Artifacts::kVersionsRoot || path.starts_with(std::string(Artifacts::kVersionsRoot) + "/");
}

Result<void> check_changeable(std::string_view path) {
  WEIR_TRY(check_artifact_path(path));
  if (path.empty()) return fail(Code::kInvalidArgument, "an artifact path is needed");
  if (!is_version_file(path)) return {};
  return fail(Code::kFailedPrecondition, "\"{}\" belongs to a registered model version, whose files never change",
              path);
}

// Rows below `path` are those whose folder is `path` or lies between "path/" and "path0" ('0' follows '/'), which an
// index answers where text is ordered by its bytes.
struct Below {
  std::string folder, from, to;
};
Below below(std::string_view path) {
  return {std::string(path), std::string(path) + "/", std::string(path) + "0"};
}

Result<void> make_folders(store::Transaction& tx, std::string_view folder) {
  while (!folder.empty()) {
    const auto [parent, name] = split(folder);
    const auto is_folder =
        WEIR_TRY(tx.integer("SELECT is_folder FROM track_artifacts WHERE folder = ? AND name = ?", {parent, name}));
    if (is_folder == 1) return {};  // then its parents are there
    if (is_folder) return fail(Code::kInvalidArgument, "\"{}\" is a file, so nothing can be put below it", folder);
    WEIR_TRY(
        tx.execute("INSERT INTO track_artifacts(folder, name, is_folder, blob, size_bytes, created_ms) "
                   "VALUES(?, ?, 1, '', 0, ?)",
                   {parent, name, to_millis(tx.now())}));
    folder = parent;
  }
  return {};
}

ArtifactInfo read_row(const store::Row& row) {
  return {.path = row.string(0), .is_folder = row.boolean(1), .sha256 = row.string(2), .size_bytes = row.integer(3)};
}

Result<void> link_or_copy(const std::filesystem::path& from, const std::filesystem::path& to) {
  std::error_code error;
  std::filesystem::create_hard_link(from, to, error);
  if (!error) return {};
  std::filesystem::copy_file(from, to, error);
  if (error) return fail_errno(error.value(), fmt::format("cannot copy {} to {}", from.string(), to.string()));
  return {};
}

}  // namespace

Result<ArtifactInfo> Artifacts::put(std::string_view path, io::ByteSource& source, std::int64_t size_bytes) {
  WEIR_TRY(check_changeable(path));
  return record(path, WEIR_TRY(blobs_.put_stream(source, {}, size_bytes)));
}

Result<ArtifactInfo> Artifacts::put(std::string_view path, std::string_view bytes) {
  WEIR_TRY(check_changeable(path));
  return record(path, WEIR_TRY(blobs_.put(bytes)));
}

Result<ArtifactInfo> Artifacts::record(std::string_view path, const store::BlobInfo& blob) {
  const auto [folder, name] = split(path);
  WEIR_TRY(db_.write([&](store::Transaction& tx) -> Result<void> {
    WEIR_TRY(make_folders(tx, folder));
    const auto changed =
        WEIR_TRY(tx.execute("INSERT INTO track_artifacts(folder, name, is_folder, blob, size_bytes, created_ms) "
                            "VALUES(?, ?, 0, ?, ?, ?) ON CONFLICT(folder, name) DO UPDATE SET blob = excluded.blob, "
                            "size_bytes = excluded.size_bytes, created_ms = excluded.created_ms "
                            "WHERE track_artifacts.is_folder = 0",
                            {folder, name, blob.sha256, blob.size_bytes, to_millis(tx.now())}));
    if (changed == 0) return fail(Code::kInvalidArgument, "\"{}\" is a folder, so no file can have that name", path);
    return {};
  }));
  return ArtifactInfo{.path = std::string(path), .sha256 = blob.sha256, .size_bytes = blob.size_bytes};
}

Result<ArtifactInfo> Artifacts::file(std::string_view path) {
  WEIR_TRY(check_artifact_path(path));
  const auto [folder, name] = split(path);
  std::optional<ArtifactInfo> found;
  WEIR_TRY(db_.read([&](store::Reader& reader) {
    return reader.query("SELECT name, is_folder, blob, size_bytes FROM track_artifacts WHERE folder = ? AND name = ?",
                        {folder, name}, [&](const store::Row& row) { found = read_row(row); });
  }));
  if (!found) return fail(Code::kNotFound, "no artifact \"{}\"", path);
  if (found->is_folder) return fail(Code::kNotFound, "artifact \"{}\" is a folder, not a file", path);
  found->path = path;
  return *std::move(found);
}

Result<std::filesystem::path> Artifacts::local_file(std::string_view path) {
  return blobs_.local_path(WEIR_TRY(file(path)).sha256);
}

Result<std::string> Artifacts::read(std::string_view path) {
  return blobs_.get(WEIR_TRY(file(path)).sha256);
}

Result<std::vector<ArtifactInfo>> Artifacts::list(std::string_view path) {
  WEIR_TRY(check_artifact_path(path));
  return db_.load<std::vector<ArtifactInfo>>([&](store::Reader& reader) { return list(reader, path); });
}

Result<std::vector<ArtifactInfo>> Artifacts::list(store::Reader& reader, std::string_view path) {
  return reader.all<ArtifactInfo>(
      "SELECT name, is_folder, blob, size_bytes FROM track_artifacts WHERE folder = ? ORDER BY name", {path}, read_row);
}

Result<std::vector<ArtifactInfo>> Artifacts::files_below(store::Reader& reader, std::string_view path) {
  const auto range = below(path);
  const std::size_t prefix = path.empty() ? 0 : path.size() + 1;
  return reader.all<ArtifactInfo>(
      "SELECT name, is_folder, blob, size_bytes, folder FROM track_artifacts "
      "WHERE (folder = ? OR (folder >= ? AND folder < ?)) AND is_folder = 0 ORDER BY folder, name",
      {range.folder, range.from, range.to}, [&](const store::Row& row) {
        ArtifactInfo info = read_row(row);
        const auto folder = row.text(4);
        if (folder.size() > prefix) info.path = std::string(folder.substr(prefix)) + "/" + info.path;
        return info;
      });
}

Result<void> Artifacts::remove_below(store::Transaction& tx, std::string_view path) {
  const auto range = below(path);
  WEIR_TRY(tx.execute("DELETE FROM track_artifacts WHERE folder = ? OR (folder >= ? AND folder < ?)",
                      {range.folder, range.from, range.to}));
  // Folders that hold nothing are gone, as in an object store.
  for (std::string_view rest = path; !rest.empty();) {
    const auto [folder, name] = split(rest);
    WEIR_TRY(tx.execute("DELETE FROM track_artifacts WHERE folder = ? AND name = ?", {folder, name}));
    const auto left = WEIR_TRY(tx.integer("SELECT 1 FROM track_artifacts WHERE folder = ? LIMIT 1", {folder}));
    if (left) break;
    rest = folder;
  }
  return {};
}

Result<void> Artifacts::remove(std::string_view path) {
  WEIR_TRY(check_changeable(path));
  return db_.write([&](store::Transaction& tx) { return remove_below(tx, path); });
}

Result<std::int64_t> Artifacts::copy(store::Transaction& tx, std::string_view from, std::string_view to) {
  const auto range = below(from);
  const auto files = WEIR_TRY(tx.integer(
      "SELECT COUNT(*) FROM track_artifacts WHERE (folder = ? OR (folder >= ? AND folder < ?)) AND is_folder = 0",
      {range.folder, range.from, range.to}));
  if (files.value_or(0) == 0) return 0;
  WEIR_TRY(make_folders(tx, to));
  WEIR_TRY(
      tx.execute("INSERT INTO track_artifacts(folder, name, is_folder, blob, size_bytes, created_ms) "
                 "SELECT ? || substr(folder, ?), name, is_folder, blob, size_bytes, created_ms FROM track_artifacts "
                 "WHERE folder = ? OR (folder >= ? AND folder < ?)",
                 {to, static_cast<std::int64_t>(length(from)) + 1, range.folder, range.from, range.to}));
  return files.value_or(0);
}

Result<void> Artifacts::materialise(std::string_view path, const std::filesystem::path& folder) {
  std::error_code error;
  if (std::filesystem::exists(folder, error) && !std::filesystem::is_empty(folder, error)) return {};
  const auto files =
      WEIR_TRY(db_.load<std::vector<ArtifactInfo>>([&](store::Reader& reader) { return files_below(reader, path); }));
  if (files.empty()) return fail(Code::kNotFound, "there are no artifacts below \"{}\"", path);
  WEIR_TRY(io::make_dirs(folder.parent_path()));
  const auto draft = folder.parent_path() / fmt::format(".{}.{}", folder.filename().string(), random_hex(6));
  const auto fill = [&]() -> Result<void> {
    for (const auto& info : files) {
      const auto target = WEIR_TRY(io::join_below(draft, info.path));
      WEIR_TRY(io::make_dirs(target.parent_path()));
      WEIR_TRY(link_or_copy(WEIR_TRY(blobs_.local_path(info.sha256)), target));
    }
    std::filesystem::rename(draft, folder, error);  // onto nothing or an empty folder
    // Another thread may have been faster with the same files.
    if (error && !std::filesystem::exists(folder / files.front().path)) {
      return fail_errno(error.value(), fmt::format("cannot rename {} to {}", draft.string(), folder.string()));
    }
    return {};
  };
  auto filled = fill();
  (void)io::remove_tree(draft);
  return filled;
}

Result<void> Artifacts::for_each_blob(store::Reader& reader, const std::function<void(std::string_view)>& each) {
  return reader.query("SELECT DISTINCT blob FROM track_artifacts WHERE is_folder = 0", {},
                      [&](const store::Row& row) { each(row.text(0)); });
}

Result<std::optional<std::string>> artifact_path_of(std::string_view uri) {
  std::string_view path;
  if (uri.starts_with(kScheme)) {
    path = uri.substr(kScheme.size());
    if (path.starts_with("//") && !path.starts_with("///")) {
      const auto slash = path.find('/', 2);
      path = slash == std::string_view::npos ? std::string_view{} : path.substr(slash);
    }
  } else if (uri.starts_with("http://") || uri.starts_with("https://")) {
    const auto at = uri.find(kProxyPath);
    if (at == std::string_view::npos) return std::nullopt;
    path = uri.substr(at + kProxyPath.size());
  } else {
    return std::nullopt;
  }
  while (path.starts_with('/')) path.remove_prefix(1);
  while (path.ends_with('/')) path.remove_suffix(1);
  WEIR_TRY(check_artifact_path(path));
  return std::string(path);
}

std::string artifact_uri_of(std::string_view path) {
  return fmt::format("{}/{}", kScheme, path);
}

}  // namespace weir::track
