#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace weir::engine {

// Concurrency groups as GitHub has them: one member holds a group, at most one waits for it, and a newer one takes the
// waiting one's place. Names compare without case. Members are numbers of the caller's. Pure; one thread.
class ConcurrencyGroups {
 public:
  using Member = std::uint64_t;

  struct Entered {
    bool holds = false;               // go on at once; otherwise wait until leave() names the member
    std::optional<Member> replaced;   // waited before and now never gets its turn
    std::optional<Member> to_cancel;  // holds the group and is to end, because the newcomer cancels what is in progress
  };
  Entered enter(const std::string& group, Member member, bool cancel_in_progress);

  // A member that held the group before a restart.
  void restore_holder(const std::string& group, Member member);

  // The member ended or was cancelled; fine if it is in no group. Gives who holds the group from now on.
  std::optional<Member> leave(Member member);

 private:
  struct Group {
    std::optional<Member> holder;
    std::optional<Member> waiting;
  };
  std::unordered_map<std::string, Group> groups_;
  std::unordered_map<Member, std::string> group_of_;
};

}  // namespace weir::engine
