#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "event/triggers.h"
#include "io/git.h"
#include "io/http.h"
#include "types/identity.h"

namespace weir::api {

struct GitHttpOptions {
  std::filesystem::path repos;  // holds <name>.git
  std::string default_branch = "main";
  std::uint64_t push_bytes_max = 4ULL << 30;  // of one push, uncompressed
  std::string public_url;                     // where people reach the server, if not by its own address

  // May `identity` read (write = false) or push? Asked without updates before a push begins and again with them. The
  // message of a refusal is shown to the person at the terminal.
  std::function<Result<void>(const types::Identity& identity, std::string_view repo, bool write,
                             std::span<const event::RefUpdate> updates)>
      authorize;

  // May a job push this? Asked after `authorize`, when the push is here: `git` has its objects too, no ref has moved.
  std::function<Result<void>(const types::Identity& identity, const std::string& repo,
                             std::span<const event::RefUpdate> updates, const io::Git& git)>
      examine;

  // Called when a push may be taken, before any ref moves; what it notes durably tells after a crash whose the push
  // was. On an error nothing moves.
  std::function<Result<void>(const std::string& repo, const std::vector<event::RefUpdate>& updates,
                             const types::Identity& identity)>
      push_begins;

  // Called once for each push that moved refs, with those that did, before its answer goes out and in the order in
  // which they moved: what it has recorded durably when it returns, an acknowledged push never loses. On an error the
  // push is answered as refused, although its refs have moved: it is called again before the next push to the
  // repository, and reconciling at start finds what was never recorded.
  std::function<Result<void>(const std::string& repo, const std::vector<event::RefUpdate>& updates,
                             const types::Identity& identity)>
      pushed;

  // What the pusher should know after that, for people; "" for nothing.
  std::function<std::string(const std::string& repo)> remark;
};

// Git's smart HTTP protocol (gitprotocol-http) at /git/<name>.git, and where GitHub's clients look for it,
// /weir/<name> with and without ".git", through the `git` program: clone, fetch (versions 0 and 2) and push. Pushing to
// a name that is not there makes the repository, for developers but not for jobs. The authentication filter sets the
// identity; who lacks a right without having given a token is asked for one (401, Basic).
//
// A push is stored aside completely before git sees it, so that a slow or vanishing client holds nothing up, and is
// refused as a whole if one of its refs may not be moved.
//
// The files that a repository keeps with Git LFS go beside it, see add_lfs_routes().
void add_git_routes(io::Router& router, GitHttpOptions options, Log& log);

// Letters, digits, "-", "_" and "."; begins with a letter or digit, at most 100 bytes.
bool is_repository_name(std::string_view name);

// Waits until no push runs in the repository. Call before refs are reconciled at start: a git that a killed server had
// started may still be moving some.
Result<void> wait_for_pushes(const std::filesystem::path& git_dir);

}  // namespace weir::api
