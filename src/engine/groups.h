#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace weir::engine {

// Concurrency groups as GitHub has them: one member holds a group, others wait for it. Of those usually one waits, and
// a newer one takes its place; with `queue: max` up to kWaitingMax wait in their order. Names compare without case.
// Members are numbers of the caller's. Pure; one thread.
class ConcurrencyGroups {
 public:
  using Member = std::uint64_t;
  static constexpr std::size_t kWaitingMax = 100;

  struct Rule {
    bool cancel_in_progress = false;
    bool queue = false;  // `queue: max`: wait behind those that wait already
  };

  struct Entered {
    bool holds = false;               // go on at once; otherwise wait until leave() names the member
    bool refused = false;             // the queue is full: it is in no group and never gets its turn
    std::vector<Member> replaced;     // waited before and now never get their turn
    std::optional<Member> to_cancel;  // holds the group and is to end, because the newcomer cancels what is in progress
  };
  Entered enter(const std::string& group, Member member, Rule rule);

  // A member that held the group before a restart.
  void restore_holder(const std::string& group, Member member);

  // The member ended or was cancelled; fine if it is in no group. Gives who holds the group from now on.
  std::optional<Member> leave(Member member);

 private:
  struct Group {
    std::optional<Member> holder;
    std::deque<Member> waiting;
  };
  std::unordered_map<std::string, Group> groups_;
  std::unordered_map<Member, std::string> group_of_;
};

}  // namespace weir::engine
