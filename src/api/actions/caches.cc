// CacheService, version 2: what @actions/cache asks for.
#include "api/actions/service.h"

namespace weir::api::actions {
namespace {

constexpr Duration kDownloadLimit = std::chrono::hours{1};

// Clients know by the first words that the job's `cache-mode` is the reason, warn, and go on.
constexpr std::string_view kWriteDenied = "cache write denied: the job's cache-mode lets it save no caches";
constexpr std::string_view kReadDenied = "cache read denied: the job's cache-mode lets it restore no caches";

Result<void> check_cache(std::string_view key, std::string_view version) {
  if (key.empty() || key.size() > 512 || key.find(',') != std::string_view::npos) {
    return fail(Code::kInvalidArgument, "a cache key has 1 to 512 characters and no comma");
  }
  if (version.empty() || version.size() > 512) return fail(Code::kInvalidArgument, "the cache's version is missing");
  return {};
}

json::object not_ok(std::string_view message) {
  return {{"ok", false}, {"message", message}};
}

}  // namespace

// An upload that becomes the cache when its bytes are there. kPermissionDenied if the job may save none, kAlreadyExists
// if there is one, or one is on its way.
Result<std::string> Service::reserve_cache(const JobProof& job, const std::string& key, const std::string& version) {
  WEIR_TRY(check_cache(key, version));
  if (!types::may_save(WEIR_TRY(parts_.cache_mode(job.job)))) {
    return fail(Code::kPermissionDenied, "{}", kWriteDenied);
  }
  const auto run = WEIR_TRY(parts_.run(job.run));
  const UploadPurpose purpose{.kind = "cache",
                              .run = job.run,
                              .job = job.job,
                              .name = key,
                              .version = version,
                              .repository = run.repo,
                              .ref = run.ref,
                              .format = {},
                              .expires_at = {}};
  if (WEIR_TRY(parts_.artifacts->lookup_cache(run.repo, run.ref, run.ref, key, {}, version))) {
    return fail(Code::kAlreadyExists, "there is a cache \"{}\" already; caches do not change", key);
  }
  for (const auto& id : uploads_.find([&](const UploadPurpose& other) {
         return other.kind == purpose.kind && other.repository == purpose.repository && other.ref == purpose.ref &&
                other.name == purpose.name && other.version == purpose.version;
       })) {
    const auto other = WEIR_TRY(uploads_.purpose(id));
    if (other.job != job.job && parts_.job_runs(other.run, other.job).value_or(false)) {
      return fail(Code::kAlreadyExists, "job {} is saving the cache \"{}\" already", other.job, key);
    }
    uploads_.remove(id);
  }
  forget_ended();
  return uploads_.begin(purpose);
}

Result<std::int64_t> Service::save_cache(const std::string& upload, const json::value& size_bytes) {
  const auto purpose = WEIR_TRY(uploads_.purpose(upload));
  const auto staged = WEIR_TRY(take_upload(upload, size_bytes, {}));
  auto entry =
      parts_.artifacts->save_cache(purpose.repository, purpose.ref, purpose.version,
                                   {.key = purpose.name, .sha256 = staged.sha256, .size_bytes = staged.size_bytes});
  if (entry || is_refused(entry.error().code)) uploads_.remove(upload);
  return entry;
}

Result<std::optional<engine::Cache>> Service::find_cache(const JobProof& job, const std::string& key,
                                                         std::vector<std::string> prefixes,
                                                         const std::string& version) {
  WEIR_TRY(check_cache(key, version));
  if (!types::may_restore(WEIR_TRY(parts_.cache_mode(job.job)))) {
    return fail(Code::kPermissionDenied, "{}", kReadDenied);
  }
  const auto run = WEIR_TRY(parts_.run(job.run));
  // A key is a prefix, too: the client says so, and GitHub's service takes it so.
  prefixes.insert(prefixes.begin(), key);
  return parts_.artifacts->lookup_cache(run.repo, run.ref, parts_.default_ref(run.repo).value_or(run.ref), key,
                                        prefixes, version);
}

std::string Service::cache_download(const engine::Cache& cache) const {
  return sign_address(fmt::format("/actions/caches/{}/cache", cache.sha256), "r", kDownloadLimit);
}

Result<json::value> Service::create_cache(const JobProof& job, const json::value& request) {
  const auto id = reserve_cache(job, text_field(request, "key"), text_field(request, "version"));
  if (!id && (id.error().code == Code::kAlreadyExists || id.error().code == Code::kPermissionDenied)) {
    return not_ok(id.error().message);
  }
  return json::object{{"ok", true}, {"signed_upload_url", upload_address(WEIR_TRY(id), "cache")}, {"message", ""}};
}

Result<json::value> Service::finalize_cache(const JobProof& job, const json::value& request) {
  const std::string key = text_field(request, "key");
  const std::string version = text_field(request, "version");
  const auto ids = uploads_.find([&](const UploadPurpose& purpose) {
    return purpose.kind == "cache" && purpose.job == job.job && purpose.name == key && purpose.version == version;
  });
  if (ids.empty()) return fail(Code::kNotFound, "this job saves no cache \"{}\"", key);
  const auto entry = save_cache(ids.front(), field(request, "size_bytes"));
  if (!entry && entry.error().code == Code::kAlreadyExists) return not_ok(entry.error().message);
  return json::object{{"ok", true}, {"entry_id", fmt::format("{}", WEIR_TRY(entry))}, {"message", ""}};
}

Result<json::value> Service::cache_address(const JobProof& job, const json::value& request) {
  std::vector<std::string> prefixes;
  if (const auto& keys = field(request, "restore_keys"); keys.is_array()) {
    for (const auto& prefix : keys.get_array()) {
      if (prefix.is_string() && !prefix.get_string().empty()) prefixes.emplace_back(prefix.get_string());
    }
  }
  const auto found =
      WEIR_TRY(find_cache(job, text_field(request, "key"), std::move(prefixes), text_field(request, "version")));
  if (!found) return json::object{{"ok", false}, {"signed_download_url", ""}, {"matched_key", ""}};
  return json::object{{"ok", true}, {"signed_download_url", cache_download(*found)}, {"matched_key", found->key}};
}

}  // namespace weir::api::actions
