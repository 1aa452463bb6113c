#include "api/git/proposals.h"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "event/payload.h"
#include "text/suggest.h"

namespace weir::api {
namespace {

constexpr std::string_view kFor = "refs/for/";
constexpr std::string_view kHeads = "refs/heads/";

bool offers(const event::RefUpdate& update) {
  return update.ref.starts_with(kFor) && !event::is_no_object(update.after);
}

// Branches and their commits when the push is through.
Result<std::map<std::string, std::string>> branches_after(const io::Git& git,
                                                          std::span<const event::RefUpdate> updates) {
  std::map<std::string, std::string> branches;
  for (const auto& [ref, commit] : WEIR_TRY(git.refs())) {
    if (ref.starts_with(kHeads)) branches[ref.substr(kHeads.size())] = commit;
  }
  for (const auto& update : updates) {
    if (!update.ref.starts_with(kHeads)) continue;
    const std::string name = update.ref.substr(kHeads.size());
    event::is_no_object(update.after) ? static_cast<void>(branches.erase(name))
                                      : static_cast<void>(branches.insert_or_assign(name, update.after));
  }
  return branches;
}

// The branch that "main/topic" is for; "" if there is none.
std::string target_of(std::string name, const std::map<std::string, std::string>& branches) {
  while (!name.empty() && !branches.contains(name)) {
    const auto slash = name.rfind('/');
    name.resize(slash == std::string::npos ? 0 : slash);
  }
  return name;
}

}  // namespace

bool has_proposal(std::span<const event::RefUpdate> updates) {
  return std::ranges::any_of(updates, offers);
}

Result<void> check_proposal_targets(const io::Git& git, std::span<const event::RefUpdate> updates) {
  if (!has_proposal(updates)) return {};
  const auto branches = WEIR_TRY(branches_after(git, updates));
  std::vector<std::string> names;
  names.reserve(branches.size());
  for (const auto& [name, commit] : branches) names.push_back(name);
  for (const auto& update : updates) {
    if (!offers(update)) continue;
    const std::string name = update.ref.substr(kFor.size());
    if (!target_of(name, branches).empty()) continue;
    auto hint = text::did_you_mean(name, names);
    if (hint.empty()) hint = text::did_you_mean(name.substr(0, name.find('/')), names);
    return fail(Code::kNotFound, "there is no branch \"{}\" to push a change for{}{}", name, hint.empty() ? "" : "; ",
                hint);
  }
  return {};
}

Result<void> check_proposed_commits(const io::Git& git, std::span<const event::RefUpdate> updates) {
  const auto branches = WEIR_TRY(branches_after(git, updates));
  for (const auto& update : updates) {
    if (!offers(update)) continue;
    const auto target = target_of(update.ref.substr(kFor.size()), branches);
    if (target.empty()) continue;
    const auto& base = branches.at(target);
    const auto common = WEIR_TRY(git.merge_base(base, update.after));
    if (common.empty()) {
      return fail(Code::kFailedPrecondition, "{} and {} have no common history", update.after.substr(0, 12), target);
    }
    if (common == update.after) {
      return fail(Code::kFailedPrecondition, "{} has nothing that {} lacks", update.after.substr(0, 12), target);
    }
  }
  return {};
}

}  // namespace weir::api
