#include "api/weir/routes.h"

// Repositories that follow others.
namespace weir::api {
namespace {

json::object to_json(const event::Mirror& mirror) {
  return {{"repo", mirror.repo},
          {"url", event::without_secret(mirror.url)},
          {"every", mirror.every == Duration{0} ? json::value() : json::value(format_duration(mirror.every))},
          {"token_secret", mirror.token_secret.empty() ? json::value() : json::value(mirror.token_secret)},
          {"fetched_at", mirror.fetched_at ? json::value(to_iso8601(*mirror.fetched_at)) : json::value()},
          {"problem", mirror.problem}};
}

Result<io::HttpResponse> list_mirrors(const Services& services, const io::HttpRequest&) {
  json::array list;
  for (const auto& mirror : WEIR_TRY(services.mirrors->list())) list.push_back(to_json(mirror));
  return io::json_response(200, json::object{{"mirrors", std::move(list)}});
}

Result<io::HttpResponse> set_mirror(const Services& services, io::HttpRequest& request) {
  const auto body = WEIR_TRY(body_object(request));
  event::Mirror mirror{.repo = request.params["repo"],
                       .url = WEIR_TRY(json_require_string(body, "url")),
                       .token_secret = json_string_or(body, "token_secret", "")};
  if (const auto every = json_string(body, "every")) mirror.every = WEIR_TRY(parse_duration(*every));
  WEIR_TRY(services.mirrors->set(mirror, request.identity));
  return io::json_response(200, to_json(mirror));
}

Result<io::HttpResponse> fetch_mirror(const Services& services, io::HttpRequest& request) {
  WEIR_TRY(services.mirrors->fetch_soon(request.params["repo"]));
  return io::json_response(202, json::object{{"repo", request.params["repo"]}});
}

Result<io::HttpResponse> remove_mirror(const Services& services, io::HttpRequest& request) {
  WEIR_TRY(services.mirrors->remove(request.params["repo"], request.identity));
  return io::json_response(200, json::object{{"repo", request.params["repo"]}});
}

}  // namespace

void add_repo_routes(RouteTable& table, const Services& services) {
  using access::Permission;
  const auto bind = [&services](auto function) {
    return [&services, function](io::HttpRequest& request) { return function(services, request); };
  };
  table.add({.method = "GET",
             .pattern = "/api/v1/mirrors",
             .id = "listMirrors",
             .summary = "Repositories that follow others.",
             .answer = "MirrorList"},
            bind(list_mirrors));
  table.add({.method = "PUT",
             .pattern = "/api/v1/repos/{repo}/mirror",
             .permission = Permission::kConfigure,
             .id = "setMirror",
             .summary = "Lets a repository follow another one; it is made if it is not there.",
             .request = "MirrorRequest",
             .answer = "Mirror"},
            bind(set_mirror));
  table.add({.method = "POST",
             .pattern = "/api/v1/repos/{repo}/mirror/fetch",
             .permission = Permission::kPush,
             .id = "fetchMirror",
             .summary = "Fetches what the repository follows, soon.",
             .answer = "MirrorName",
             .status = 202},
            bind(fetch_mirror));
  table.add({.method = "DELETE",
             .pattern = "/api/v1/repos/{repo}/mirror",
             .permission = Permission::kConfigure,
             .id = "removeMirror",
             .summary = "Lets a repository follow nothing any more; it stays as it is.",
             .answer = "MirrorName"},
            bind(remove_mirror));
}

}  // namespace weir::api
