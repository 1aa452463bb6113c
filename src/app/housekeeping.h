#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <thread>
#include <vector>

#include "access/config_store.h"
#include "base/clock.h"
#include "base/log.h"
#include "engine/engine.h"
#include "engine/run_artifacts.h"
#include "store/blob_store.h"
#include "store/database.h"

namespace weir::app {

// Removes what nobody needs any more, so that a state does not grow for ever and what killed runners left does not
// stay:
//
//   jobs/       workspaces, and later logs, of jobs of old runs, beyond the newest of each workflow
//   blobs/      artifacts whose time is over; caches used longest ago, beyond a size
//   resume/     what preempted jobs left for their next turn, once their run has succeeded or is as old as that
//   pushes/     what jobs of `weir run` pushed to, with the last of the folders of these runs
//   exchange/   files that runners were about to hand over
//   actions/    repositories of actions, those used longest ago, beyond a size
//   containers/ and what it stands for: containers and networks of podman's, of jobs of this state that are over
//
// How much of a repository's own stays, `keep:` in its weir.yaml says; what must stay, app/kept.h.
//
// A round at start and one every hour, on a thread of its own; containers also when a job has failed.
class Housekeeping {
 public:
  struct Rules {
    Duration resume_rest = std::chrono::hours{1};     // after a run's end, for who runs it again at once
    Duration exchange_rest = std::chrono::hours{24};  // since a file was last written
    Duration blobs_rest = std::chrono::hours{1};      // since the bytes were last put, for who is about to name them
    std::int64_t actions_bytes_max = std::int64_t{4} << 30;
    Duration every = std::chrono::hours{1};
  };
  struct Parts {
    engine::Engine& engine;
    store::Database& db;
    store::BlobStore& blobs;
    engine::RunArtifacts& artifacts;
    const access::ConfigStore& config;
    const Clock& clock;
    Log& log;
    std::filesystem::path state;
  };

  // The parts outlive this.
  Housekeeping(Parts parts, Rules rules) : parts_(std::move(parts)), rules_(rules) {}
  ~Housekeeping() { stop(); }

  // Before any run can begin: with no unfinished one, nobody is left who could hand over a file.
  void start();
  void stop();

  // One round. Problems are logged.
  void tidy();

 private:
  void work(const std::stop_token& stopped);
  void tidy_runs();
  void tidy_blobs();
  void tidy_resume();
  void tidy_pushes();
  void tidy_exchange(Duration rest);
  void tidy_actions();
  void tidy_containers();
  [[nodiscard]] std::vector<std::int64_t> container_jobs() const;
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
