#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <thread>

#include "base/clock.h"
#include "base/log.h"
#include "engine/engine.h"

namespace weir::app {

// Removes what nobody needs any more, so that a state does not grow for ever and what killed runners left does not
// stay:
//
//   jobs/       folders of jobs of old runs, beyond the newest
//   resume/     what preempted jobs left for their next turn, once their run has succeeded or is as old as that
//   exchange/   files that runners were about to hand over
//   actions/    repositories of actions, those used longest ago, beyond a size
//   containers and networks of podman's that bear a job of this state that is not at work
//
// A round at start and one every hour, on a thread of its own; containers also when a job has failed.
class Housekeeping {
 public:
  struct Rules {
    engine::RetentionRules jobs{.runs_kept = 200, .age_max = std::chrono::hours{24 * 90}, .before_remove = {}};
    Duration resume_rest = std::chrono::hours{1};     // after a run's end, for who runs it again at once
    Duration exchange_rest = std::chrono::hours{24};  // since a file was last written
    std::int64_t actions_bytes_max = std::int64_t{4} << 30;
    Duration every = std::chrono::hours{1};
  };
  struct Parts {
    engine::Engine& engine;
    const Clock& clock;
    Log& log;
    std::filesystem::path state;
  };

  // The parts outlive this.
  Housekeeping(Parts parts, Rules rules) : parts_(std::move(parts)), rules_(std::move(rules)) {}
  ~Housekeeping() { stop(); }

  // Before any run can begin: with no unfinished one, nobody is left who could hand over a file.
  void start();
  void stop();

  // One round. Problems are logged.
  void tidy();

 private:
  void work(const std::stop_token& stopped);
  void tidy_resume();
  void tidy_exchange(Duration rest);
  void tidy_actions();
  void tidy_containers();
  [[nodiscard]] bool is_at_work(std::int64_t job) const;

  Parts parts_;
  Rules rules_;
  std::atomic<bool> stop_ = false;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  bool job_failed_ = false;
  engine::Engine::Subscription subscription_;
  std::jthread thread_;
};

}  // namespace weir::app
