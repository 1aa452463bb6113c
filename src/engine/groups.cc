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

ConcurrencyGroups::Entered ConcurrencyGroups::enter(const std::string& group, Member member, Rule rule) {
  const std::string name = folded(group);
  auto& state = groups_[name];
  Entered entered;
  if (!state.holder) {
    state.holder = member;
    group_of_[member] = name;
    entered.holds = true;
    return entered;
  }
  if (rule.queue && state.waiting.size() >= kWaitingMax) {
    entered.refused = true;
    return entered;
  }
  if (!rule.queue) {
    entered.replaced.assign(state.waiting.begin(), state.waiting.end());
    state.waiting.clear();
    for (const auto replaced : entered.replaced) group_of_.erase(replaced);
  }
  state.waiting.push_back(member);
  group_of_[member] = name;
  if (rule.cancel_in_progress) entered.to_cancel = state.holder;
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
  if (state.holder != member) {
    std::erase(state.waiting, member);
    return std::nullopt;
  }
  state.holder.reset();
  if (state.waiting.empty()) {
    groups_.erase(group);
    return std::nullopt;
  }
  state.holder = state.waiting.front();
  state.waiting.pop_front();
  return state.holder;
}

}  // namespace weir::engine
