#pragma once

#include "api/github/call.h"
#include "api/github/git_work.h"

// Commits and files as GitHub's REST API shows them.
namespace weir::api::github {

json::object commit_json(const Call& call, const io::GitCommit& commit);
// As of GET /git/commits/{sha}.
json::object git_commit_json(const Call& call, const io::GitCommit& commit);
// `sha`: a commit at which it is found.
json::object file_json(const Call& call, const ChangedFile& file, const std::string& sha);

}  // namespace weir::api::github
