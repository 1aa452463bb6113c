#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "api/weir/routes.h"
#include "forge/deployments.h"
#include "forge/labels.h"
#include "forge/reactions.h"
#include "forge/releases.h"

// The part of GitHub's REST API that workflows use, below /api/v3 as GitHub Enterprise Server has it, kept by weir for
// its own repositories: https://docs.github.com/en/rest. Clients find it by github.api_url (GITHUB_API_URL).
//
// The owner in an address may be any: a repository's own name decides. A job with `permissions` needs the scope that
// GitHub documents for a call, and writes to its own repository only; people need the matching access::Permission.
namespace weir::api::github {

// A repository of GitHub's that one of weir's follows, and a token that may write there.
struct Upstream {
  std::string url;  // "https://api.github.com/repos/me/flights"
  std::string token;
};

struct Parts {
  const Services* services = nullptr;
  forge::Releases* releases = nullptr;
  forge::Deployments* deployments = nullptr;
  forge::Labels* labels = nullptr;
  forge::Reactions* reactions = nullptr;
  // What a commit was checked by, of two of a name the newer last.
  std::function<Result<std::vector<forge::CheckState>>(const std::string& repo, const std::string& commit)> states;
  std::function<std::string()> server_url;  // "http://127.0.0.1:4510"
  std::string version;
  // Whether somebody may move refs so; as of a push by git.
  std::function<Result<void>(const types::Identity& identity, const std::string& repo,
                             const std::vector<event::RefUpdate>& updates)>
      may_push;
  // Moves a ref for somebody who may, with all that follows from it.
  std::function<Result<void>(const types::Identity& identity, const std::string& repo, const event::RefUpdate& update)>
      move_ref;
  // Where comments, statuses and check runs of a repository are kept, if not here. Empty: all are here.
  std::function<std::optional<Upstream>(const std::string& repo)> upstream;
};

// The services outlive the router. Any thread handles requests.
void add_routes(io::Router& router, Parts parts);

}  // namespace weir::api::github
