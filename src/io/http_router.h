#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/http.h"
#include "io/http_uri.h"

namespace weir::io {

// One handler and what belongs to it. Exactly one of `blocking` and `async` is set.
struct Route {
  std::string method;
  std::vector<std::string> param_names;  // in order of the pattern
  HttpHandler blocking;
  AsyncHttpHandler async;
  RouteOptions options;
};

// Patterns as a tree of path segments. Immutable while the server runs, so that any thread may look up.
struct Router::Impl {
  struct Node;

  // A segment "{x}" with the text around it: "{repo}.git" has the suffix ".git".
  struct ParamEdge {
    std::string prefix;
    std::string suffix;
    std::unique_ptr<Node> node;
  };

  struct Node {
    std::map<std::string, std::unique_ptr<Node>, std::less<>> literals;
    std::vector<ParamEdge> params;   // most text around the parameter first
    std::vector<Route> routes;       // patterns that end here
    std::vector<Route> rest_routes;  // patterns that go on with "{x*}"
  };

  // What a look-up found: the route, or the methods that the path has.
  struct Match {
    const Route* route = nullptr;
    std::vector<std::string> values;   // of the route's parameters
    std::vector<std::string> allowed;  // other methods of that path, when there is no route
  };

  Node root;
  std::vector<std::function<std::optional<HttpResponse>(HttpRequest&)>> filters;
  std::vector<std::pair<std::string, std::string>> patterns;  // method and pattern of every route, as they came

  void add(std::string_view pattern, Route route);
  Match find(std::string_view method, const Target& target) const;
};

}  // namespace weir::io
