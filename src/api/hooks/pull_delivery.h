#pragma once

#include <string>

#include "api/hooks/delivery.h"
#include "event/upstream_pulls.h"

namespace weir::api {

// Whether a delivery tells of a pull request: of its commits, state, labels or reviews.
bool is_pull_delivery(const Delivery& delivery);

// What a delivery tells of a pull request of the repository that `repo` follows, in GitHub's words and form whoever
// sent it. Pull requests from another repository than the one they go to are foreign, and so is what does not say where
// it comes from. kInvalidArgument names what is missing or cannot be a branch. Pure.
Result<event::UpstreamPull> read_pull(HookSource source, const Delivery& delivery, const std::string& repo);

}  // namespace weir::api
