// Connections: pages of lists, forwards and backwards.
#include "api/github/graph.h"
#include "base/base64.h"

namespace weir::api::github {
namespace {

constexpr std::int64_t kPageMax = 100;

// Where the element of a cursor is now. One that went leaves its place to what followed it.
struct Place {
  std::size_t at = 0;
  bool is_there = true;
};
Result<Place> place_of(const std::string& cursor, std::size_t total, const KeyOf& key) {
  const auto text = base64_decode(cursor);
  const auto colon = text ? text->find(':') : std::string::npos;
  if (colon == std::string::npos || colon == 0 || colon > 9 || text->find_first_not_of("0123456789") != colon) {
    return fail(Code::kInvalidArgument, "`{}` does not appear to be a valid cursor.", cursor.substr(0, 80));
  }
  const auto wanted = std::string_view(*text).substr(colon + 1);
  const auto at = static_cast<std::size_t>(std::stoul(text->substr(0, colon)));
  if (at < total && key(at) == wanted) return Place{at};
  for (std::size_t i = 0; i < total; ++i) {
    if (key(i) == wanted) return Place{i};
  }
  return Place{std::min(at, total), false};
}

Result<std::optional<std::size_t>> size_of(const json::object& arguments, std::string_view name,
                                           std::string_view field) {
  const auto size = json_int(arguments, name);
  if (!size) return std::nullopt;
  if (*size < 0)
    return fail(Code::kInvalidArgument, "`{}` on the `{}` connection cannot be less than zero.", name, field);
  if (*size > kPageMax) {
    return fail(Code::kInvalidArgument,
                "Requesting {} records on the `{}` connection exceeds the `{}` limit of {} records.", *size, field,
                name, kPageMax);
  }
  return static_cast<std::size_t>(*size);
}

graphql::Resolver page(Result<Outcome> (*resolve)(const Connection&)) {
  return [resolve](const graphql::Asked& asked) { return resolve(*std::any_cast<Connection>(&asked.self)); };
}

struct Edge {
  Outcome node;
  std::string cursor;
};

// Its connection, of which the information is a part.
Result<Outcome> information(const Connection& page) {
  if (page.refused) return std::unexpected(*page.refused);
  return Outcome(graphql::Object{"PageInfo", page});
}

Result<Outcome> nodes_of(const Connection& page) {
  if (page.refused) return std::unexpected(*page.refused);
  return Outcome(page.nodes);
}

Result<Outcome> edges_of(const Connection& page) {
  if (page.refused) return std::unexpected(*page.refused);
  std::vector<Outcome> edges;
  edges.reserve(page.nodes.size());
  for (std::size_t i = 0; i < page.nodes.size(); ++i) {
    edges.push_back(edge_node(page.edge, page.nodes[i], page.cursors[i]));
  }
  return Outcome(std::move(edges));
}

Outcome cursor_or_null(const std::vector<std::string>& cursors, bool last) {
  if (cursors.empty()) return Outcome(nullptr);
  return Outcome(last ? cursors.back() : cursors.front());
}

}  // namespace

std::string cursor_of(std::size_t at, std::string_view key) {
  return base64_encode(fmt::format("{}:{}", at, key));
}

Outcome edge_node(std::string_view type, Outcome node, std::string cursor) {
  return Outcome(graphql::Object{type, Edge{std::move(node), std::move(cursor)}});
}

Result<Chosen> choose(const json::object& arguments, std::string_view field, std::size_t total, const KeyOf& key,
                      std::size_t unasked) {
  auto first = WEIR_TRY(size_of(arguments, "first", field));
  const auto last = WEIR_TRY(size_of(arguments, "last", field));
  if (!first && !last) {
    if (unasked == 0) {
      return fail(Code::kInvalidArgument,
                  "You must provide a `first` or `last` value to properly paginate the `{}` connection.", field);
    }
    first = unasked;
  }
  Chosen chosen{.begin = 0, .end = total};
  if (const auto after = json_string_or(arguments, "after", ""); !after.empty()) {
    const auto place = WEIR_TRY(place_of(after, total, key));
    chosen.begin = place.at + (place.is_there ? 1 : 0);
  }
  if (const auto before = json_string_or(arguments, "before", ""); !before.empty()) {
    chosen.end = std::max(chosen.begin, WEIR_TRY(place_of(before, total, key)).at);
  }
  if (first) chosen.end = std::min(chosen.end, chosen.begin + *first);
  if (last && chosen.end - chosen.begin > *last) chosen.begin = chosen.end - *last;
  return chosen;
}

void declare_connection(graphql::Schema& schema, std::string_view name, std::string_view node, std::string_view edge) {
  const auto edge_name = edge.empty() ? fmt::format("{}Edge", node) : std::string(edge);
  const auto connection = fmt::format("{}Connection", name);
  schema.object(connection);
  schema.field(connection, fmt::format("nodes: [{}]", node), page(nodes_of));
  schema.field(connection, fmt::format("edges: [{}]", edge_name), page(edges_of));
  schema.field(connection, "pageInfo: PageInfo!", page(information));
  schema.field(connection, "totalCount: Int!",
               page([](const Connection& all) -> Result<Outcome> { return Outcome(all.total); }));
  if (schema.find(edge_name) != nullptr) return;
  schema.object(edge_name);
  schema.field(edge_name, fmt::format("node: {}", node),
               [](const graphql::Asked& asked) -> Result<Outcome> { return std::any_cast<Edge>(&asked.self)->node; });
  schema.field(edge_name, "cursor: String!", [](const graphql::Asked& asked) -> Result<Outcome> {
    return Outcome(std::any_cast<Edge>(&asked.self)->cursor);
  });
}

void declare_lists(graphql::Schema& schema) {
  for (const std::string_view name :
       {"DateTime", "GitTimestamp", "URI", "GitObjectID", "HTML", "Base64String", "BigInt"}) {
    schema.scalar(name);
  }
  schema.enumeration("OrderDirection", {"ASC", "DESC"});
  schema.interface("Node", {"id: ID!"});
  schema.object("PageInfo");
  schema.field("PageInfo", "hasNextPage: Boolean!",
               page([](const Connection& all) -> Result<Outcome> { return Outcome(all.has_next); }));
  schema.field("PageInfo", "hasPreviousPage: Boolean!",
               page([](const Connection& all) -> Result<Outcome> { return Outcome(all.has_previous); }));
  schema.field("PageInfo", "startCursor: String",
               page([](const Connection& all) -> Result<Outcome> { return cursor_or_null(all.cursors, false); }));
  schema.field("PageInfo", "endCursor: String",
               page([](const Connection& all) -> Result<Outcome> { return cursor_or_null(all.cursors, true); }));
}

}  // namespace weir::api::github
