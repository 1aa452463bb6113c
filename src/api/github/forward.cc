#include "api/github/forward.h"

#include <algorithm>
#include <array>

#include "api/github/call.h"
#include "io/http_client.h"

namespace weir::api::github {
namespace {

constexpr std::string_view kGithub = "https://github.com/";
constexpr std::string_view kGithubApi = "https://api.github.com";
constexpr std::size_t kAnswerBytesMax = 32U << 20;

// "https://host:port" of an address; "" if it has none.
std::string_view origin_of(std::string_view url) {
  const auto scheme = url.find("://");
  if (scheme == std::string_view::npos) return {};
  return url.substr(0, url.find('/', scheme + 3));
}

// Links to other pages, through this server: a client follows them with the token that it has here.
std::string own_links(std::string_view links, const std::string& path) {
  std::string own;
  while (!links.empty()) {
    const auto open = links.find('<');
    const auto close = links.find('>');
    if (open == std::string_view::npos || close == std::string_view::npos || close < open) break;
    const auto url = links.substr(open + 1, close - open - 1);
    const auto query = url.find('?');
    links.remove_prefix(close + 1);
    const auto end = links.find(',');
    own += fmt::format("{}<{}{}>{}", own.empty() ? "" : ", ", path,
                       query == std::string_view::npos ? std::string_view() : url.substr(query), links.substr(0, end));
    links.remove_prefix(end == std::string_view::npos ? links.size() : end + 1);
  }
  return own;
}

}  // namespace

bool is_forwarded(std::string_view below) {
  const auto path = below.substr(0, below.find('?'));
  if (path.starts_with("/comments/") || path.starts_with("/statuses/") || path.starts_with("/check-runs") ||
      path.starts_with("/check-suites")) {
    return true;
  }
  if (path.starts_with("/issues/") && path.find("/comments") != std::string_view::npos) return true;
  static constexpr std::array<std::string_view, 5> kOfCommits = {"/comments", "/statuses", "/status", "/check-runs",
                                                                 "/check-suites"};
  return path.starts_with("/commits/") &&
         std::ranges::any_of(kOfCommits, [&](std::string_view ending) { return path.ends_with(ending); });
}

std::string upstream_of(std::string_view url, std::string_view api) {
  while (api.ends_with('/')) api.remove_suffix(1);
  std::string_view path;
  if (url.starts_with(kGithub)) {
    if (api != kGithubApi) return {};
    path = url.substr(kGithub.size());
  } else {
    const auto origin = origin_of(url);
    if (origin.empty() || origin != origin_of(api) || url.size() <= origin.size()) return {};
    path = url.substr(origin.size() + 1);
  }
  while (path.ends_with('/')) path.remove_suffix(1);
  if (path.ends_with(".git")) path.remove_suffix(4);
  const bool plain = path.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./") ==
                         std::string_view::npos &&
                     path.find("..") == std::string_view::npos;
  const auto slash = path.find('/');
  const bool two_parts = slash != std::string_view::npos && slash > 0 && slash + 1 < path.size() &&
                         path.find('/', slash + 1) == std::string_view::npos;
  return plain && two_parts ? fmt::format("{}/repos/{}", api, path) : std::string();
}

Result<io::HttpResponse> forward(const Upstream& upstream, const io::HttpRequest& request, std::string_view below,
                                 const std::string& server_url) {
  io::ClientRequest asked{.method = request.method, .url = upstream.url + std::string(below), .body = request.body};
  asked.headers.set("Authorization", "Bearer " + upstream.token);
  asked.headers.set("User-Agent", "weir");
  for (const std::string_view name : {"Accept", "Content-Type", "X-GitHub-Api-Version"}) {
    if (const auto value = request.headers.get(name); !value.empty()) {
      asked.headers.set(std::string(name), std::string(value));
    }
  }
  asked.response_bytes_max = kAnswerBytesMax;
  const auto answer = io::http_exchange(asked);
  if (!answer) {
    return error_answer(502, fmt::format("GitHub could not be asked: {}", answer.error().message));
  }
  if (answer->status == 401) {
    return error_answer(502, "GitHub refuses the token in the secret FORWARD_GITHUB_TOKEN; set one that is good");
  }
  io::HttpResponse response;
  response.status = answer->status;
  response.body = answer->body;
  response.headers.set("Content-Type", "application/json; charset=utf-8");
  response.headers.set("X-Content-Type-Options", "nosniff");
  if (const auto links = answer->headers.get("Link"); !links.empty()) {
    const auto target = std::string_view(request.target);
    response.headers.set("Link", own_links(links, server_url + std::string(target.substr(0, target.find('?')))));
  }
  return response;
}

namespace {

Result<json::value> exchange(const Upstream& upstream, std::string_view method, std::string url,
                             const json::value& body) {
  io::ClientRequest asked{.method = std::string(method), .url = std::move(url)};
  if (!body.is_null()) asked.body = json::serialize(body);
  asked.headers.set("Authorization", "Bearer " + upstream.token);
  asked.headers.set("User-Agent", "weir");
  asked.headers.set("Accept", "application/vnd.github+json");
  if (!body.is_null()) asked.headers.set("Content-Type", "application/json");
  asked.response_bytes_max = kAnswerBytesMax;
  const auto answer = io::http_exchange(asked);
  if (!answer) return fail(Code::kUnavailable, "GitHub could not be asked: {}", answer.error().message);
  if (answer->status == 401) {
    return fail(Code::kUnavailable,
                "GitHub refuses the token in the secret FORWARD_GITHUB_TOKEN; set one that is good");
  }
  if (answer->body.empty() && answer->status < 300) return json::value();
  const auto said = parse_json(answer->body, "GitHub's answer");
  if (answer->status < 300) return said;
  const auto code = answer->status == 404   ? Code::kNotFound
                    : answer->status == 403 ? Code::kPermissionDenied
                    : answer->status < 500  ? Code::kInvalidArgument
                                            : Code::kUnavailable;
  return fail(code, "GitHub: {}",
              said ? json_string_or(*said, "message", "") : fmt::format("status {}", answer->status));
}

}  // namespace

Result<json::value> ask_upstream(const Upstream& upstream, std::string_view method, std::string_view below,
                                 const json::value& body) {
  return exchange(upstream, method, upstream.url + std::string(below), body);
}

std::string upstream_api(const Upstream& upstream) {
  // Behind it come "/repos", the owner and the name, whatever those are.
  auto url = upstream.url;
  for (int i = 0; i < 3; ++i) url.resize(std::min(url.size(), url.rfind('/')));
  return url;
}

std::string upstream_graphql(const Upstream& upstream) {
  constexpr std::string_view kServer = "/api/v3";
  const auto whole = upstream_api(upstream);
  std::string_view api = whole;
  if (api.ends_with(kServer)) api.remove_suffix(kServer.size() - std::string_view("/api").size());
  return fmt::format("{}/graphql", api);
}

Result<json::value> ask_upstream_graphql(const Upstream& upstream, std::string_view query, json::object variables) {
  const auto said = WEIR_TRY(exchange(upstream, "POST", upstream_graphql(upstream),
                                      json::object{{"query", query}, {"variables", std::move(variables)}}));
  if (const auto* errors = json_find(said, "errors");
      errors != nullptr && errors->is_array() && !errors->get_array().empty()) {
    return fail(Code::kInvalidArgument, "GitHub: {}", json_string_or(errors->get_array().front(), "message", ""));
  }
  const auto* data = json_find(said, "data");
  if (data == nullptr) return fail(Code::kUnavailable, "GitHub's answer has no data");
  return *data;
}

}  // namespace weir::api::github
