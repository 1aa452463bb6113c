#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/error.h"
#include "engine/engine.h"

namespace weir::engine {

// The pool that `labels` lead to: a label belongs to the first pool that has it. kInvalidArgument names the label that
// none has, and the known ones: GitHub would let the job wait forever.
Result<RunnerPool> find_pool(const std::vector<RunnerPool>& pools, const std::vector<std::string>& labels);

// How many jobs run in each pool. One thread.
class Slots {
 public:
  // Takes a slot, if fewer than pool.slots are taken.
  bool take(const RunnerPool& pool);
  // Takes a slot even if there is none: a job that was running before the server started.
  void force(const std::string& pool) { ++taken_[pool]; }
  void give_back(const std::string& pool);

 private:
  std::map<std::string, int> taken_;
};

}  // namespace weir::engine
