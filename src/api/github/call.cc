#include "api/github/call.h"

#include <openssl/evp.h>

#include <algorithm>

#include "api/github/forward.h"
#include "base/hash.h"
#include "event/payload.h"
#include "event/source.h"

namespace weir::api::github {
namespace {

constexpr std::string_view kDocumentation = "https://docs.github.com/rest";
constexpr std::string_view kBase = "/api/v3";
constexpr std::string_view kBot = "github-actions[bot]";

int status_of(Code code) {
  switch (code) {
    case Code::kInvalidArgument:
    case Code::kAlreadyExists:
    case Code::kFailedPrecondition: return 422;
    default: return io::http_status(code);
  }
}

// "/issues/1?x=y" of "/api/v3/repos/weir/flights/issues/1?x=y", as it was sent; "" if it was sent in another form.
std::string_view below_repository(std::string_view target) {
  constexpr std::string_view kRepos = "/api/v3/repos/";
  if (!target.starts_with(kRepos)) return {};
  const auto owner = target.find('/', kRepos.size());
  const auto repo = owner == std::string_view::npos ? owner : target.find('/', owner + 1);
  return repo == std::string_view::npos ? std::string_view() : target.substr(repo);
}

io::HttpResponse answer(Call& call, const Need* need, Handler handler) {
  if (need != nullptr) {
    if (!is_repository_name(call.repo)) return error_answer(404, "Not Found: no repository has such a name");
    if (const auto allowed = check_need(call, *need); !allowed) {
      auto response = error_answer(allowed.error());
      response.headers.set("X-Accepted-GitHub-Permissions",
                           fmt::format("{}={}", need->scope, types::level_name(need->level)));
      return response;
    }
    if (const auto git = call.git(); !git) return error_answer(404, "Not Found: " + git.error().message);
  }
  if (need != nullptr && call.parts.upstream && is_forwarded(below_repository(call.request.target))) {
    if (const auto upstream = call.parts.upstream(call.repo)) {
      auto answer = forward(*upstream, call.request, below_repository(call.request.target), call.parts.server_url());
      return answer ? *std::move(answer) : error_answer(answer.error());
    }
  }
  call.body = json::object{};
  if (!call.request.body.empty() && call.request.body_source == nullptr) {
    auto body = parse_json(call.request.body, "the request body");
    if (!body) return error_answer(400, "Problems parsing JSON: " + body.error().message);
    call.body = *std::move(body);
  }
  auto made = handler(call);
  return made ? *std::move(made) : error_answer(made.error());
}

}  // namespace

std::string Call::api_url(std::string_view below) const {
  return fmt::format("{}{}/repos/{}/{}{}", parts.server_url(), kBase, owner, repo, below);
}

std::string Call::page_url(std::string_view below) const {
  return fmt::format("{}/#{}", parts.server_url(), below);
}

std::string Call::node_id(std::string_view kind, std::string_view key) const {
  return fmt::format("{}/{}/{}", kind, repo, key);
}

std::string Call::node_id(std::string_view kind, std::int64_t key) const {
  return node_id(kind, std::to_string(key));
}

bool is_repository_name(std::string_view name) {
  return !name.empty() && name.front() != '.' && name.front() != '-' && name.size() <= 200 &&
         name.find_first_of(std::string_view("/\\\0", 3)) == std::string_view::npos;
}

void Routes::repo(std::string_view method, std::string_view pattern, Need need, Handler handler,
                  io::RouteOptions options) {
  router_.handle(
      method, fmt::format("{}/repos/{{owner}}/{{repo}}{}", kBase, pattern),
      [parts = parts_, need, handler](io::HttpRequest& request) {
        Call call{*parts, request, {}, request.params["owner"], request.params["repo"]};
        return answer(call, &need, handler);
      },
      options);
}

void Routes::server(std::string_view method, std::string_view pattern, Handler handler) {
  router_.handle(method, pattern, [parts = parts_, handler](io::HttpRequest& request) {
    Call call{*parts, request, {}, {}, {}};
    return answer(call, nullptr, handler);
  });
}

Result<void> check_need(const Call& call, const Need& need) {
  const auto& identity = call.identity();
  const std::string object = "repo/" + call.repo;
  // What jobs may at all does not depend on scopes; those are looked at below, by GitHub's names for each call.
  if (!identity.job_id || !access::job_may(need.permission)) {
    return call.services().access->allow(identity, need.permission, object);
  }
  if (identity.foreign && need.level == Level::kWrite) {
    return fail(Code::kPermissionDenied,
                "Resource not accessible by integration: {} runs what somebody brought who may not push, so its token "
                "only reads",
                identity.name);
  }
  // Everybody may know of a repository what its name says: GitHub's scope `metadata`.
  if (identity.scopes && !need.scope.empty()) {
    const auto has = std::max(identity.scopes->of(need.scope),
                              need.or_scope.empty() ? Level::kNone : identity.scopes->of(need.or_scope));
    if (has < need.level) {
      return fail(Code::kPermissionDenied,
                  "Resource not accessible by integration: the `permissions` of {}'s workflow give it {}: {}; write "
                  "`{}: {}` there",
                  identity.name, need.scope, types::level_name(has), need.scope, types::level_name(need.level));
    }
  }
  if (need.level == Level::kWrite && identity.run_id) {
    const auto run = WEIR_TRY(call.services().engine->run(*identity.run_id));
    if (run.repo != call.repo) {
      return fail(Code::kPermissionDenied,
                  "Resource not accessible by integration: {} runs for {} and may change nothing of {}", identity.name,
                  run.repo, call.repo);
    }
  }
  return {};
}

io::HttpResponse error_answer(int status, std::string_view message) {
  json::object body{{"message", message}, {"documentation_url", kDocumentation}, {"status", std::to_string(status)}};
  if (status == 422) body["errors"] = json::array{json::object{{"code", "custom"}, {"message", message}}};
  return io::json_response(status, std::move(body));
}

io::HttpResponse error_answer(const Error& error) {
  const int status = status_of(error.code);
  if (status == 401) return error_answer(status, "Requires authentication: " + error.message);
  if (status == 404 && !error.message.starts_with("Not Found")) return error_answer(404, "Not Found: " + error.message);
  return error_answer(status, error.message);
}

Result<Page> page_of(const io::HttpRequest& request) {
  Page page;
  page.size = std::min<std::int64_t>(WEIR_TRY(number_query(request, "per_page", 30, 1, 1'000'000)), 100);
  page.number = WEIR_TRY(number_query(request, "page", 1, 1, 1'000'000));
  return page;
}

void set_links(const Call& call, const Page& page, std::size_t total, bool total_is_known, io::HttpResponse& response) {
  std::string base = call.parts.server_url() + io::percent_encode(call.request.path) + "?";
  for (std::size_t slash = base.find("%2F"); slash != std::string::npos; slash = base.find("%2F", slash)) {
    base.replace(slash, 3, "/");
  }
  for (const auto& [name, value] : call.request.query) {
    if (name != "page") base += fmt::format("{}={}&", io::percent_encode(name), io::percent_encode(value));
  }
  std::vector<std::string> links;
  const auto link = [&](std::int64_t number, std::string_view rel) {
    links.push_back(fmt::format("<{}page={}>; rel=\"{}\"", base, number, rel));
  };
  if (page.number > 1) {
    link(page.number - 1, "prev");
    link(1, "first");
  }
  if (total > page.end()) {
    link(page.number + 1, "next");
    if (total_is_known) link((static_cast<std::int64_t>(total) + page.size - 1) / page.size, "last");
  }
  if (!links.empty()) response.headers.set("Link", fmt::format("{}", fmt::join(links, ", ")));
}

Result<std::optional<std::vector<std::string>>> names_in(const json::value& body, std::string_view member) {
  const json::value* list = body.is_array() ? &body : json_find(body, member);
  if (list == nullptr || list->is_null()) return std::nullopt;
  if (!list->is_array()) return fail(Code::kInvalidArgument, "{} must be an array", member);
  std::vector<std::string> names;
  for (const auto& one : list->get_array()) {
    if (one.is_string()) {
      names.emplace_back(one.get_string());
    } else if (auto name = json_string(one, "name")) {
      names.push_back(*std::move(name));
    } else {
      return fail(Code::kInvalidArgument, "{} must be an array of strings", member);
    }
  }
  return names;
}

Result<void> refuse_member(const json::value& body, std::string_view member, std::string_view why) {
  const auto* value = json_find(body, member);
  if (value == nullptr || value->is_null()) return {};
  if (value->is_bool() && !value->get_bool()) return {};
  if (value->is_array() && value->get_array().empty()) return {};
  if (value->is_string() && value->get_string().empty()) return {};
  return fail(Code::kInvalidArgument, "{}: {}", member, why);
}

json::object user_json(const Call& call, std::string_view name) {
  const bool job = name.starts_with("job:");
  const std::string_view login = job ? kBot : name;
  // Clients compare ids; names are what is unique here.
  const auto id = std::stoll(sha256_hex(login).substr(0, 12), nullptr, 16);
  return {{"login", login},
          {"id", id},
          {"node_id", fmt::format("user/{}", login)},
          {"name", name},
          {"type", job ? "Bot" : "User"},
          {"avatar_url", ""},
          {"site_admin", false},
          {"url", fmt::format("{}{}/users/{}", call.parts.server_url(), kBase, io::percent_encode(login))},
          {"html_url", call.page_url("/")}};
}

json::array people_json(const Call& call, const std::vector<std::string>& names) {
  json::array people;
  for (const auto& name : names) people.push_back(user_json(call, name));
  return people;
}

json::object repository_json(const Call& call, std::string_view branch) {
  auto repository = event::repository_payload({.repository = call.full_name(),
                                               .default_branch = std::string(branch),
                                               .server_url = call.parts.server_url(),
                                               .sender = {}});
  const auto id = std::stoll(sha256_hex(call.repo).substr(0, 12), nullptr, 16);
  repository["id"] = id;
  repository["node_id"] = fmt::format("repository/{}", call.repo);
  repository["owner"] = user_json(call, call.owner);
  repository["url"] = call.api_url();
  // Whatever owner the caller has put into the path, the repository has one address.
  repository["html_url"] = fmt::format("{}/weir/{}", call.parts.server_url(), call.repo);
  for (const std::string_view key : {"clone_url", "git_url", "ssh_url"}) {
    repository[key] = fmt::format("{}/weir/{}.git", call.parts.server_url(), call.repo);
  }
  repository["visibility"] = "private";
  repository["fork"] = false;
  repository["archived"] = false;
  repository["disabled"] = false;
  repository["description"] = nullptr;
  repository["has_issues"] = true;
  return repository;
}

Result<std::string> commit_of(const io::Git& git, std::string_view ref) {
  const bool plain = !ref.empty() && ref.front() != '-' && ref.size() <= 1'000 &&
                     ref.find_first_of(std::string_view(" ^~:?*[\\\n\r\0", 11)) == std::string_view::npos &&
                     ref.find("..") == std::string_view::npos && ref.find("@{") == std::string_view::npos;
  if (plain) {
    // A branch wins over a tag, as on GitHub.
    for (const std::string_view prefix : {"refs/heads/", "refs/tags/", "refs/", ""}) {
      if (prefix.empty() && !ref.starts_with("refs/") && ref != "HEAD" &&
          ref.find_first_not_of("0123456789abcdefABCDEF") != std::string_view::npos) {
        break;
      }
      if (auto sha = git.resolve(fmt::format("{}{}", prefix, ref))) return sha;
    }
  }
  return fail(Code::kNotFound, "Not Found: no commit found for the ref {}", ref.substr(0, 200));
}

std::string default_branch(const io::Git& git) {
  return event::short_ref(git.head_ref().value_or("refs/heads/main"));
}

std::string base64_encode(std::string_view bytes) {
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const int size =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                      reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(size));
  return text;
}

void add_routes(io::Router& router, Parts parts) {
  Routes routes(router, std::make_shared<const Parts>(std::move(parts)));
  add_issue_routes(routes);
  add_assignee_routes(routes);
  add_issue_event_routes(routes);
  add_label_routes(routes);
  add_reaction_routes(routes);
  add_object_routes(routes);
  add_comment_routes(routes);
  add_pull_routes(routes);
  add_review_routes(routes);
  add_commit_routes(routes);
  add_check_routes(routes);
  add_content_routes(routes);
  add_ref_routes(routes);
  add_release_routes(routes);
  add_deployment_routes(routes);
  add_action_routes(routes);
  add_graphql_routes(routes);
  add_server_routes(routes);
}

}  // namespace weir::api::github
