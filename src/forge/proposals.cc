#include "forge/proposals.h"

#include <algorithm>
#include <vector>

#include "base/hash.h"
#include "event/payload.h"

namespace weir::forge {
namespace {

constexpr std::string_view kHeads = "refs/heads/";
constexpr std::string_view kChanges = "changes/";
constexpr std::string_view kFor = "refs/for/";
constexpr std::size_t kMarkLength = 8;

bool is_plain(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-';
}

std::string plain_name(std::string name) {
  std::ranges::replace_if(name, [](char c) { return !is_plain(c); }, '-');
  return name;
}

// Branches of foreign pull requests that their own authors' pushes made.
Result<std::vector<std::string>> proposed_branches(store::Reader& reader, const std::string& repo) {
  std::vector<std::string> branches;
  WEIR_TRY(reader.query(
      "SELECT p.head_ref, i.author FROM forge_pulls p JOIN forge_issues i ON i.repo = p.repo AND i.number = p.number "
      "WHERE p.repo = ? AND p.is_foreign = 1",
      {repo}, [&](const store::Row& row) {
        const auto own = fmt::format("{}{}{}/", kHeads, kChanges, plain_name(row.string(1)));
        if (row.text(0).starts_with(own)) branches.push_back(row.string(0));
      }));
  return branches;
}

// The refs are moved before the rows say so: a start that is cut off in between finds the same rows again.
Result<void> put_aside(store::Database& db, const io::Git& git, const std::map<std::string, std::string>& refs,
                       const std::string& repo, const std::string& branch) {
  const std::string aside = fmt::format("refs/{}", branch.substr(kHeads.size()));
  if (const auto found = refs.find(branch); found != refs.end()) {
    if (!refs.contains(aside)) WEIR_TRY(git.move_ref(aside, event::kNoObject, found->second));
    WEIR_TRY(git.move_ref(branch, found->second, event::kNoObject));
  }
  return db.write([&](store::Transaction& tx) -> Result<void> {
    WEIR_TRY(tx.execute("UPDATE forge_pulls SET head_ref = ?, is_foreign = 1 WHERE repo = ? AND head_ref = ?",
                        {aside, repo, branch}));
    return {};
  });
}

}  // namespace

std::string proposal_ref(const std::string& author, std::string_view topic, bool is_foreign) {
  std::string name = plain_name(author);
  if (name != author) name += "-" + sha256_hex(author).substr(0, kMarkLength);
  return fmt::format("{}{}/{}", is_foreign ? std::string(kProposals) : fmt::format("{}{}", kHeads, kChanges), name,
                     topic);
}

bool is_foreign_head(std::string_view ref) {
  return !ref.starts_with(kHeads);
}

Result<void> tidy_proposals(store::Database& db, const io::Git& git, const std::string& repo) {
  const auto refs = WEIR_TRY(git.refs());
  for (const auto& [ref, object_id] : refs) {
    if (ref.starts_with(kFor)) WEIR_TRY(git.move_ref(ref, object_id, event::kNoObject));
  }
  const auto branches = WEIR_TRY(
      db.load<std::vector<std::string>>([&](store::Reader& reader) { return proposed_branches(reader, repo); }));
  for (const auto& branch : branches) WEIR_TRY(put_aside(db, git, WEIR_TRY(git.refs()), repo, branch));
  return {};
}

}  // namespace weir::forge
