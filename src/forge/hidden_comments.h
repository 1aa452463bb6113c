#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "store/database.h"
#include "types/identity.h"

namespace weir::forge {

// Comments that are folded away because somebody said why they need not be read. They stay what they were.
// https://docs.github.com/en/graphql/reference/mutations#minimizecomment
struct Hidden {
  std::string reason;  // abuse, duplicate, off_topic, outdated, resolved or spam
  std::string by;
};

// Any thread; functions block for the commit. The comment is there, and whoever asks may hide it.
class HiddenComments {
 public:
  explicit HiddenComments(store::Database& db) : db_(db) {}

  // With another reason than before, it has that from then on. kInvalidArgument names the reason.
  Result<void> hide(std::int64_t comment, std::string_view reason, const types::Identity& identity);
  Result<void> show(std::int64_t comment, const types::Identity& identity);
  // Nothing if it is not hidden.
  Result<std::optional<Hidden>> of(std::int64_t comment);

 private:
  store::Database& db_;
};

// In the transaction that removes the comment.
Result<void> forget_hidden(store::Transaction& tx, std::int64_t comment);

}  // namespace weir::forge
