#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "store/database.h"
#include "types/identity.h"

namespace weir::forge {

// What people and jobs answer with one sign. No workflow hears of it, as with GitHub.
// https://docs.github.com/en/rest/reactions
struct Reaction {
  std::int64_t id = 0;
  std::string content;  // +1, -1, laugh, confused, heart, hooray, rocket or eyes
  std::string author;
  TimePoint created_at;
};

// Of a subject, "issue/7" (pull requests too) or "comment/12", which is there. Any thread; functions block for the
// commit.
class Reactions {
 public:
  explicit Reactions(store::Database& db) : db_(db) {}

  // One of each sign by everybody: gives the one that is there already, with `is_new` false.
  struct Added {
    Reaction reaction;
    bool is_new = true;
  };
  Result<Added> add(const std::string& repo, const std::string& subject, const std::string& content,
                    const types::Identity& identity);
  // Oldest first, at most 1,000; those with `content`, if it is not "".
  Result<std::vector<Reaction>> list(const std::string& repo, const std::string& subject, std::string_view content);
  // By who made it: kPermissionDenied for others.
  Result<void> remove(const std::string& repo, const std::string& subject, std::int64_t id,
                      const types::Identity& identity);

 private:
  store::Database& db_;
};

// In the transaction that removes what they are about.
Result<void> remove_reactions(store::Transaction& tx, const std::string& repo, const std::string& subject);

}  // namespace weir::forge
