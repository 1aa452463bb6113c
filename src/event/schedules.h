#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "event/source.h"

namespace weir::event {

// Writes which schedules the default branch has, in the transaction that records its push: new ones count from now,
// those that stay keep when they last fired.
Result<void> store_schedules(store::Transaction& tx, const std::string& repo, const std::vector<WorkflowFile>& files);

// A schedule as it stands.
struct ScheduleView {
  std::string repo;
  std::string path;
  std::string cron;
  std::string timezone;  // "": UTC
  TimePoint last_fired;  // or when it came to the default branch
  std::optional<TimePoint> next;
};
// The schedules of every repository, with their next time (jitter is not counted).
Result<std::vector<ScheduleView>> list_schedules(store::Database& db, TimePoint now);

// Fires schedules when their time has come, and what was missed as the rules say. That it fired and the run are one
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
    std::string timezone;  // "": UTC
    TimePoint last_fired;
  };
  // What is due of a schedule: when it should have fired, and from when on the next time counts.
  struct Tick {
    TimePoint at;
    TimePoint fired;
  };
  void run();
  void arm();
  void tick();
  Result<void> look_at(const Due& due);
  Result<std::optional<Tick>> due_tick(const Due& due, const ScheduleRules& rules) const;
  Result<void> fire(const Due& due, const Tick& tick);
  void move_on(const Due& due, TimePoint to);
  void look_again();
  static Result<bool> set_fired(store::Transaction& tx, const Due& due, TimePoint to);

  const TriggerDeps& deps_;
  std::mutex mutex_;  // held while it ticks
  bool stopped_ = false;
};

}  // namespace weir::event
