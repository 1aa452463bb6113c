#pragma once

#include "api/git/git_http.h"

namespace weir::api {

// Git LFS's API below the addresses of git's own protocol, /git/<name>[.git]/info/lfs and /weir/<name>[.git]/info/lfs:
// the batch call and the "basic" transfers, with the rights of a fetch and of a push. Locks there are none: 404, after
// which a client pushes without asking again.
void add_lfs_routes(io::Router& router, GitHttpOptions options, Log& log);

}  // namespace weir::api
