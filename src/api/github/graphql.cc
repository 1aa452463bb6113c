// The GraphQL endpoint, at /api/graphql as GitHub Enterprise Server has it: clients make that of the API's address, and
// jobs know it as GITHUB_GRAPHQL_URL.
#include "api/github/graph.h"
#include "api/graphql/execute.h"

namespace weir::api::github {
namespace {

// As GitHub says what it cannot even read: with status 200, but for a body that is no JSON.
Result<io::HttpResponse> refuse(std::string_view message) {
  return io::json_response(200, json::object{{"errors", json::array{json::object{{"message", message}}}}});
}

Result<io::HttpResponse> answer_graphql(Call& call) {
  if (!call.body.is_object()) return refuse("A query attribute must be specified and must be a string.");
  const auto query = json_string(call.body, "query");
  if (!query) return refuse("A query attribute must be specified and must be a string.");
  graphql::Request request{
      .query = *query, .operation = json_string_or(call.body, "operationName", ""), .variables = {}};
  if (const auto* variables = json_find(call.body, "variables"); variables != nullptr && !variables->is_null()) {
    if (!variables->is_object()) return refuse("Variables are invalid: they must be an object.");
    request.variables = variables->get_object();
  }
  Graph graph(call.parts, call.request);
  return io::json_response(200, graphql::execute(graph_schema(), request, &graph));
}

}  // namespace

void add_graphql_routes(Routes& routes) {
  graph_schema();  // a broken declaration shows at the start
  routes.server("POST", "/api/graphql", answer_graphql);
  routes.server("POST", "/api/v3/graphql", answer_graphql);
}

}  // namespace weir::api::github
