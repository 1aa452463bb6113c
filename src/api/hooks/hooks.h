#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "api/hooks/delivery.h"
#include "base/log.h"
#include "event/mirrors.h"
#include "event/triggers.h"
#include "event/upstream_pulls.h"
#include "io/http.h"
#include "store/database.h"

namespace weir::api {

struct HookServices {
  store::Database* db = nullptr;
  const Clock* clock = nullptr;
  Log* log = nullptr;
  event::Triggers* triggers = nullptr;
  event::Mirrors* mirrors = nullptr;
  event::UpstreamPulls* upstream_pulls = nullptr;
  // The secret that weir.yaml names for the source under `hooks:`; kNotFound says how to set one.
  std::function<Result<std::string>(const std::string& repo, std::string_view source)> secret;
};

// POST /hooks/{repo}/{source}: webhooks of forges and CloudEvents. A push makes the repository fetch what it follows,
// and so does a pull request, whose runs are made then; every other event starts the workflows that listen to it, on
// the default branch. A delivery counts once: its number is kept for a week, in the transaction in which its runs are
// made, or the pull request is queued. Needs no token: the signature is the proof.
void add_hook_routes(io::Router& router, const HookServices& services);

// Paths of add_hook_routes.
bool is_hook_path(std::string_view path);

}  // namespace weir::api
