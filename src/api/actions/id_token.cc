// OpenID Connect: tokens by which a job proves to others what it is
// (docs.github.com, "OpenID Connect reference").
#include "api/actions/service.h"
#include "base/hash.h"

namespace weir::api::actions {
namespace {

constexpr std::int64_t kLifeSeconds = 300;
constexpr std::int64_t kSkewSeconds = 60;
constexpr std::size_t kAudienceBytesMax = 1024;

// Members of the `github` context that become claims of the same name.
constexpr std::string_view kClaims[] = {"actor",
                                        "actor_id",
                                        "base_ref",
                                        "event_name",
                                        "head_ref",
                                        "ref",
                                        "ref_protected",
                                        "ref_type",
                                        "repository",
                                        "run_attempt",
                                        "repository_id",
                                        "repository_owner",
                                        "repository_owner_id",
                                        "run_id",
                                        "run_number",
                                        "sha",
                                        "workflow",
                                        "workflow_ref",
                                        "workflow_sha"};

// A colon in a name could make one subject pass for another.
std::string escaped(std::string text) {
  for (auto at = text.find(':'); at != std::string::npos; at = text.find(':', at + 3)) text.replace(at, 1, "%3A");
  return text;
}

std::string subject(const json::value& github, const std::string& environment) {
  const std::string repository = json_string_or(github, "repository", "");
  if (!environment.empty()) return fmt::format("repo:{}:environment:{}", repository, escaped(environment));
  const std::string event = json_string_or(github, "event_name", "");
  if (event == "pull_request" || event == "pull_request_target") return fmt::format("repo:{}:pull_request", repository);
  return fmt::format("repo:{}:ref:{}", repository, escaped(json_string_or(github, "ref", "")));
}

}  // namespace

Result<io::HttpResponse> Service::id_token(io::HttpRequest& request) {
  const json::value asked = WEIR_TRY(read_bearer("id-token", request));
  const std::int64_t run = std::strtoll(json_string_or(asked.at("github"), "run_id", "0").c_str(), nullptr, 10);
  const std::string scope = json_string_or(asked, "scp", "");
  const std::int64_t job = std::strtoll(scope.substr(scope.rfind(':') + 1).c_str(), nullptr, 10);
  if (!WEIR_TRY(parts_.job_runs(run, job))) {
    return fail(Code::kUnauthenticated, "job {} has ended; its token is no good any more", job);
  }
  const json::value& github = asked.at("github");
  const std::string environment = json_string_or(asked, "environment", "");
  const std::string owner =
      fmt::format("{}/{}", json_string_or(github, "server_url", ""), json_string_or(github, "repository_owner", ""));
  const std::string audience = request.query_value("audience").value_or("");
  if (audience.size() > kAudienceBytesMax) {
    return fail(Code::kInvalidArgument, "an audience has at most {} bytes", kAudienceBytesMax);
  }
  const auto now = to_micros(parts_.clock->now()) / 1'000'000;
  json::object claims{{"iss", parts_.server_url()},
                      {"sub", subject(github, environment)},
                      {"aud", audience.empty() ? owner : audience},
                      {"iat", now},
                      {"nbf", now - kSkewSeconds},
                      {"exp", now + kLifeSeconds},
                      {"jti", random_hex(16)},
                      {"check_run_id", fmt::format("{}", job)},
                      {"job_workflow_ref", json_string_or(asked.at("job"), "workflow_ref", "")},
                      {"job_workflow_sha", json_string_or(asked.at("job"), "workflow_sha", "")},
                      {"repository_visibility", "private"},
                      {"runner_environment", "self-hosted"}};
  if (!environment.empty()) claims["environment"] = environment;
  for (const auto name : kClaims) {
    const auto* value = json_find(github, name);
    if (value == nullptr || value->is_null()) continue;
    claims[name] = value->is_bool() ? json::value(value->get_bool() ? "true" : "false") : *value;
  }
  const std::string token = WEIR_TRY(id_key_.make_token(claims));
  parts_.log->info("job {} got an id token for {}", job, std::string_view(claims["aud"].as_string()));
  return io::json_response(200, json::object{{"count", token.size()}, {"value", token}});
}

Result<io::HttpResponse> Service::openid_configuration(io::HttpRequest&) {
  const std::string url = parts_.server_url();
  json::array claims{"sub",
                     "aud",
                     "exp",
                     "iat",
                     "iss",
                     "jti",
                     "nbf",
                     "environment",
                     "check_run_id",
                     "job_workflow_ref",
                     "job_workflow_sha",
                     "repository_visibility",
                     "runner_environment"};
  for (const auto name : kClaims) claims.emplace_back(name);
  return io::json_response(200, json::object{{"issuer", url},
                                             {"jwks_uri", url + "/.well-known/jwks"},
                                             {"subject_types_supported", {"public", "pairwise"}},
                                             {"response_types_supported", json::array{"id_token"}},
                                             {"claims_supported", std::move(claims)},
                                             {"id_token_signing_alg_values_supported", json::array{"RS256"}},
                                             {"scopes_supported", json::array{"openid"}}});
}

Result<io::HttpResponse> Service::key_set(io::HttpRequest&) {
  return io::json_response(200, json::object{{"keys", json::array{WEIR_TRY(id_key_.public_key())}}});
}

}  // namespace weir::api::actions
