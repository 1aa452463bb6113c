#include "api/weir/routes.h"

namespace weir::api {
namespace {

json::object to_json(const access::Token& token) {
  return {{"id", token.id},
          {"name", token.name},
          {"role", access::role_name(token.role)},
          {"created_at", to_iso8601(token.created_at)},
          {"created_by", token.created_by},
          {"expires_at", token.expires_at ? json::value(to_iso8601(*token.expires_at)) : json::value(nullptr)}};
}

Result<io::HttpResponse> list_approvals(const Services& services, const io::HttpRequest& request) {
  access::ApprovalFilter filter;
  if (const auto state = request.query_value("state"); state && !state->empty()) {
    filter.state = WEIR_TRY(access::parse_approval_state(*state));
  }
  filter.limit = WEIR_TRY(number_query(request, "limit", 100, 1, 1'000));
  json::array list;
  for (const auto& approval : WEIR_TRY(services.access->approvals(filter))) list.push_back(access::to_json(approval));
  return io::json_response(200, json::object{{"approvals", std::move(list)}});
}

Result<io::HttpResponse> decide(const Services& services, const io::HttpRequest& request, bool grant) {
  const auto id = WEIR_TRY(id_param(request, "id"));
  const auto body = WEIR_TRY(body_object(request));
  const auto comment = json_string_or(body, "comment", "");
  const auto approval = grant ? services.access->grant(id, request.identity, comment)
                              : services.access->reject(id, request.identity, comment);
  if (!approval) return std::unexpected(approval.error());
  return io::json_response(200, access::to_json(*approval));
}

Result<io::HttpResponse> create_token(const Services& services, const io::HttpRequest& request) {
  const auto body = WEIR_TRY(body_object(request));
  const auto name = WEIR_TRY(json_require_string(body, "name"));
  const auto role = WEIR_TRY(access::parse_role(json_string_or(body, "role", "developer")));
  std::optional<TimePoint> expires_at;
  if (const auto life = json_string(body, "expires_in")) {
    expires_at = services.clock->now() + WEIR_TRY(parse_duration(*life));
  }
  const auto created = WEIR_TRY(services.access->create_token(name, role, expires_at, request.identity));
  json::object answer = to_json(created.token);
  answer["token"] = created.secret;
  auto response = io::json_response(201, answer);
  response.headers.set("Cache-Control", "no-store");
  return response;
}

Result<io::HttpResponse> list_tokens(const Services& services, const io::HttpRequest&) {
  json::array list;
  for (const auto& token : WEIR_TRY(services.access->tokens())) list.push_back(to_json(token));
  return io::json_response(200, json::object{{"tokens", std::move(list)}});
}

Result<io::HttpResponse> put_secret(const Services& services, io::HttpRequest& request) {
  const auto body = WEIR_TRY(body_object(request));
  const auto value = WEIR_TRY(json_require_string(body, "value"));
  WEIR_TRY(services.access->set_secret(request.params["name"], value, json_string_or(body, "environment", ""),
                                       request.identity));
  return io::text_response(204, "");
}

Result<io::HttpResponse> put_variable(const Services& services, io::HttpRequest& request) {
  const auto body = WEIR_TRY(body_object(request));
  const auto value = WEIR_TRY(json_require_string(body, "value"));
  WEIR_TRY(services.access->set_variable(request.params["name"], value, json_string_or(body, "environment", ""),
                                         request.identity));
  return io::text_response(204, "");
}

Result<io::HttpResponse> list_secrets(const Services& services, const io::HttpRequest&) {
  json::array list;
  for (const auto& secret : WEIR_TRY(services.access->secret_names())) {
    list.push_back({{"name", secret.name},
                    {"environment", secret.environment},
                    {"updated_at", to_iso8601(secret.updated_at)},
                    {"updated_by", secret.updated_by}});
  }
  return io::json_response(200, json::object{{"secrets", std::move(list)}});
}

json::object identity_to_json(const types::Identity& identity) {
  return {{"name", identity.name},
          {"role", identity.role ? json::value(access::role_name(*identity.role)) : json::value(nullptr)}};
}

}  // namespace

void add_access_routes(io::Router& router, const Services& services) {
  using access::Permission;
  const auto bind = [&services](auto function) {
    return [&services, function](io::HttpRequest& request) { return function(services, request); };
  };
  add_route(router, services, "GET", "/api/v1/approvals", Permission::kRead, bind(list_approvals));
  add_route(router, services, "POST", "/api/v1/approvals/{id}/approve", Permission::kApprove,
            [&services](io::HttpRequest& request) { return decide(services, request, true); });
  add_route(router, services, "POST", "/api/v1/approvals/{id}/reject", Permission::kApprove,
            [&services](io::HttpRequest& request) { return decide(services, request, false); });
  add_route(router, services, "GET", "/api/v1/tokens", Permission::kManageTokens, bind(list_tokens));
  add_route(router, services, "POST", "/api/v1/tokens", Permission::kManageTokens, bind(create_token));
  add_route(router, services, "DELETE", "/api/v1/tokens/{id}", Permission::kManageTokens,
            [&services](io::HttpRequest& request) -> Result<io::HttpResponse> {
              const auto id = WEIR_TRY(id_param(request, "id"));
              WEIR_TRY(services.access->revoke_token(id, request.identity));
              return io::text_response(204, "");
            });
  add_route(router, services, "GET", "/api/v1/secrets", Permission::kManageSecrets, bind(list_secrets));
  add_route(router, services, "PUT", "/api/v1/secrets/{name}", Permission::kManageSecrets, bind(put_secret));
  add_route(router, services, "DELETE", "/api/v1/secrets/{name}", Permission::kManageSecrets,
            [&services](io::HttpRequest& request) -> Result<io::HttpResponse> {
              WEIR_TRY(services.access->delete_secret(request.params["name"],
                                                      request.query_value("environment").value_or(""), request.identity));
              return io::text_response(204, "");
            });
  add_route(router, services, "PUT", "/api/v1/variables/{name}", Permission::kConfigure, bind(put_variable));
  add_route(router, services, "GET", "/api/v1/identity", Permission::kRead,
            [](io::HttpRequest& request) -> Result<io::HttpResponse> {
              return io::json_response(200, identity_to_json(request.identity));
            });
  add_route(router, services, "GET", "/api/v1/config", Permission::kRead,
            [&services](io::HttpRequest&) -> Result<io::HttpResponse> {
              return io::json_response(200, config::to_json(*services.config->current()));
            });
}

}  // namespace weir::api
