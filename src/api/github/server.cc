// What is asked of the server rather than of a repository, and what weir does not have.
#include "api/github/call.h"

namespace weir::api::github {
namespace {

using access::Permission;

Result<io::HttpResponse> get_user(Call& call) {
  if (!call.identity().role && !call.identity().job_id) {
    return fail(Code::kUnauthenticated, "no token was given, so there is nobody to tell of");
  }
  return io::json_response(200, user_json(call, call.identity().name));
}

// GitHub Enterprise Server says so where no limit is set; here none ever is.
Result<io::HttpResponse> rate_limit(Call&) {
  return error_answer(404, "Rate limiting is not enabled.");
}

Result<io::HttpResponse> meta(Call& call) {
  return io::json_response(
      200, json::object{{"verifiable_password_authentication", false}, {"weir_version", call.parts.version}});
}

Result<io::HttpResponse> root(Call& call) {
  const auto base = call.parts.server_url() + "/api/v3";
  return io::json_response(200, json::object{{"current_user_url", base + "/user"},
                                             {"rate_limit_url", base + "/rate_limit"},
                                             {"repository_url", base + "/repos/{owner}/{repo}"}});
}

Result<io::HttpResponse> get_repository(Call& call) {
  const auto git = WEIR_TRY(call.git());
  auto repository = repository_json(call, default_branch(git));
  const auto may = [&](Permission permission) {
    return call.services().access->allow(call.identity(), permission, "repo/" + call.repo).has_value();
  };
  repository["permissions"] = json::object{
      {"admin", may(Permission::kConfigure)}, {"push", may(Permission::kPush)}, {"pull", may(Permission::kFetch)}};
  repository["allow_merge_commit"] = true;
  repository["allow_squash_merge"] = true;
  repository["allow_rebase_merge"] = true;
  return io::json_response(200, std::move(repository));
}

Result<io::HttpResponse> not_there(Call& call) {
  return error_answer(404, fmt::format("Not Found: weir has no {} {} of GitHub's REST API", call.request.method,
                                       call.request.path.substr(0, 300)));
}

}  // namespace

void add_server_routes(Routes& routes) {
  routes.repo("GET", "", {"", Level::kRead, Permission::kRead}, get_repository);
  routes.server("GET", "/api/v3", root);
  routes.server("GET", "/api/v3/user", get_user);
  routes.server("GET", "/api/v3/rate_limit", rate_limit);
  routes.server("GET", "/api/v3/meta", meta);
  for (const std::string_view method : {"GET", "POST", "PUT", "PATCH", "DELETE"}) {
    routes.server(method, "/api/v3/{path*}", not_there);
  }
}

}  // namespace weir::api::github
