#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/github/github.h"

// What the handlers of GitHub's REST API share: who may call, bodies, pages, addresses, errors.
namespace weir::api::github {

using Level = types::TokenScopes::Level;

// What a call needs: of a job the level of one of two scopes, of people a permission.
struct Need {
  std::string_view scope;
  Level level = Level::kRead;
  access::Permission permission = access::Permission::kRead;
  std::string_view or_scope;
};

// One request.
struct Call {
  const Parts& parts;
  io::HttpRequest& request;
  json::value body;  // {} if none was sent
  std::string owner;
  std::string repo;

  [[nodiscard]] const Services& services() const { return *parts.services; }
  [[nodiscard]] const types::Identity& identity() const { return request.identity; }
  [[nodiscard]] Result<io::Git> git() const { return services().git(repo); }
  [[nodiscard]] std::string full_name() const { return owner + "/" + repo; }
  [[nodiscard]] const std::string& param(std::string_view name) const { return request.params.find(name)->second; }
  [[nodiscard]] Result<std::int64_t> number(std::string_view name) const { return id_param(request, name); }
  [[nodiscard]] std::string query(std::string_view name, std::string_view fallback = {}) const {
    return request.query_value(name).value_or(std::string(fallback));
  }

  // The address of something of the repository's in this API, and of a page of the dashboard.
  [[nodiscard]] std::string api_url(std::string_view below = {}) const;
  [[nodiscard]] std::string page_url(std::string_view below = {}) const;
  // By what GraphQL knows something of the repository: "comment/flights/12".
  [[nodiscard]] std::string node_id(std::string_view kind, std::string_view key) const;
  [[nodiscard]] std::string node_id(std::string_view kind, std::int64_t key) const;
};

using Handler = Result<io::HttpResponse> (*)(Call&);

// Registers handlers below /api/v3.
class Routes {
 public:
  Routes(io::Router& router, std::shared_ptr<const Parts> parts) : router_(router), parts_(std::move(parts)) {}

  // Of a repository: `pattern` goes on after /api/v3/repos/{owner}/{repo}.
  void repo(std::string_view method, std::string_view pattern, Need need, Handler handler,
            io::RouteOptions options = {});
  // Of none.
  void server(std::string_view method, std::string_view pattern, Handler handler);

 private:
  io::Router& router_;
  std::shared_ptr<const Parts> parts_;
};

// Whether it is a name that a folder of its own may have, and nothing else.
bool is_repository_name(std::string_view name);

// A job's token reaches no further than its scopes and, to write, than its own repository.
Result<void> check_need(const Call& call, const Need& need);

// GitHub's form of an error: {"message", "documentation_url", "status", "errors"}.
io::HttpResponse error_answer(int status, std::string_view message);
io::HttpResponse error_answer(const Error& error);

// ?per_page= and ?page=.
struct Page {
  std::int64_t size = 30;
  std::int64_t number = 1;
  [[nodiscard]] std::size_t begin() const { return static_cast<std::size_t>((number - 1) * size); }
  [[nodiscard]] std::size_t end() const { return static_cast<std::size_t>(number * size); }
};
Result<Page> page_of(const io::HttpRequest& request);

// Sets the Link header that leads to other pages; `total` is what there is, or a lower bound of it.
void set_links(const Call& call, const Page& page, std::size_t total, bool total_is_known, io::HttpResponse& response);

// The page of a whole list, each element as `show` gives it.
template <class T, class Show>
Result<io::HttpResponse> paged(const Call& call, const std::vector<T>& all, const Show& show,
                               std::string_view member = {}) {
  const auto page = WEIR_TRY(page_of(call.request));
  json::array list;
  for (std::size_t i = page.begin(); i < all.size() && i < page.end(); ++i) list.push_back(show(all[i]));
  auto response = member.empty()
                      ? io::json_response(200, std::move(list))
                      : io::json_response(200, json::object{{"total_count", all.size()}, {member, std::move(list)}});
  set_links(call, page, all.size(), true, response);
  return response;
}

// A member of the body that must be an array of strings; nothing if it is absent. Labels may be objects with a name.
Result<std::optional<std::vector<std::string>>> names_in(const json::value& body, std::string_view member);
// Refuses a member that asks for something weir does not keep; null, false and empty values ask for nothing.
Result<void> refuse_member(const json::value& body, std::string_view member, std::string_view why);

// People as GitHub shows them. Jobs are "github-actions[bot]", by which actions find what they wrote before.
json::object user_json(const Call& call, std::string_view name);
json::object repository_json(const Call& call, std::string_view default_branch);

// The commit that a branch, tag, full ref or id names. kNotFound as GitHub says it.
Result<std::string> commit_of(const io::Git& git, std::string_view ref);
std::string default_branch(const io::Git& git);  // "main"

std::string base64_encode(std::string_view bytes);

json::object pull_json(const Call& call, const forge::Pull& pull);
json::object comment_json(const Call& call, const forge::Comment& comment);

json::array people_json(const Call& call, const std::vector<std::string>& names);
json::array labels_json(const Call& call, const std::vector<std::string>& names);

void add_issue_routes(Routes& routes);
void add_assignee_routes(Routes& routes);
void add_issue_event_routes(Routes& routes);
void add_label_routes(Routes& routes);
void add_reaction_routes(Routes& routes);
void add_object_routes(Routes& routes);
void add_comment_routes(Routes& routes);
void add_pull_routes(Routes& routes);
void add_review_routes(Routes& routes);
void add_commit_routes(Routes& routes);
void add_check_routes(Routes& routes);
void add_content_routes(Routes& routes);
void add_ref_routes(Routes& routes);
void add_release_routes(Routes& routes);
void add_deployment_routes(Routes& routes);
void add_action_routes(Routes& routes);
void add_graphql_routes(Routes& routes);
void add_server_routes(Routes& routes);

}  // namespace weir::api::github
