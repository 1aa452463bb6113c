// Artifacts as GitHub's REST API has them (docs.github.com, "REST API endpoints for GitHub Actions artifacts"): by this
// @actions/artifact finds those of other runs.
#include <algorithm>
#include <charconv>

#include "api/actions/service.h"
#include "event/payload.h"

namespace weir::api::actions {
namespace {

using access::Permission;
using Level = types::TokenScopes::Level;

constexpr Duration kDownloadLimit = std::chrono::minutes{10};

Result<std::int64_t> positive(std::string_view text, std::string_view what) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc{} && end == text.data() + text.size() && number > 0) return number;
  return fail(Code::kInvalidArgument, "{} must be a positive number, not \"{}\"", what, text.substr(0, 40));
}

std::string repository_of(const io::HttpRequest& request) {
  return fmt::format("{}/{}", request.params.at("owner"), request.params.at("repo"));
}

json::object to_rest(const engine::Artifact& artifact, const engine::Run& run, const std::string& api) {
  json::value expires_at;
  if (artifact.expires_at) expires_at = to_iso8601(*artifact.expires_at);
  const std::string url = fmt::format("{}/actions/artifacts/{}", api, artifact.id);
  const std::string branch = run.ref.starts_with("refs/heads/") ? run.ref.substr(11) : run.ref;
  return {{"id", artifact.id},
          {"node_id", fmt::format("artifact-{}", artifact.id)},
          {"name", artifact.name},
          {"size_in_bytes", artifact.size_bytes},
          {"url", url},
          {"archive_download_url", url + "/zip"},
          {"expired", false},
          {"created_at", to_iso8601(artifact.created_at)},
          {"updated_at", to_iso8601(artifact.created_at)},
          {"expires_at", std::move(expires_at)},
          {"digest", "sha256:" + artifact.sha256},
          {"workflow_run", {{"id", run.id}, {"head_branch", branch}, {"head_sha", run.head_sha}}}};
}

// A job whose workflow says `permissions` needs the scope that GitHub documents for these calls.
Result<void> check_scope(const types::Identity& identity, Level level) {
  if (!identity.job_id || !identity.scopes || identity.scopes->of("actions") >= level) return {};
  return fail(Code::kPermissionDenied,
              "Resource not accessible by integration: the `permissions` of {}'s workflow give it actions: {}; write "
              "`actions: {}` there",
              identity.name, types::level_name(identity.scopes->of("actions")), types::level_name(level));
}

// GitHub's form of an error.
io::HttpResponse rest_error(const Error& error) {
  return io::json_response(io::http_status(error.code), json::object{{"message", error.message}});
}

}  // namespace

void Service::add_rest_routes(io::Router& router) {
  const auto bind = [this](Result<io::HttpResponse> (Service::*function)(io::HttpRequest&)) {
    return [this, function](io::HttpRequest& request) {
      auto answer = (this->*function)(request);
      return answer ? *std::move(answer) : rest_error(answer.error());
    };
  };
  const std::string base = "/api/v3/repos/{owner}/{repo}/actions";
  router.handle("GET", base + "/runs/{run}/artifacts", bind(&Service::rest_list));
  router.handle("GET", base + "/artifacts/{artifact}", bind(&Service::rest_get));
  router.handle("GET", base + "/artifacts/{artifact}/zip", bind(&Service::rest_download));
  router.handle("DELETE", base + "/artifacts/{artifact}", bind(&Service::rest_delete));
}

// A run of the repository that the address names; of another one there is nothing to be seen.
Result<engine::Run> Service::rest_run(const io::HttpRequest& request, std::int64_t run) {
  auto found = parts_.run(run);
  const std::string name = repository_of(request);
  if (found && event::full_repository_name(found->repo, request.params.at("owner")) == name) return *std::move(found);
  if (!found && found.error().code != Code::kNotFound) return std::unexpected(found.error());
  return fail(Code::kNotFound, "Not Found: {} has no run {}", name, run);
}

Result<io::HttpResponse> Service::rest_list(io::HttpRequest& request) {
  WEIR_TRY(parts_.allow(request.identity, Permission::kRead, request.path));
  WEIR_TRY(check_scope(request.identity, Level::kRead));
  const auto run = WEIR_TRY(rest_run(request, WEIR_TRY(positive(request.params["run"], "run_id"))));
  const auto per_page =
      std::min<std::int64_t>(WEIR_TRY(positive(request.query_value("per_page").value_or("30"), "per_page")), 100);
  const auto page = WEIR_TRY(positive(request.query_value("page").value_or("1"), "page"));
  const std::string name = request.query_value("name").value_or("");
  const std::string api = fmt::format("{}/api/v3/repos/{}", parts_.server_url(), repository_of(request));
  auto all = WEIR_TRY(parts_.artifacts->list_all(run.id));
  std::erase_if(all, [&](const auto& one) { return one.format == "tar.zst" || (!name.empty() && one.name != name); });
  std::ranges::sort(all, std::ranges::greater{}, &engine::Artifact::id);
  json::array list;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (static_cast<std::int64_t>(i) / per_page + 1 == page) list.push_back(to_rest(all[i], run, api));
  }
  return io::json_response(200, json::object{{"total_count", all.size()}, {"artifacts", std::move(list)}});
}

Result<engine::Artifact> Service::rest_artifact(const io::HttpRequest& request, Permission permission) {
  WEIR_TRY(parts_.allow(request.identity, permission, request.path));
  WEIR_TRY(check_scope(request.identity, permission == Permission::kRead ? Level::kRead : Level::kWrite));
  auto artifact = WEIR_TRY(parts_.artifacts->find(WEIR_TRY(positive(request.params.at("artifact"), "artifact_id"))));
  WEIR_TRY(rest_run(request, artifact.run_id));
  return artifact;
}

Result<io::HttpResponse> Service::rest_get(io::HttpRequest& request) {
  const auto artifact = WEIR_TRY(rest_artifact(request, Permission::kRead));
  const std::string api = fmt::format("{}/api/v3/repos/{}", parts_.server_url(), repository_of(request));
  return io::json_response(200, to_rest(artifact, WEIR_TRY(parts_.run(artifact.run_id)), api));
}

Result<io::HttpResponse> Service::rest_download(io::HttpRequest& request) {
  const auto artifact = WEIR_TRY(rest_artifact(request, Permission::kRead));
  auto response = io::text_response(302, "");
  response.headers.set(
      "Location", sign_address(fmt::format("/actions/artifacts/{}/{}/{}", artifact.run_id, artifact.id, artifact.name),
                               "r", kDownloadLimit));
  return response;
}

Result<io::HttpResponse> Service::rest_delete(io::HttpRequest& request) {
  const auto artifact = WEIR_TRY(rest_artifact(request, Permission::kUploadArtifact));
  // A job is at home in its own run.
  if (request.identity.run_id && *request.identity.run_id != artifact.run_id) {
    return fail(Code::kPermissionDenied, "{} belongs to run {} and cannot delete artifacts of run {}",
                request.identity.name, *request.identity.run_id, artifact.run_id);
  }
  WEIR_TRY(parts_.artifacts->remove(artifact.id));
  return io::text_response(204, "");
}

}  // namespace weir::api::actions
