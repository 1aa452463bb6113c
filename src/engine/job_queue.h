#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>

#include "engine/nodes.h"

namespace weir::engine {

// Jobs that wait for a place, by pool: those of a higher priority first, among equals those of the repository that
// holds the fewest CPUs of the pool, then in the order of their coming. One thread.
class JobQueue {
 public:
  void push(const JobRef& ref, bool first = false);

  enum class Answer {
    kTaken,     // it started, or needs no place any more
    kBlocked,   // there is no room for it now; others may go before it
    kReserved,  // there is no room, and nothing else may take what becomes free
  };
  using Offer = std::function<Answer(const JobRef&)>;
  // CPUs that a repository holds in a pool.
  using Usage = std::function<int(const std::string& pool, const std::string& repo)>;

  // Offers a place to one job after another until none can be taken.
  void offer(const Usage& usage, const Offer& offer);

 private:
  // How many of a repository's jobs that find no room the next one may go before.
  static constexpr std::size_t kPassedMax = 32;

  using Repos = std::map<std::string, std::deque<JobRef>>;
  using Levels = std::map<int, Repos, std::greater<>>;  // by priority

  static bool offer_level(const std::string& pool, Repos& repos, const Usage& usage, const Offer& offer);
  std::map<std::string, Levels> pools_;
};

}  // namespace weir::engine
