#include "api/weir/route_table.h"

#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "api/weir/openapi.h"
#include "io/http_router.h"

namespace weir::api {

namespace {

// What a job may do, its workflow says for the repository that holds it. {repo}, and {id} of /runs/{id}, tell which one
// a request is about.
Result<void> check_home(const io::HttpRequest& request, std::string_view pattern,
                        const RouteTable::RepositoryOfRun& repository_of_run) {
  if (!request.identity.run_id || !repository_of_run || request.method == "GET" || request.method == "HEAD") return {};
  std::string touched;
  if (const auto repo = request.params.find("repo"); repo != request.params.end()) {
    touched = repo->second;
  } else if (pattern.starts_with("/api/v1/runs/{id}")) {
    std::int64_t run = 0;
    const auto& text = request.params.find("id")->second;
    std::from_chars(text.data(), text.data() + text.size(), run);
    touched = repository_of_run(run).value_or("");  // the handler says that there is none
  }
  if (touched.empty()) return {};
  const auto own = WEIR_TRY(repository_of_run(*request.identity.run_id));
  if (own == touched) return {};
  return fail(Code::kPermissionDenied, "{} runs for {} and may change nothing of {}", request.identity.name, own,
              touched);
}

}  // namespace

void RouteTable::add(RouteDescription description, ApiHandler handler, io::RouteOptions options) {
  router_.handle(
      description.method, description.pattern,
      [access = access_, permission = description.permission, pattern = description.pattern,
       repository_of_run = repository_of_run_, handler = std::move(handler)](io::HttpRequest& request) {
        auto allowed = access->allow(request.identity, permission, request.path);
        if (allowed) allowed = check_home(request, pattern, repository_of_run);
        if (!allowed) return io::error_response(allowed.error());
        auto answer = handler(request);
        return answer ? *std::move(answer) : io::error_response(answer.error());
      },
      options);
  descriptions_->push_back(std::move(description));
}

void RouteTable::add_openapi_route(std::string_view version) {
  add({.method = "GET",
       .pattern = "/api/v1/openapi.json",
       .id = "getOpenApi",
       .summary = "This description.",
       .answer = "OpenApi"},
      [descriptions = descriptions_, version](io::HttpRequest&) -> Result<io::HttpResponse> {
        return io::json_response(200, openapi_document(*descriptions, version));
      });
  for (const auto& [method, pattern] : router_.impl().patterns) {
    if (!pattern.starts_with("/api/v1/")) continue;
    const bool described = std::ranges::any_of(
        *descriptions_, [&](const RouteDescription& one) { return one.method == method && one.pattern == pattern; });
    if (described) continue;
    fmt::print(stderr, "route {} {} has no description; register it with a RouteTable\n", method, pattern);
    std::abort();
  }
}

}  // namespace weir::api
