#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "access/access.h"
#include "api/actions/jwt.h"
#include "api/actions/uploads.h"
#include "base/clock.h"
#include "base/log.h"
#include "engine/engine.h"
#include "engine/run_artifacts.h"
#include "io/http.h"
#include "store/blob_store.h"

// The services that a job's steps talk to while they run, as GitHub's published clients expect them
// (@actions/artifact, @actions/cache, getIDToken of @actions/core):
//
//   POST /twirp/github.actions.results.api.v1.ArtifactService/…   artifacts; CacheService: caches
//   PUT  /actions/uploads/…, GET /actions/artifacts/…, /actions/caches/…   bytes, at addresses that those give out
//   GET  /actions/id-token                                        an OIDC token; the keys are below /.well-known/
//   GET  /api/v3/repos/{owner}/{repo}/actions/…/artifacts         artifacts of any run, as GitHub's REST API has them;
//                                                                 callers are checked as everywhere below /api
//
// Callers of the others prove who they are by the job's own tokens, which are JSON Web Tokens of this server's and good
// while the job runs, or by an address that is signed, expires, and is good for one upload or one artifact.
namespace weir::api::actions {

struct Parts {
  const Clock* clock = nullptr;
  Log* log = nullptr;
  store::BlobStore* blobs = nullptr;
  engine::RunArtifacts* artifacts = nullptr;
  std::function<Result<engine::Run>(std::int64_t run)> run;
  std::function<Result<bool>(std::int64_t run, std::int64_t job)> job_runs;  // whether the run's job is at work
  std::function<Result<types::CacheMode>(std::int64_t job)> cache_mode;
  std::function<Result<std::string>(const std::string& repo)> default_ref;  // "refs/heads/main"
  // Whether a caller of the REST API may do that.
  std::function<Result<void>(const types::Identity& identity, access::Permission permission, std::string_view object)>
      allow;
  std::function<std::string()> server_url;  // "http://127.0.0.1:4510"
  std::filesystem::path keys_dir;           // holds actions.key and oidc.pem
  std::filesystem::path uploads_dir;        // on the blobs' disk
};

// A job whose token was checked.
struct JobProof {
  std::int64_t run = 0;
  std::int64_t job = 0;
};

// Any thread.
class Service {
 public:
  static Result<std::unique_ptr<Service>> open(Parts parts);

  // The variables that a job's actions find these services by.
  [[nodiscard]] json::object job_variables(const engine::StartingJob& job) const;

  // The routes outlive nothing of this: drop the router first.
  void add_routes(io::Router& router);

  // Forgets the uploads of jobs that have ended. At start, when the engine runs.
  void forget_ended();

 private:
  Service(Parts parts, HmacKey key);

  using Call = Result<json::value> (Service::*)(const JobProof& job, const json::value& request);
  void add_call(io::Router& router, std::string_view service, std::string_view method, Call call);

  Result<json::value> create_artifact(const JobProof& job, const json::value& request);
  Result<json::value> finalize_artifact(const JobProof& job, const json::value& request);
  Result<json::value> list_artifacts(const JobProof& job, const json::value& request);
  Result<json::value> artifact_address(const JobProof& job, const json::value& request);
  Result<json::value> delete_artifact(const JobProof& job, const json::value& request);
  Result<engine::Artifact> named_artifact(const JobProof& job, const json::value& request);
  Result<json::value> create_cache(const JobProof& job, const json::value& request);
  Result<json::value> finalize_cache(const JobProof& job, const json::value& request);
  Result<json::value> cache_address(const JobProof& job, const json::value& request);

  Result<io::HttpResponse> put_upload(io::HttpRequest& request);
  Result<io::HttpResponse> get_artifact(io::HttpRequest& request);
  Result<io::HttpResponse> get_cache(io::HttpRequest& request);
  Result<io::HttpResponse> id_token(io::HttpRequest& request);
  Result<io::HttpResponse> openid_configuration(io::HttpRequest& request);
  Result<io::HttpResponse> key_set(io::HttpRequest& request);

  // What both versions of the cache service do.
  Result<std::string> reserve_cache(const JobProof& job, const std::string& key, const std::string& version);
  Result<std::int64_t> save_cache(const std::string& upload, const json::value& size_bytes);
  Result<std::optional<engine::Cache>> find_cache(const JobProof& job, const std::string& key,
                                                  std::vector<std::string> prefixes, const std::string& version);
  [[nodiscard]] std::string cache_download(const engine::Cache& cache) const;

  void add_old_cache_routes(io::Router& router);
  Result<io::HttpResponse> old_lookup(io::HttpRequest& request, const JobProof& job);
  Result<io::HttpResponse> old_reserve(io::HttpRequest& request, const JobProof& job);
  Result<io::HttpResponse> old_chunk(io::HttpRequest& request, const JobProof& job);
  Result<io::HttpResponse> old_commit(io::HttpRequest& request, const JobProof& job);
  Result<std::string> old_upload(const io::HttpRequest& request, const JobProof& job);

  Result<io::HttpResponse> rest_list(io::HttpRequest& request);
  Result<io::HttpResponse> rest_get(io::HttpRequest& request);
  Result<io::HttpResponse> rest_download(io::HttpRequest& request);
  Result<io::HttpResponse> rest_delete(io::HttpRequest& request);
  Result<engine::Artifact> rest_artifact(const io::HttpRequest& request, access::Permission permission);
  Result<engine::Run> rest_run(const io::HttpRequest& request, std::int64_t run);
  void add_rest_routes(io::Router& router);

  // The job that holds the request's bearer token and still runs.
  [[nodiscard]] Result<JobProof> prove(const io::HttpRequest& request) const;
  [[nodiscard]] Result<json::object> read_bearer(std::string_view purpose, const io::HttpRequest& request) const;
  // An address good for `allows` ("w": to write, "r": to read) until `limit` from now.
  [[nodiscard]] std::string sign_address(std::string_view path, std::string_view allows, Duration limit) const;
  [[nodiscard]] Result<void> check_address(const io::HttpRequest& request, std::string_view allows) const;
  Result<std::string> begin_upload(const UploadPurpose& purpose);
  [[nodiscard]] std::string upload_address(const std::string& id, std::string_view kind) const;
  static bool is_refused(Code code);
  Result<StagedUpload> take_upload(const std::string& id, const json::value& size, const json::value& hash);

  Parts parts_;
  HmacKey key_;
  RsaKey id_key_;
  Uploads uploads_;
};

// Whether the routes above, which check their callers themselves, answer `path`.
bool proves_itself(std::string_view path);

// A member of a message by its name in snake_case, or in camelCase as some clients write it; null if absent. Texts and
// numbers may be wrapped as {"value": …}.
const json::value& field(const json::value& message, std::string_view name);
std::string text_field(const json::value& message, std::string_view name);
// Numbers of 64 bits come as texts.
std::int64_t number_field(const json::value& message, std::string_view name, std::int64_t fallback);

}  // namespace weir::api::actions
