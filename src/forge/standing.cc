#include "forge/standing.h"

#include <algorithm>

namespace weir::forge {

std::int64_t rank_of(const types::Identity& identity) {
  return identity.job_id || !identity.role ? 0 : static_cast<std::int64_t>(*identity.role);
}

std::string_view association_of(std::int64_t rank) {
  if (rank >= static_cast<std::int64_t>(types::Role::kAdmin)) return "OWNER";
  if (rank >= static_cast<std::int64_t>(types::Role::kApprover)) return "MEMBER";
  return rank >= static_cast<std::int64_t>(types::Role::kDeveloper) ? "COLLABORATOR" : "NONE";
}

std::string Standing::of(const Work& work) const {
  if (work.author.starts_with("job:")) return "NONE";  // each has a name of its own, and is nobody's first time
  const auto roles = roles_(work.author);
  std::int64_t rank = 0;
  if (roles && !roles->empty()) {
    // Names of tokens need not be unique: without knowing which one it was written with, the least counts.
    const auto now = work.rank == kRankUnknown ? std::ranges::min(*roles) : std::ranges::max(*roles);
    rank = static_cast<std::int64_t>(now);
    if (work.rank != kRankUnknown) rank = std::min(rank, work.rank);
  }
  auto association = std::string(association_of(rank));
  if (association != "NONE") return association;
  const auto merged = db_.load<std::optional<std::int64_t>>([&](store::Reader& reader) {
    return reader.integer(
        "SELECT 1 FROM forge_issues i JOIN forge_pulls p ON p.repo = i.repo AND p.number = i.number "
        "WHERE i.repo = ? AND i.is_pull = 1 AND i.open = 0 AND i.author = ? AND p.merged_at IS NOT NULL LIMIT 1",
        {work.repo, work.author});
  });
  if (!merged) return association;
  if (*merged) return "CONTRIBUTOR";
  return work.is_pull ? "FIRST_TIME_CONTRIBUTOR" : association;
}

}  // namespace weir::forge
