#pragma once

#include <string>
#include <string_view>

#include "io/git.h"
#include "store/database.h"

// Where pushes to refs/for/… end up. Whoever may push gets a branch, which starts what a branch's push starts. What
// others propose is kept beside the branches: nothing that looks for branches, now or after a restart, can take it for
// the work of somebody who may push.
namespace weir::forge {

inline constexpr std::string_view kProposals = "refs/changes/";

// "refs/changes/vera/main", or "refs/heads/changes/…" of somebody who may push. Different authors have different ones.
std::string proposal_ref(const std::string& author, std::string_view topic, bool is_foreign);

// Whether a pull request from there is not to be trusted, whoever opens it.
bool is_foreign_head(std::string_view ref);

// For the start of a server, before anything looks at the branches. Puts aside what earlier versions kept as branches,
// and takes away pushes to refs/for/… that were cut off: their senders were told of no success, and push again.
Result<void> tidy_proposals(store::Database& db, const io::Git& git, const std::string& repo);

}  // namespace weir::forge
