#include "forge/reactions.h"

#include <algorithm>
#include <array>

namespace weir::forge {
namespace {

constexpr std::array<std::string_view, 8> kContents = {"+1",    "-1",     "laugh",  "confused",
                                                       "heart", "hooray", "rocket", "eyes"};
constexpr std::int64_t kReadMax = 1'000;

// Jobs share what they say, as everything that GitHub's own token writes is by one author.
bool is_own(const Reaction& reaction, const types::Identity& identity) {
  return reaction.author == identity.name || (identity.job_id && reaction.author.starts_with("job:"));
}

Result<std::vector<Reaction>> load(store::Reader& reader, const std::string& repo, const std::string& subject) {
  return reader.all<Reaction>(
      "SELECT id, content, author, created_at FROM forge_reactions WHERE repo = ? AND subject = ? ORDER BY id LIMIT ?",
      {repo, subject, kReadMax},
      [](const store::Row& row) { return Reaction{row.integer(0), row.string(1), row.string(2), row.time(3)}; });
}

}  // namespace

Result<Reactions::Added> Reactions::add(const std::string& repo, const std::string& subject, const std::string& content,
                                        const types::Identity& identity) {
  if (std::ranges::find(kContents, content) == kContents.end()) {
    return fail(Code::kInvalidArgument, "content must be one of {}, not \"{}\"", fmt::join(kContents, ", "),
                content.substr(0, 20));
  }
  return db_.write_with<Added>([&](store::Transaction& tx) -> Result<Added> {
    const auto all = WEIR_TRY(load(tx, repo, subject));
    for (const auto& one : all) {
      if (one.content == content && is_own(one, identity)) return Added{one, false};
    }
    if (std::ssize(all) >= kReadMax) return fail(Code::kResourceExhausted, "at most {} may react to it", kReadMax);
    const Reaction made{WEIR_TRY(tx.next_id("reaction")), content, identity.name, tx.now()};
    WEIR_TRY(
        tx.execute("INSERT INTO forge_reactions(id, repo, subject, content, author, created_at) "
                   "VALUES(?, ?, ?, ?, ?, ?)",
                   {made.id, repo, subject, made.content, made.author, made.created_at}));
    return Added{made, true};
  });
}

Result<std::vector<Reaction>> Reactions::list(const std::string& repo, const std::string& subject,
                                              std::string_view content) {
  auto all =
      WEIR_TRY(db_.load<std::vector<Reaction>>([&](store::Reader& reader) { return load(reader, repo, subject); }));
  if (!content.empty()) std::erase_if(all, [&](const Reaction& one) { return one.content != content; });
  return all;
}

Result<void> Reactions::remove(const std::string& repo, const std::string& subject, std::int64_t id,
                               const types::Identity& identity) {
  return db_.write([&](store::Transaction& tx) -> Result<void> {
    for (const auto& one : WEIR_TRY(load(tx, repo, subject))) {
      if (one.id != id) continue;
      if (!is_own(one, identity)) {
        return fail(Code::kPermissionDenied, "reaction {} is by {}; {} may not take it back", id, one.author,
                    identity.name);
      }
      WEIR_TRY(tx.execute("DELETE FROM forge_reactions WHERE id = ?", {id}));
      return {};
    }
    return fail(Code::kNotFound, "there is no reaction {} here", id);
  });
}

Result<void> remove_reactions(store::Transaction& tx, const std::string& repo, const std::string& subject) {
  WEIR_TRY(tx.execute("DELETE FROM forge_reactions WHERE repo = ? AND subject = ?", {repo, subject}));
  return {};
}

}  // namespace weir::forge
