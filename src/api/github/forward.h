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

}  // namespace weir::api::github
