#pragma once

#include <string>
#include <string_view>

#include "api/github/github.h"

// Comments, statuses and check runs of a repository that follows one of GitHub's are GitHub's own.
namespace weir::api::github {

// Whether a call about a repository is one of those; `below` is its path after /repos/{owner}/{repo}.
bool is_forwarded(std::string_view below);

// Where a repository's calls go, from the address that it follows and the API's: for https://github.com/me/flights.git
// and https://api.github.com it is https://api.github.com/repos/me/flights. "" if the address is of another server than
// the API, as a token must reach no other.
std::string upstream_of(std::string_view url, std::string_view api);

// Asks GitHub, and gives what it said; its pages are asked for here again.
Result<io::HttpResponse> forward(const Upstream& upstream, const io::HttpRequest& request, std::string_view below,
                                 const std::string& server_url);

// Asks GitHub for what GraphQL here is to tell: `below` as above. GitHub's refusals are in its own words;
// null where it has nothing to say.
Result<json::value> ask_upstream(const Upstream& upstream, std::string_view method, std::string_view below,
                                 const json::value& body = {});
// The addresses of its REST API, without a repository, and of its GraphQL API.
std::string upstream_api(const Upstream& upstream);
std::string upstream_graphql(const Upstream& upstream);
// What it answers as `data`.
Result<json::value> ask_upstream_graphql(const Upstream& upstream, std::string_view query, json::object variables);

}  // namespace weir::api::github
