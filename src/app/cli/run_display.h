#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <string>

#include "base/error.h"
#include "engine/engine.h"

namespace weir::app {

// Shows a run of an engine in this process: each job's log as it grows, then a table of jobs. On a terminal several
// jobs at once are told apart by a prefix with colour.
class RunDisplay {
 public:
  struct Options {
    bool json = false;  // one JSON object a line: {"job", "step", "text"…}, at the end {"run", "conclusion"}
    bool live = false;  // a terminal
  };
  RunDisplay(engine::Engine& engine, Options options);

  // Blocks until the run has completed. 0 for success, 1 otherwise.
  Result<int> follow(std::int64_t run);

 private:
  Result<void> show(std::vector<engine::Job> jobs);
  Result<void> look_at(std::int64_t run, const std::set<std::int64_t>& jobs);
  std::set<std::int64_t> wait_for_moves();
  Result<void> print_new_lines(const engine::Job& job);
  Result<void> print_log(const engine::Job& job, const std::filesystem::path& folder);
  void print_summary(const engine::Run& run, const std::vector<engine::Job>& jobs);

  engine::Engine& engine_;
  Options options_;
  std::mutex mutex_;
  std::condition_variable moved_;
  std::set<std::int64_t> moved_jobs_;              // since we looked
  bool run_moved_ = false;                         // some run did
  bool ended_ = false;                             // some run has
  std::set<std::int64_t> running_;                 // jobs that were seen to run and not to end
  std::map<std::int64_t, std::int64_t> log_read_;  // bytes of each job's log that were printed
  std::set<std::int64_t> announced_;               // jobs whose end was printed
  std::set<std::int64_t> reasons_;                 // jobs whose reason was shown
  std::string text_;                               // piece of a log
  engine::Engine::Subscription subscription_;
};

// Prints what `weir run` could run here.
Result<int> list_workflows(bool as_json);

}  // namespace weir::app
