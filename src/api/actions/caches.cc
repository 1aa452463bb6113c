// CacheService, version 2: what @actions/cache asks for.
#include "api/actions/service.h"

namespace weir::api::actions {
namespace {

constexpr Duration kDownloadLimit = std::chrono::hours{1};

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

Result<json::value> Service::create_cache(const JobProof& job, const json::value& request) {
  const auto run = WEIR_TRY(parts_.run(job.run));
  UploadPurpose purpose{.kind = "cache",
                        .run = job.run,
                        .job = job.job,
                        .name = text_field(request, "key"),
                        .version = text_field(request, "version"),
                        .repository = run.repo,
                        .ref = run.ref,
                        .format = {},
                        .expires_at = {}};
  WEIR_TRY(check_cache(purpose.name, purpose.version));
  const auto known =
      WEIR_TRY(parts_.artifacts->lookup_cache(run.repo, run.ref, run.ref, purpose.name, {}, purpose.version));
  if (known) return not_ok(fmt::format("there is a cache \"{}\" already; caches do not change", purpose.name));
  for (const auto& id : uploads_.find([&](const UploadPurpose& other) {
         return other.kind == purpose.kind && other.repository == purpose.repository && other.ref == purpose.ref &&
                other.name == purpose.name && other.version == purpose.version;
       })) {
    const auto other = WEIR_TRY(uploads_.purpose(id));
    if (other.job != job.job && parts_.job_runs(other.run, other.job).value_or(false)) {
      return not_ok(fmt::format("job {} is saving the cache \"{}\" already", other.job, purpose.name));
    }
    uploads_.remove(id);
  }
  return json::object{{"ok", true}, {"signed_upload_url", WEIR_TRY(begin_upload(purpose))}, {"message", ""}};
}

Result<json::value> Service::finalize_cache(const JobProof& job, const json::value& request) {
  const std::string key = text_field(request, "key");
  const std::string version = text_field(request, "version");
  const auto ids = uploads_.find([&](const UploadPurpose& purpose) {
    return purpose.kind == "cache" && purpose.job == job.job && purpose.name == key && purpose.version == version;
  });
  if (ids.empty()) return fail(Code::kNotFound, "this job saves no cache \"{}\"", key);
  const auto purpose = WEIR_TRY(uploads_.purpose(ids.front()));
  const auto staged = WEIR_TRY(take_upload(ids.front(), field(request, "size_bytes"), {}));
  uploads_.remove(ids.front());
  auto entry = parts_.artifacts->save_cache(purpose.repository, purpose.ref, version,
                                            {.key = key, .sha256 = staged.sha256, .size_bytes = staged.size_bytes});
  if (!entry && entry.error().code == Code::kAlreadyExists) return not_ok(entry.error().message);
  WEIR_TRY(entry);
  return json::object{{"ok", true}, {"entry_id", fmt::format("{}", *entry)}, {"message", ""}};
}

Result<json::value> Service::cache_address(const JobProof& job, const json::value& request) {
  const auto run = WEIR_TRY(parts_.run(job.run));
  const std::string key = text_field(request, "key");
  const std::string version = text_field(request, "version");
  WEIR_TRY(check_cache(key, version));
  std::vector<std::string> prefixes;
  if (const auto& keys = field(request, "restore_keys"); keys.is_array()) {
    for (const auto& prefix : keys.get_array()) {
      if (prefix.is_string() && !prefix.get_string().empty()) prefixes.emplace_back(prefix.get_string());
    }
  }
  // A key is a prefix, too: the client says so, and GitHub's service takes it so.
  prefixes.insert(prefixes.begin(), key);
  const auto found = WEIR_TRY(parts_.artifacts->lookup_cache(
      run.repo, run.ref, parts_.default_ref(run.repo).value_or(run.ref), key, prefixes, version));
  if (!found) return json::object{{"ok", false}, {"signed_download_url", ""}, {"matched_key", ""}};
  return json::object{{"ok", true},
                      {"signed_download_url",
                       sign_address(fmt::format("/actions/caches/{}/cache", found->sha256), "r", kDownloadLimit)},
                      {"matched_key", found->key}};
}

}  // namespace weir::api::actions
