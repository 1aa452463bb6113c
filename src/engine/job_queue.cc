#include "engine/job_queue.h"

namespace weir::engine {

void JobQueue::push(const JobRef& ref, bool first) {
  auto& waiting = pools_[ref.job->pool->name][ref.job->demand.priority][ref.run->row.repo];
  if (first) {
    waiting.push_front(ref);
  } else {
    waiting.push_back(ref);
  }
}

void JobQueue::offer(const Usage& usage, const Offer& offer) {
  for (auto& [pool, levels] : pools_) {
    for (auto level = levels.begin(); level != levels.end();) {
      const bool reserved = offer_level(pool, level->second, usage, offer);
      level = level->second.empty() ? levels.erase(level) : std::next(level);
      if (reserved) break;
    }
  }
}

// Whether what becomes free is reserved for one of its jobs.
bool JobQueue::offer_level(const std::string& pool, Repos& repos, const Usage& usage, const Offer& offer) {
  std::map<std::string, std::size_t> passed;  // by repository: those that found no room
  for (;;) {
    auto next = repos.end();
    int least = 0;
    for (auto repo = repos.begin(); repo != repos.end(); ++repo) {
      const auto at = passed[repo->first];
      if (at >= std::min(repo->second.size(), kPassedMax)) continue;
      const int held = repos.size() > 1 ? usage(pool, repo->first) : 0;
      if (next != repos.end() && held >= least) continue;
      next = repo;
      least = held;
    }
    if (next == repos.end()) return false;
    auto& [repo, waiting] = *next;
    auto& at = passed[repo];
    switch (offer(waiting[at])) {
      case Answer::kTaken:
        waiting.erase(waiting.begin() + static_cast<std::ptrdiff_t>(at));
        if (waiting.empty()) repos.erase(next);
        break;
      case Answer::kBlocked: ++at; break;
      case Answer::kReserved: return true;
    }
  }
}

}  // namespace weir::engine
