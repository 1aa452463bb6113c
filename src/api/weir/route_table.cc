#include "api/weir/route_table.h"

#include <cstdio>
#include <cstdlib>

#include "api/weir/openapi.h"
#include "io/http_router.h"

namespace weir::api {

void RouteTable::add(RouteDescription description, ApiHandler handler, io::RouteOptions options) {
  router_.handle(
      description.method, description.pattern,
      [access = access_, permission = description.permission, handler = std::move(handler)](io::HttpRequest& request) {
        const auto allowed = access->allow(request.identity, permission, request.path);
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
