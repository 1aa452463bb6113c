#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/json.h"
#include "store/database.h"
#include "types/identity.h"

namespace weir::forge {

// What somebody may do, as a number that is kept with what they wrote: 1 to 4 as types::Role, 0 for those without a
// role and for jobs.
std::int64_t rank_of(const types::Identity& identity);
inline constexpr std::int64_t kRankUnknown = -1;  // it was written before weir kept it

// GitHub's author_association by a rank alone: OWNER, MEMBER, COLLABORATOR, or NONE for those who may not write.
std::string_view association_of(std::int64_t rank);

// What the author of something is to a repository. Workflows let commands in comments pass by it, so it never says more
// than the author could do when writing, nor more than they may do now.
// https://docs.github.com/en/graphql/reference/enums#commentauthorassociation
class Standing {
 public:
  // Roles of the tokens of a name that are good now.
  using Roles = std::function<Result<std::vector<types::Role>>(const std::string& name)>;
  Standing(store::Database& db, Roles roles) : db_(db), roles_(std::move(roles)) {}

  struct Work {
    const std::string& repo;
    const std::string& author;
    std::int64_t rank = kRankUnknown;  // when it was written
    bool is_pull = false;
  };
  // Of those who may not write, CONTRIBUTOR has had a pull request merged, and FIRST_TIME_CONTRIBUTOR has opened one.
  // NONE for jobs, and if it cannot be told. Any thread; reads the database.
  [[nodiscard]] std::string of(const Work& work) const;
  // Says it in what github.event or the REST API has of the work.
  void put(json::object& object, const Work& work) const { object["author_association"] = of(work); }

 private:
  store::Database& db_;
  Roles roles_;
};

}  // namespace weir::forge
