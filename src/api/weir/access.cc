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

access::Scope scope_of(const json::value& body) {
  return {json_string_or(body, "repository", ""), json_string_or(body, "environment", "")};
}

access::Scope scope_of(const io::HttpRequest& request) {
  return {request.query_value("repository").value_or(""), request.query_value("environment").value_or("")};
}

Result<io::HttpResponse> put_secret(const Services& services, io::HttpRequest& request) {
  const auto body = WEIR_TRY(body_object(request));
  const auto value = WEIR_TRY(json_require_string(body, "value"));
  WEIR_TRY(services.access->set_secret(request.params["name"], value, scope_of(body), request.identity));
  return io::text_response(204, "");
}

Result<io::HttpResponse> put_variable(const Services& services, io::HttpRequest& request) {
  const auto body = WEIR_TRY(body_object(request));
  const auto value = WEIR_TRY(json_require_string(body, "value"));
  WEIR_TRY(services.access->set_variable(request.params["name"], value, scope_of(body), request.identity));
  return io::text_response(204, "");
}

Result<io::HttpResponse> list_secrets(const Services& services, const io::HttpRequest&) {
  json::array list;
  for (const auto& secret : WEIR_TRY(services.access->secret_names())) {
    list.push_back({{"name", secret.name},
                    {"repository", secret.scope.repository},
                    {"environment", secret.scope.environment},
                    {"updated_at", to_iso8601(secret.updated_at)},
                    {"updated_by", secret.updated_by}});
  }
  return io::json_response(200, json::object{{"secrets", std::move(list)}});
}

json::object identity_to_json(const types::Identity& identity) {
  json::object object{{"name", identity.name},
                      {"role", identity.role ? json::value(access::role_name(*identity.role)) : json::value(nullptr)}};
  if (identity.foreign) object["foreign"] = true;
  return object;
}

}  // namespace

void add_access_routes(RouteTable& table, const Services& services) {
  using access::Permission;
  const auto bind = [&services](auto function) {
    return [&services, function](io::HttpRequest& request) { return function(services, request); };
  };
  table.add({.method = "GET",
             .pattern = "/api/v1/approvals",
             .id = "listApprovals",
             .summary = "What waits for a reviewer, and what was decided.",
             .query = {{"state", "string", "pending, granted, rejected or expired."},
                       {"limit", "integer", "At most so many, 1 to 1000; 100 unless given."}},
             .answer = "ApprovalList"},
            bind(list_approvals));
  table.add(
      {.method = "POST",
       .pattern = "/api/v1/approvals/{id}/approve",
       .id = "approve",
       .summary =
           "Lets what waits go on. The caller must be a reviewer of the environment, whatever the role, or an admin.",
       .request = "Decision",
       .answer = "Approval"},
      [&services](io::HttpRequest& request) { return decide(services, request, true); });
  table.add(
      {.method = "POST",
       .pattern = "/api/v1/approvals/{id}/reject",
       .id = "reject",
       .summary = "Stops what waits. The caller must be a reviewer of the environment, whatever the role, or an admin.",
       .request = "Decision",
       .answer = "Approval"},
      [&services](io::HttpRequest& request) { return decide(services, request, false); });
  table.add({.method = "GET",
             .pattern = "/api/v1/tokens",
             .permission = Permission::kManageTokens,
             .id = "listTokens",
             .summary = "Tokens without their secrets.",
             .answer = "TokenList"},
            bind(list_tokens));
  table.add({.method = "POST",
             .pattern = "/api/v1/tokens",
             .permission = Permission::kManageTokens,
             .id = "createToken",
             .summary = "Makes a token; its secret is shown this once.",
             .request = "TokenRequest",
             .answer = "CreatedToken",
             .status = 201},
            bind(create_token));
  table.add({.method = "DELETE",
             .pattern = "/api/v1/tokens/{id}",
             .permission = Permission::kManageTokens,
             .id = "revokeToken",
             .summary = "Makes a token useless.",
             .status = 204},
            [&services](io::HttpRequest& request) -> Result<io::HttpResponse> {
              const auto id = WEIR_TRY(id_param(request, "id"));
              WEIR_TRY(services.access->revoke_token(id, request.identity));
              return io::text_response(204, "");
            });
  table.add({.method = "GET",
             .pattern = "/api/v1/secrets",
             .permission = Permission::kManageSecrets,
             .id = "listSecrets",
             .summary = "Names of secrets, never their values.",
             .answer = "SecretList"},
            bind(list_secrets));
  table.add({.method = "PUT",
             .pattern = "/api/v1/secrets/{name}",
             .permission = Permission::kManageSecrets,
             .id = "setSecret",
             .summary = "Sets a secret for `${{ secrets.NAME }}`.",
             .request = "NamedValue",
             .status = 204},
            bind(put_secret));
  table.add({.method = "DELETE",
             .pattern = "/api/v1/secrets/{name}",
             .permission = Permission::kManageSecrets,
             .id = "deleteSecret",
             .summary = "Deletes a secret.",
             .query = {{"repository", "string", "The repository that has it; all unless given."},
                       {"environment", "string", "The environment that has it; every job's unless given."}},
             .status = 204},
            [&services](io::HttpRequest& request) -> Result<io::HttpResponse> {
              WEIR_TRY(services.access->delete_secret(request.params["name"], scope_of(request), request.identity));
              return io::text_response(204, "");
            });
  table.add({.method = "PUT",
             .pattern = "/api/v1/variables/{name}",
             .permission = Permission::kConfigure,
             .id = "setVariable",
             .summary = "Sets a variable for `${{ vars.NAME }}`.",
             .request = "NamedValue",
             .status = 204},
            bind(put_variable));
  table.add({.method = "GET",
             .pattern = "/api/v1/identity",
             .id = "getIdentity",
             .summary = "Who the caller is.",
             .answer = "Identity"},
            [](io::HttpRequest& request) -> Result<io::HttpResponse> {
              return io::json_response(200, identity_to_json(request.identity));
            });
  table.add({.method = "GET",
             .pattern = "/api/v1/config",
             .id = "getConfig",
             .summary = "The configuration in force: every repository's weir.yaml, with defaults filled in.",
             .answer = "Config"},
            [&services](io::HttpRequest&) -> Result<io::HttpResponse> {
              return io::json_response(200, config::to_json(*services.config->current()));
            });
}

}  // namespace weir::api
