#include "engine/groups.h"

#include <algorithm>
#include <utility>

namespace weir::engine {
namespace {

std::string folded(std::string name) {
  std::ranges::transform(name, name.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return name;
}

}  // namespace

ConcurrencyGroups::Entered ConcurrencyGroups::enter(const std::string& group, Member member, bool cancel_in_progress) {
  const std::string name = folded(group);
  auto& state = groups_[name];
  group_of_[member] = name;
  Entered entered;
  if (!state.holder) {
    state.holder = member;
    entered.holds = true;
    return entered;
  }
  entered.replaced = std::exchange(state.waiting, member);
  if (entered.replaced) group_of_.erase(*entered.replaced);
  if (cancel_in_progress) entered.to_cancel = state.holder;
  return entered;
}

void ConcurrencyGroups::restore_holder(const std::string& group, Member member) {
  const std::string name = folded(group);
  groups_[name].holder = member;
  group_of_[member] = name;
}

std::optional<ConcurrencyGroups::Member> ConcurrencyGroups::leave(Member member) {
  const auto found = group_of_.find(member);
  if (found == group_of_.end()) return std::nullopt;
  const auto group = groups_.find(found->second);
  group_of_.erase(found);
  auto& state = group->second;
  if (state.waiting == member) {
    state.waiting.reset();
    return std::nullopt;
  }
  state.holder = std::exchange(state.waiting, std::nullopt);
  const auto next = state.holder;
  if (!next) groups_.erase(group);
  return next;
}

}  // namespace weir::engine
