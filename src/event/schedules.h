#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "event/source.h"

namespace weir::event {

// Writes which schedules the default branch has, in the transaction that records its push: new ones count from now,
// those that stay keep when they last fired.
Result<void> store_schedules(store::Transaction& tx, const std::string& repo, const std::vector<WorkflowFile>& files);

// Fires schedules when their time has come, at most once for whatever was missed. That it fired and the run are one
// transaction, so neither a crash nor a second server's tick loses or doubles one. Ticks on the loop.
class Schedules : public std::enable_shared_from_this<Schedules> {
 public:
  explicit Schedules(const TriggerDeps& deps) : deps_(deps) {}

  void start();
  // Waits for a tick that is under way. Any thread.
  void stop();

 private:
  struct Due {
    std::string repo;
    std::string path;
    std::string cron;
    TimePoint last_fired;
  };
  void run();
  void arm();
  void tick();
  Result<void> fire(const Due& due);

  const TriggerDeps& deps_;
  std::mutex mutex_;  // held while it ticks
  bool stopped_ = false;
};

}  // namespace weir::event
