#include "api/actions/service.h"

#include <charconv>

#include "base/hash.h"
#include "io/file.h"

namespace weir::api::actions {
namespace {

constexpr std::string_view kRuntime = "runtime";
constexpr std::string_view kIdRequest = "id-token";
constexpr std::string_view kAddress = "address";
constexpr Duration kTokenGrace = std::chrono::minutes{30};  // beyond the job's own limit, for its last steps

// Twirp's names of errors, which clients show, and their statuses.
struct TwirpError {
  std::string_view code;
  int status;
};
TwirpError twirp_error(Code code) {
  switch (code) {
    case Code::kInvalidArgument: return {"invalid_argument", 400};
    case Code::kNotFound: return {"not_found", 404};
    case Code::kAlreadyExists: return {"already_exists", 409};
    case Code::kUnauthenticated: return {"unauthenticated", 401};
    case Code::kPermissionDenied: return {"permission_denied", 403};
    case Code::kFailedPrecondition: return {"failed_precondition", 412};
    case Code::kUnavailable: return {"unavailable", 503};
    case Code::kResourceExhausted: return {"resource_exhausted", 507};
    default: return {"internal", 500};
  }
}

io::HttpResponse twirp_response(const Error& error) {
  const auto [code, status] = twirp_error(error.code);
  return io::json_response(status, json::object{{"code", code}, {"msg", error.message}});
}

std::string camel_case(std::string_view name) {
  std::string out;
  bool upper = false;
  for (const char c : name) {
    if (c == '_') {
      upper = true;
      continue;
    }
    out += upper && c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    upper = false;
  }
  return out;
}

Result<std::int64_t> parse_number(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number < 0) {
    return fail(Code::kInvalidArgument, "\"{}\" is no number", text.substr(0, 40));
  }
  return number;
}

// "Actions.Results:<run>:<job>" among the scopes of a token.
Result<JobProof> job_of(const json::object& claims) {
  const std::string scopes = json_string_or(json::value(claims), "scp", "");
  constexpr std::string_view kScope = "Actions.Results:";
  std::string_view rest = scopes;
  const auto at = rest.find(kScope);
  if (at != std::string_view::npos) {
    rest.remove_prefix(at + kScope.size());
    rest = rest.substr(0, rest.find(' '));
    const auto colon = rest.find(':');
    if (colon != std::string_view::npos) {
      return JobProof{.run = WEIR_TRY(parse_number(rest.substr(0, colon))),
                      .job = WEIR_TRY(parse_number(rest.substr(colon + 1)))};
    }
  }
  return fail(Code::kUnauthenticated, "the token belongs to no job");
}

}  // namespace

bool proves_itself(std::string_view path) {
  return path.starts_with("/twirp/") || path.starts_with("/actions/") || path.starts_with("/.well-known/") ||
         path.starts_with("/_apis/artifactcache/");
}

const json::value& field(const json::value& message, std::string_view name) {
  static const json::value kNone;
  const auto* found = json_find(message, name);
  if (found == nullptr) found = json_find(message, camel_case(name));
  if (found != nullptr && found->is_object()) {
    if (const auto* inner = json_find(*found, "value")) found = inner;
  }
  return found == nullptr ? kNone : *found;
}

std::string text_field(const json::value& message, std::string_view name) {
  const auto& value = field(message, name);
  return value.is_string() ? std::string(value.get_string()) : std::string();
}

std::int64_t number_field(const json::value& message, std::string_view name, std::int64_t fallback) {
  const auto& value = field(message, name);
  if (value.is_int64()) return value.get_int64();
  if (!value.is_string()) return fallback;
  return parse_number(value.get_string()).value_or(fallback);
}

Result<std::unique_ptr<Service>> Service::open(Parts parts) {
  auto key = WEIR_TRY(HmacKey::open(parts.keys_dir));
  WEIR_TRY(io::make_dirs(parts.uploads_dir));
  return std::unique_ptr<Service>(new Service(std::move(parts), std::move(key)));
}

Service::Service(Parts parts, HmacKey key)
    : parts_(std::move(parts)), key_(std::move(key)), id_key_(parts_.keys_dir), uploads_(parts_.uploads_dir) {}

json::object Service::job_variables(const engine::StartingJob& job) const {
  const auto now = to_micros(parts_.clock->now()) / 1'000'000;
  const auto end = now + std::chrono::duration_cast<std::chrono::seconds>(job.timeout + kTokenGrace).count();
  const std::string url = parts_.server_url();
  json::object claims{{"iss", url}, {"sub", fmt::format("job:{}", job.job)},
                      {"iat", now}, {"nbf", now},
                      {"exp", end}, {"scp", fmt::format("Actions.Results:{}:{}", job.run, job.job)}};
  // Whose caches the job reads and writes, in the form in which docker's actions look for it: 1 is reading, 2 writing.
  json::array caches;
  if (job.cache_mode != types::CacheMode::kNone) {
    caches.push_back(json::object{{"Scope", json_string_or(job.github, "ref", "")},
                                  {"Permission", static_cast<int>(job.cache_mode)}});
  }
  claims["ac"] = json::serialize(caches);
  json::object variables{
      {"ACTIONS_RUNTIME_URL", url + "/actions/"}, {"ACTIONS_RUNTIME_TOKEN", key_.make_token(kRuntime, claims)},
      {"ACTIONS_RESULTS_URL", url + "/"},         {"ACTIONS_CACHE_URL", url + "/"},
      {"ACTIONS_CACHE_SERVICE_V2", "True"},       {"ACTIONS_CACHE_MODE", types::cache_mode_name(job.cache_mode)}};
  if (job.id_token) {
    // What the token will say is settled now, and travels in the permission to ask for it.
    claims["environment"] = job.environment;
    claims["github"] = job.github;
    claims["github"].as_object().erase("event");
    claims["job"] = job.context;
    variables["ACTIONS_ID_TOKEN_REQUEST_URL"] = url + "/actions/id-token?api-version=2.0";
    variables["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] = key_.make_token(kIdRequest, claims);
  }
  return variables;
}

void Service::add_call(io::Router& router, std::string_view service, std::string_view method, Call call) {
  router.handle("POST", fmt::format("/twirp/github.actions.results.api.v1.{}/{}", service, method),
                [this, call](io::HttpRequest& request) {
                  const auto job = prove(request);
                  if (!job) return twirp_response(job.error());
                  const auto message = parse_json(request.body.empty() ? "{}" : request.body, "the request");
                  if (!message) return twirp_response(message.error());
                  for (const auto& [name, own] : {std::pair{"workflow_run_backend_id", job->run},
                                                  std::pair{"workflow_job_run_backend_id", job->job}}) {
                    // Clients repeat what their token says, and of an artifact the job that made it.
                    const bool same = number_field(*message, name, own) == own;
                    if (!same && name == std::string_view("workflow_run_backend_id")) {
                      return twirp_response({Code::kPermissionDenied, "the token belongs to another run"});
                    }
                  }
                  auto answer = (this->*call)(*job, *message);
                  return answer ? io::json_response(200, *answer) : twirp_response(answer.error());
                });
}

void Service::add_routes(io::Router& router) {
  constexpr std::string_view kArtifacts = "ArtifactService";
  constexpr std::string_view kCaches = "CacheService";
  add_call(router, kArtifacts, "CreateArtifact", &Service::create_artifact);
  add_call(router, kArtifacts, "FinalizeArtifact", &Service::finalize_artifact);
  add_call(router, kArtifacts, "ListArtifacts", &Service::list_artifacts);
  add_call(router, kArtifacts, "GetSignedArtifactURL", &Service::artifact_address);
  add_call(router, kArtifacts, "DeleteArtifact", &Service::delete_artifact);
  add_call(router, kCaches, "CreateCacheEntry", &Service::create_cache);
  add_call(router, kCaches, "FinalizeCacheEntryUpload", &Service::finalize_cache);
  add_call(router, kCaches, "GetCacheEntryDownloadURL", &Service::cache_address);
  const auto bind = [this](Result<io::HttpResponse> (Service::*function)(io::HttpRequest&)) {
    return [this, function](io::HttpRequest& request) {
      auto answer = (this->*function)(request);
      return answer ? *std::move(answer) : io::error_response(answer.error());
    };
  };
  router.handle("PUT", "/actions/uploads/{id}/{name}", bind(&Service::put_upload), {.stream_request = true});
  router.handle("GET", "/actions/artifacts/{run}/{id}/{name}", bind(&Service::get_artifact));
  router.handle("GET", "/actions/caches/{sha256}/{name}", bind(&Service::get_cache));
  router.handle("GET", "/actions/id-token", bind(&Service::id_token));
  router.handle("GET", "/.well-known/openid-configuration", bind(&Service::openid_configuration));
  router.handle("GET", "/.well-known/jwks", bind(&Service::key_set));
  add_rest_routes(router);
  add_old_cache_routes(router);
}

Result<json::object> Service::read_bearer(std::string_view purpose, const io::HttpRequest& request) const {
  const std::string_view header = request.headers.get("Authorization");
  const bool bearer = header.size() > 7 && (header.starts_with("Bearer ") || header.starts_with("bearer "));
  if (!bearer) return fail(Code::kUnauthenticated, "the job's token is missing");
  return key_.read_token(purpose, header.substr(7), parts_.clock->now());
}

Result<JobProof> Service::prove(const io::HttpRequest& request) const {
  const auto proof = WEIR_TRY(job_of(WEIR_TRY(read_bearer(kRuntime, request))));
  if (WEIR_TRY(parts_.job_runs(proof.run, proof.job))) return proof;
  return fail(Code::kUnauthenticated, "job {} has ended; its token is no good any more", proof.job);
}

std::string Service::sign_address(std::string_view path, std::string_view allows, Duration limit) const {
  const auto end = to_micros(parts_.clock->now() + limit) / 1'000'000;
  const std::string signature = hex_encode(key_.sign(kAddress, fmt::format("{} {} {}", allows, end, path)));
  std::string encoded;
  for (std::string_view rest = path.substr(1); !rest.empty();) {
    const auto slash = rest.find('/');
    encoded += "/" + io::percent_encode(rest.substr(0, slash));
    rest.remove_prefix(slash == std::string_view::npos ? rest.size() : slash + 1);
  }
  return fmt::format("{}{}?sp={}&se={}&sig={}", parts_.server_url(), encoded, allows, end, signature);
}

Result<void> Service::check_address(const io::HttpRequest& request, std::string_view allows) const {
  const auto end = parse_number(request.query_value("se").value_or(""));
  const std::string signature = request.query_value("sig").value_or("");
  if (!end || request.query_value("sp") != allows ||
      !equal_constant_time(signature,
                           hex_encode(key_.sign(kAddress, fmt::format("{} {} {}", allows, *end, request.path))))) {
    return fail(Code::kPermissionDenied, "the address is not one that this server gave out");
  }
  if (*end * 1'000'000 > to_micros(parts_.clock->now())) return {};
  return fail(Code::kPermissionDenied, "the address has expired");
}

void Service::forget_ended() {
  const auto ended = uploads_.find([&](const UploadPurpose& purpose) {
    const auto runs = parts_.job_runs(purpose.run, purpose.job);
    return runs && !*runs;
  });
  for (const auto& id : ended) uploads_.remove(id);
}

}  // namespace weir::api::actions
