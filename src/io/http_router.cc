#include "io/http_router.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace weir::io {
namespace {

using Node = Router::Impl::Node;

// Patterns are written by programmers: a wrong one must not reach users, so the first start fails.
[[noreturn]] void reject_pattern(std::string_view pattern, const char* reason) {
  fmt::print(stderr, "route pattern \"{}\" {}\n", pattern, reason);
  std::abort();
}

// A walk that collects what one path matches, best first, by going back where a more literal branch ends in nothing.
class Walk {
 public:
  Walk(std::string_view method, const Target& target, Router::Impl::Match& match)
      : method_(method), target_(target), match_(match) {}

  bool visit(const Node& node, std::size_t depth) {
    const auto& segments = target_.segments;
    if (depth == segments.size()) {
      if (accept(node.routes)) return true;
    } else {
      const std::string& segment = segments[depth];
      if (const auto literal = node.literals.find(segment); literal != node.literals.end()) {
        if (visit(*literal->second, depth + 1)) return true;
      }
      for (const auto& edge : node.params) {
        const std::size_t around = edge.prefix.size() + edge.suffix.size();
        if (segment.size() <= around || !segment.starts_with(edge.prefix) || !segment.ends_with(edge.suffix)) continue;
        values_.push_back(segment.substr(edge.prefix.size(), segment.size() - around));
        if (visit(*edge.node, depth + 1)) return true;
        values_.pop_back();
      }
      if (!node.rest_routes.empty()) {
        std::string rest = segment;
        for (std::size_t i = depth + 1; i < segments.size(); ++i) rest += "/" + segments[i];
        values_.push_back(std::move(rest));
        if (accept(node.rest_routes)) return true;
        values_.pop_back();
      }
    }
    return false;
  }

 private:
  bool accept(const std::vector<Route>& routes) {
    const auto wanted = std::ranges::find(routes, method_, &Route::method);
    if (wanted == routes.end()) {
      for (const Route& route : routes) {
        if (std::ranges::find(match_.allowed, route.method) == match_.allowed.end()) {
          match_.allowed.push_back(route.method);
        }
      }
      return false;
    }
    match_.route = &*wanted;
    match_.values = std::move(values_);
    return true;
  }

  std::string_view method_;
  const Target& target_;
  Router::Impl::Match& match_;
  std::vector<std::string> values_;
};

Node& param_child(Node& node, std::string_view prefix, std::string_view suffix) {
  const auto same = std::ranges::find_if(
      node.params, [&](const auto& edge) { return edge.prefix == prefix && edge.suffix == suffix; });
  if (same != node.params.end()) return *same->node;
  const auto place = std::ranges::find_if(node.params, [&](const auto& edge) {
    return edge.prefix.size() + edge.suffix.size() < prefix.size() + suffix.size();
  });
  return *node.params.insert(place, {std::string{prefix}, std::string{suffix}, std::make_unique<Node>()})->node;
}

}  // namespace

void Router::Impl::add(std::string_view pattern, Route route) {
  if (!pattern.starts_with('/')) reject_pattern(pattern, "must begin with \"/\"");
  Node* node = &root;
  bool takes_rest = false;
  for (std::string_view rest = pattern.substr(1); !takes_rest;) {
    const auto slash = std::min(rest.find('/'), rest.size());
    const std::string_view segment = rest.substr(0, slash);
    const auto open = segment.find('{');
    const auto close = segment.find('}');
    if (open == std::string_view::npos) {
      auto& child = node->literals[std::string{segment}];
      if (child == nullptr) child = std::make_unique<Node>();
      node = child.get();
    } else {
      if (close == std::string_view::npos || close < open + 2) reject_pattern(pattern, "has a broken parameter");
      std::string_view name = segment.substr(open + 1, close - open - 1);
      takes_rest = name.ends_with('*');
      if (takes_rest) name.remove_suffix(1);
      if (takes_rest && (slash != rest.size() || name.size() + 3 != segment.size())) {
        reject_pattern(pattern, "must end with its {x*}");
      }
      if (!takes_rest) node = &param_child(*node, segment.substr(0, open), segment.substr(close + 1));
      route.param_names.emplace_back(name);
    }
    if (slash == rest.size()) break;
    rest.remove_prefix(slash + 1);
  }
  auto& routes = takes_rest ? node->rest_routes : node->routes;
  if (std::ranges::find(routes, route.method, &Route::method) != routes.end()) {
    reject_pattern(pattern, "is there twice for the same method");
  }
  patterns.emplace_back(route.method, pattern);
  routes.push_back(std::move(route));
}

Router::Impl::Match Router::Impl::find(std::string_view method, const Target& target) const {
  Match match;
  if (Walk{method, target, match}.visit(root, 0) || method != "HEAD") return match;
  Match get;
  return Walk{"GET", target, get}.visit(root, 0) ? get : match;
}

Router::Router() : impl_(std::make_unique<Impl>()) {}
Router::~Router() = default;
Router::Router(Router&&) noexcept = default;
Router& Router::operator=(Router&&) noexcept = default;

void Router::handle(std::string_view method, std::string_view pattern, HttpHandler handler, RouteOptions options) {
  impl_->add(pattern, {std::string{method}, {}, std::move(handler), {}, options});
}

void Router::handle_async(std::string_view method, std::string_view pattern, AsyncHttpHandler handler,
                          RouteOptions options) {
  impl_->add(pattern, {std::string{method}, {}, {}, std::move(handler), options});
}

void Router::before(std::function<std::optional<HttpResponse>(HttpRequest&)> filter) {
  impl_->filters.push_back(std::move(filter));
}

}  // namespace weir::io
