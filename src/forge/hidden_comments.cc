#include "forge/hidden_comments.h"

#include <algorithm>
#include <array>

#include "types/event.h"

namespace weir::forge {
namespace {

Result<void> record(store::Transaction& tx, std::int64_t comment, std::string_view reason,
                    const types::Identity& identity) {
  auto place = WEIR_TRY(tx.first<std::pair<std::string, std::string>>(
      "SELECT repo, subject FROM forge_comments WHERE id = ?", {comment},
      [](const store::Row& row) { return std::pair(row.string(0), row.string(1)); }));
  if (!place) return fail(Code::kNotFound, "there is no comment {}", comment);
  WEIR_TRY(tx.append({.type = std::string(types::event_type::kCommentUpdated),
                      .actor = identity.name,
                      .subject = fmt::format("repo/{}", place->first),
                      .payload = {{"comment", comment}, {"on", place->second}, {"hidden", reason}}}));
  return {};
}

}  // namespace

Result<void> HiddenComments::hide(std::int64_t comment, std::string_view reason, const types::Identity& identity) {
  static constexpr std::array<std::string_view, 6> kReasons{"abuse",    "duplicate", "off_topic",
                                                            "outdated", "resolved",  "spam"};
  if (std::ranges::find(kReasons, reason) == kReasons.end()) {
    return fail(Code::kInvalidArgument, "comments are hidden as {}, not as \"{}\"", fmt::join(kReasons, ", "),
                reason.substr(0, 80));
  }
  return db_.write([&](store::Transaction& tx) -> Result<void> {
    WEIR_TRY(record(tx, comment, reason, identity));
    WEIR_TRY(forget_hidden(tx, comment));
    WEIR_TRY(tx.execute("INSERT INTO forge_hidden_comments(comment, reason, hidden_by, hidden_at) VALUES(?, ?, ?, ?)",
                        {comment, reason, identity.name, tx.now()}));
    return {};
  });
}

Result<void> HiddenComments::show(std::int64_t comment, const types::Identity& identity) {
  return db_.write([&](store::Transaction& tx) -> Result<void> {
    WEIR_TRY(record(tx, comment, "", identity));
    return forget_hidden(tx, comment);
  });
}

Result<std::optional<Hidden>> HiddenComments::of(std::int64_t comment) {
  return db_.load<std::optional<Hidden>>([&](store::Reader& reader) {
    return reader.first<Hidden>("SELECT reason, hidden_by FROM forge_hidden_comments WHERE comment = ?", {comment},
                                [](const store::Row& row) { return Hidden{row.string(0), row.string(1)}; });
  });
}

Result<void> forget_hidden(store::Transaction& tx, std::int64_t comment) {
  WEIR_TRY(tx.execute("DELETE FROM forge_hidden_comments WHERE comment = ?", {comment}));
  return {};
}

}  // namespace weir::forge
