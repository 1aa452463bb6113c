#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "engine/engine.h"

namespace weir::engine {

// What a job takes of its machine while it runs.
struct Resources {
  int cpus = 1;
  std::int64_t memory_bytes = 0;  // 0: not said
  int gpus = 0;
};

// What the labels of `runs-on` ask for. Labels with "=" are requests and not names of machines:
//   runs-on: [self-hosted, cpu=4, memory=8G, gpu=1, priority=high]
// `preemptible` lets a job of higher priority take its place; it is asked to stop, and runs again later.
struct Demand {
  Resources resources;
  int priority = 0;  // low is -10, normal 0, high 10; any from -100 to 100
  bool preemptible = false;
  std::vector<std::string> labels;  // the others
};
// kInvalidArgument names the label that is wrong.
Result<Demand> parse_demand(const std::vector<std::string>& labels);

// The pool that `labels` lead to: a label belongs to the first pool that has it. kInvalidArgument names the label that
// none has, and the known ones: GitHub would let the job wait forever.
Result<RunnerPool> find_pool(const std::vector<RunnerPool>& pools, const std::vector<std::string>& labels);

// find_pool() for a demand. kInvalidArgument also for one that the whole pool could not meet.
Result<RunnerPool> find_pool(const std::vector<RunnerPool>& pools, const Demand& demand);

// What runs in each pool. One thread.
class Slots {
 public:
  // What a job holds; give it back as it is.
  struct Held {
    Resources resources;
    std::vector<int> gpus;  // their numbers
  };

  // Whether `wanted` would fit now, if `freed` were given back before.
  [[nodiscard]] bool fits(const RunnerPool& pool, const Resources& wanted, const Resources& freed = {0, 0, 0}) const;
  // Takes it; call it only if it fits().
  Held take(const RunnerPool& pool, const std::string& repo, const Resources& wanted);
  // Takes it even if there is no room: a job that was running before the server started.
  void force(const std::string& pool, const std::string& repo, const Held& held);
  void give_back(const std::string& pool, const std::string& repo, const Held& held);
  // CPUs that jobs of a repository hold in a pool.
  [[nodiscard]] int cpus_of(const std::string& pool, const std::string& repo) const;

 private:
  struct Taken {
    int cpus = 0;
    std::int64_t memory_bytes = 0;
    std::set<int> gpus;
    std::map<std::string, int> cpus_by_repo;
  };
  std::map<std::string, Taken> taken_;
};

}  // namespace weir::engine
