#include <sys/stat.h>

#include "api/weir/routes.h"

namespace weir::api {
namespace {

using engine::Artifact;

Result<io::HttpResponse> put_blob(const Services& services, io::HttpRequest& request) {
  const std::string& sha256 = request.params["sha256"];
  std::int64_t size = -1;
  if (const auto header = request.headers.get("Content-Length"); !header.empty()) {
    size = std::strtoll(std::string(header).c_str(), nullptr, 10);
  }
  const bool known = services.blobs->contains(sha256);
  const auto info = WEIR_TRY(services.blobs->put_stream(*request.body_source, sha256, size));
  return io::json_response(known ? 200 : 201, json::object{{"sha256", info.sha256}, {"size_bytes", info.size_bytes}});
}

// A file that a job's runner left in the exchange folder, on the same disk: not a byte of it is copied.
Result<io::HttpResponse> take_blob(const Services& services, const io::HttpRequest& request) {
  if (!request.identity.job_id) return fail(Code::kPermissionDenied, "only the runner of a job can hand over a file");
  const auto name = WEIR_TRY(json_require_string(WEIR_TRY(body_object(request)), "file"));
  if (name.size() != 32 || name.find_first_not_of("0123456789abcdef") != std::string::npos) {
    return fail(Code::kInvalidArgument, "a file that is handed over is named by 32 hex digits");
  }
  const auto file = services.exchange_dir / name;
  struct stat info{};
  if (services.exchange_dir.empty() || ::lstat(file.c_str(), &info) != 0) {
    return fail(Code::kNotFound, "there is no file {} to take over", name);
  }
  if (!S_ISREG(info.st_mode) || info.st_nlink != 1) {
    return fail(Code::kInvalidArgument, "{} is no plain file of its own", name);
  }
  const auto blob = WEIR_TRY(services.blobs->adopt(file));
  return io::json_response(201, json::object{{"sha256", blob.sha256}, {"size_bytes", blob.size_bytes}});
}

Result<io::HttpResponse> get_blob(const Services& services, io::HttpRequest& request) {
  io::HttpResponse response;
  response.file_path = WEIR_TRY(services.blobs->local_path(request.params["sha256"])).string();
  // Whatever it holds, a browser must not take it for a page of ours.
  response.headers.set("Content-Type", "application/octet-stream");
  response.headers.set("Content-Disposition", "attachment");
  return response;
}

// A job may only touch its own run; people may look at all.
Result<void> require_own_run(const io::HttpRequest& request, std::int64_t run) {
  if (!request.identity.run_id || *request.identity.run_id == run) return {};
  return fail(Code::kPermissionDenied, "{} belongs to run {} and cannot write to run {}", request.identity.name,
              *request.identity.run_id, run);
}

}  // namespace

void describe_download(const Artifact& artifact, io::HttpResponse& response) {
  std::string file_name = artifact.name;
  // A browser must not take a page or a script that somebody uploaded for one of ours.
  std::string_view type = "application/octet-stream";
  if (artifact.format == "zip") {
    file_name += ".zip";
    type = "application/zip";
  } else if (artifact.format != "raw") {
    file_name += ".tar.zst";
    type = "application/zstd";
  }
  response.headers.set("Content-Type", std::string(type));
  response.headers.set("X-Content-Type-Options", "nosniff");
  // Names may hold what a quoted text may not: clients that know the second form take that (RFC 6266).
  response.headers.set(
      "Content-Disposition",
      fmt::format("attachment; filename=\"artifact-{}{}\"; filename*=UTF-8''{}", artifact.id,
                  std::filesystem::path(file_name).extension().string(), io::percent_encode(file_name)));
}

namespace {

Result<io::HttpResponse> add_artifact(const Services& services, const io::HttpRequest& request) {
  Artifact artifact;
  artifact.run_id = WEIR_TRY(id_param(request, "run"));
  WEIR_TRY(require_own_run(request, artifact.run_id));
  const auto body = WEIR_TRY(body_object(request));
  artifact.name = WEIR_TRY(json_require_string(body, "name"));
  artifact.sha256 = WEIR_TRY(json_require_string(body, "sha256"));
  artifact.size_bytes = json_int(body, "size_bytes").value_or(0);
  artifact.format = json_string_or(body, "format", "tar.zst");  // runners of weir 0.1 do not say it
  artifact.job_id = request.identity.job_id.value_or(0);
  if (const auto days = json_int(body, "retention_days"); days && *days > 0 && *days <= 400) {
    artifact.expires_at = services.clock->now() + std::chrono::hours{24 * *days};
  }
  if (const auto* files = json_find(body, "files"); files != nullptr && files->is_array()) {
    for (const auto& file : files->get_array()) {
      artifact.files.push_back({WEIR_TRY(json_require_string(file, "path")), json_int(file, "size_bytes").value_or(0)});
    }
  }
  const auto added = WEIR_TRY(services.artifacts->add(std::move(artifact), json_bool_or(body, "overwrite", false)));
  return io::json_response(201, engine::to_json(added));
}

Result<io::HttpResponse> list_artifacts(const Services& services, const io::HttpRequest& request) {
  const auto run = WEIR_TRY(id_param(request, "run"));
  json::array list;
  const auto every = request.query_value("attempt") == "all";
  const auto attempt = every ? 0 : WEIR_TRY(number_query(request, "attempt", 0, 0, 1'000'000));
  for (const auto& artifact :
       WEIR_TRY(every ? services.artifacts->list_all(run) : services.artifacts->list(run, attempt))) {
    list.push_back(engine::to_json(artifact));
  }
  return io::json_response(200, json::object{{"artifacts", std::move(list)}});
}

Result<io::HttpResponse> download_artifact(const Services& services, io::HttpRequest& request) {
  const auto run = WEIR_TRY(id_param(request, "run"));
  const auto attempt = WEIR_TRY(number_query(request, "attempt", 0, 0, 1'000'000));
  const auto artifact = WEIR_TRY(services.artifacts->find(run, request.params["name"], attempt));
  io::HttpResponse response;
  response.file_path = WEIR_TRY(services.blobs->local_path(artifact.sha256)).string();
  describe_download(artifact, response);
  return response;
}

// The repository and refs whose caches a job may see, and what it may do with them.
struct CacheScope {
  std::string repository;
  std::string ref;
  std::string default_ref;
  types::CacheMode mode = types::CacheMode::kNone;
};
Result<CacheScope> cache_scope(const Services& services, const io::HttpRequest& request) {
  if (!request.identity.run_id || !request.identity.job_id) {
    return fail(Code::kFailedPrecondition, "caches belong to the jobs of a repository; call with a job's token");
  }
  const auto run = WEIR_TRY(services.engine->run(*request.identity.run_id));
  const auto git = WEIR_TRY(services.git(run.repo));
  const auto mode = WEIR_TRY(services.engine->cache_mode(*request.identity.job_id));
  return CacheScope{run.repo, run.ref, git.head_ref().value_or(run.ref), mode};
}

Result<io::HttpResponse> lookup_cache(const Services& services, const io::HttpRequest& request) {
  const auto scope = WEIR_TRY(cache_scope(services, request));
  if (!types::may_restore(scope.mode)) {
    return fail(Code::kPermissionDenied, "cache read denied: the job's cache-mode lets it restore no caches");
  }
  const auto body = WEIR_TRY(body_object(request));
  const auto key = WEIR_TRY(json_require_string(body, "key"));
  std::vector<std::string> restore_keys;
  if (const auto* keys = json_find(body, "restore_keys"); keys != nullptr && keys->is_array()) {
    for (const auto& prefix : keys->get_array()) {
      if (prefix.is_string() && !prefix.get_string().empty()) restore_keys.emplace_back(prefix.get_string());
    }
  }
  const auto cache = WEIR_TRY(services.artifacts->lookup_cache(scope.repository, scope.ref, scope.default_ref, key,
                                                               restore_keys, json_string_or(body, "version", "")));
  if (!cache) return fail(Code::kNotFound, "there is no cache for \"{}\"", key);
  return io::json_response(
      200, json::object{{"key", cache->key}, {"sha256", cache->sha256}, {"size_bytes", cache->size_bytes}});
}

Result<io::HttpResponse> save_cache(const Services& services, const io::HttpRequest& request) {
  const auto scope = WEIR_TRY(cache_scope(services, request));
  if (!types::may_save(scope.mode)) {
    return fail(Code::kPermissionDenied, "cache write denied: the job's cache-mode lets it save no caches");
  }
  const auto body = WEIR_TRY(body_object(request));
  engine::Cache cache;
  cache.key = WEIR_TRY(json_require_string(body, "key"));
  cache.sha256 = WEIR_TRY(json_require_string(body, "sha256"));
  cache.size_bytes = json_int(body, "size_bytes").value_or(0);
  WEIR_TRY(services.artifacts->save_cache(scope.repository, scope.ref, json_string_or(body, "version", ""), cache));
  return io::json_response(201, json::object{{"key", cache.key}});
}

}  // namespace

void add_artifact_routes(RouteTable& table, const Services& services) {
  using access::Permission;
  const auto bind = [&services](auto function) {
    return [&services, function](io::HttpRequest& request) { return function(services, request); };
  };
  table.add({.method = "PUT",
             .pattern = "/api/v1/blobs/{sha256}",
             .permission = Permission::kUploadArtifact,
             .id = "putBlob",
             .summary = "Stores bytes under their digest; 200 if they were there, 201 if not.",
             .request = "application/octet-stream",
             .answer = "Blob",
             .status = 201,
             .other_status = 200},
            bind(put_blob), {.stream_request = true});
  table.add({.method = "POST",
             .pattern = "/api/v1/blobs",
             .permission = Permission::kUploadArtifact,
             .id = "takeBlob",
             .summary = "Takes over a file that a job's runner left in the state's exchange folder; jobs only.",
             .request = "BlobFile",
             .answer = "Blob",
             .status = 201},
            bind(take_blob));
  table.add({.method = "GET",
             .pattern = "/api/v1/blobs/{sha256}",
             .id = "getBlob",
             .summary = "Bytes by their digest.",
             .answer = "application/octet-stream"},
            bind(get_blob));
  table.add({.method = "POST",
             .pattern = "/api/v1/runs/{run}/artifacts",
             .permission = Permission::kUploadArtifact,
             .id = "addArtifact",
             .summary = "Makes a stored blob an artifact of a run.",
             .request = "ArtifactRequest",
             .answer = "Artifact",
             .status = 201},
            bind(add_artifact));
  table.add({.method = "GET",
             .pattern = "/api/v1/runs/{run}/artifacts",
             .id = "listArtifacts",
             .summary = "Artifacts of a run, the newest of each name.",
             .query = {{"attempt", "string", "As this attempt of the run saw them; `all`: those of every attempt."}},
             .answer = "ArtifactList"},
            bind(list_artifacts));
  table.add({.method = "GET",
             .pattern = "/api/v1/runs/{run}/artifacts/{name}",
             .id = "getArtifact",
             .summary = "An artifact's files, as a zip archive; of weir 0.1 as tar and Zstandard.",
             .query = {{"attempt", "integer", "As this attempt of the run saw it; the newest unless given."}},
             .answer = "application/zip"},
            bind(download_artifact));
  table.add({.method = "POST",
             .pattern = "/api/v1/caches/lookup",
             .permission = Permission::kUploadArtifact,
             .id = "findCache",
             .summary = "Finds a cache by key, else the newest by the first prefix that fits; jobs only.",
             .request = "CacheLookup",
             .answer = "Cache"},
            bind(lookup_cache));
  table.add({.method = "POST",
             .pattern = "/api/v1/caches",
             .permission = Permission::kUploadArtifact,
             .id = "saveCache",
             .summary = "Keeps a stored blob as a cache of the job's repository and branch; jobs only.",
             .request = "CacheRequest",
             .answer = "CacheSaved",
             .status = 201},
            bind(save_cache));
}

}  // namespace weir::api
