#include "api/weir/openapi.h"

#include "access/permission.h"

namespace weir::api {
namespace {

constexpr std::string_view kAbout =
    "weir's own API. Errors are `{\"error\": code, \"message\": text}`; the message says what to do. Times are UTC in "
    "ISO "
    "8601. Callers show a token (`weir token create`) as `Authorization: Bearer`, as the password of `Basic`, or as "
    "the "
    "cookie `weir_token`; without one, programs on the server's own machine may read. New members may be added to "
    "answers.";

json::object reference(std::string_view name) {
  return {{"$ref", fmt::format("#/components/schemas/{}", name)}};
}

// Bodies are named by a schema, or by a media type, which has a slash.
json::object content(std::string_view body) {
  if (body.find('/') == std::string_view::npos) {
    return {{"application/json", json::object{{"schema", reference(body)}}}};
  }
  json::object schema{{"type", "string"}};
  if (body.starts_with("application/")) schema["format"] = "binary";
  return {{body, json::object{{"schema", std::move(schema)}}}};
}

json::object path_schema(std::string_view name) {
  if (name == "id" || name == "run") return {{"type", "integer"}, {"minimum", 1}};
  if (name == "sha256") return {{"type", "string"}, {"pattern", "^[0-9a-f]{64}$"}};
  return {{"type", "string"}, {"minLength", 1}};
}

json::array parameters(const RouteDescription& route) {
  json::array list;
  std::string_view rest = route.pattern;
  for (auto open = rest.find('{'); open != std::string_view::npos; open = rest.find('{')) {
    const auto close = rest.find('}', open);
    const std::string_view name = rest.substr(open + 1, close - open - 1);
    list.push_back({{"name", name}, {"in", "path"}, {"required", true}, {"schema", path_schema(name)}});
    rest.remove_prefix(close + 1);
  }
  for (const auto& one : route.query) {
    list.push_back({{"name", one.name},
                    {"in", "query"},
                    {"description", one.text},
                    {"required", one.required},
                    {"schema", json::object{{"type", one.type}}}});
  }
  return list;
}

std::string permission_text(access::Permission permission) {
  return fmt::format("Needs the permission `{}`, which {} and above have{}{}.", access::permission_name(permission),
                     access::role_name(access::required_role(permission)),
                     access::job_may(permission) ? ", and a job's token" : "",
                     access::anonymous_may(permission) ? ", and programs on the server's machine without a token" : "");
}

// A body may be left out if nothing in it must be there.
bool body_required(std::string_view body, const json::object& schemas) {
  const auto* schema = schemas.if_contains(body);
  if (schema == nullptr) return true;
  const auto* required = json_find(*schema, "required");
  return required != nullptr && required->is_array() && !required->get_array().empty();
}

json::object operation(const RouteDescription& route, const json::object& schemas) {
  json::object answers;
  json::object answer{{"description", route.answer.empty() ? "Done." : "The answer."}};
  if (!route.answer.empty()) answer["content"] = content(route.answer);
  if (route.other_status != 0) answers[std::to_string(route.other_status)] = answer;
  answers[std::to_string(route.status)] = std::move(answer);
  answers["default"] = json::object{{"$ref", "#/components/responses/Error"}};
  json::object object{{"operationId", route.id},
                      {"summary", route.summary},
                      {"description", permission_text(route.permission)},
                      {"x-weir-permission", access::permission_name(route.permission)},
                      {"responses", std::move(answers)}};
  json::array security{json::object{{"bearer", json::array{}}}, json::object{{"basic", json::array{}}},
                       json::object{{"cookie", json::array{}}}};
  if (access::anonymous_may(route.permission)) security.push_back(json::object{});
  object["security"] = std::move(security);
  if (auto list = parameters(route); !list.empty()) object["parameters"] = std::move(list);
  if (!route.request.empty()) {
    object["requestBody"] =
        json::object{{"required", body_required(route.request, schemas)}, {"content", content(route.request)}};
  }
  return object;
}

// "GET" -> "get".
std::string lower(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result;
}

json::object components(json::object schemas) {
  const json::object bearer{{"type", "http"}, {"scheme", "bearer"}};
  const json::object basic{{"type", "http"}, {"scheme", "basic"}};
  const json::object cookie{{"type", "apiKey"}, {"in", "cookie"}, {"name", "weir_token"}};
  return {{"schemas", std::move(schemas)},
          {"responses", json::object{{"Error", json::object{{"description", "What went wrong, and what to do."},
                                                            {"content", content("Error")}}}}},
          {"securitySchemes", json::object{{"bearer", bearer}, {"basic", basic}, {"cookie", cookie}}}};
}

}  // namespace

json::object openapi_document(std::span<const RouteDescription> routes, std::string_view version) {
  json::object named = schemas();
  json::object paths;
  for (const auto& route : routes) {
    auto& path = paths[route.pattern];
    if (!path.is_object()) path = json::object{};
    path.get_object()[lower(route.method)] = operation(route, named);
  }
  return {{"openapi", "3.1.0"},
          {"info", json::object{{"title", "weir"},
                                {"version", version},
                                {"description", kAbout},
                                {"license", json::object{{"name", "Apache-2.0"}, {"identifier", "Apache-2.0"}}}}},
          {"servers", json::array{json::object{{"url", "/"}}}},
          {"paths", std::move(paths)},
          {"components", components(std::move(named))}};
}

}  // namespace weir::api
