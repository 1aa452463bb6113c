#pragma once

#include <span>

#include "base/error.h"
#include "event/triggers.h"
#include "io/git.h"

// Pushes to refs/for/<branch> and refs/for/<branch>/<topic>, which offer a change of the branch. What no pull request
// can be made of is refused before anything is stored: afterwards nothing could make up for it.
namespace weir::api {

// Whether one of the updates offers a change.
[[nodiscard]] bool has_proposal(std::span<const event::RefUpdate> updates);

// kNotFound for a branch that is not there, and that the same push does not make; with the nearest one.
Result<void> check_proposal_targets(const io::Git& git, std::span<const event::RefUpdate> updates);

// kFailedPrecondition for a commit that has nothing the branch lacks, or no history in common with it. `git` has the
// objects of the push; no ref has moved.
Result<void> check_proposed_commits(const io::Git& git, std::span<const event::RefUpdate> updates);

}  // namespace weir::api
