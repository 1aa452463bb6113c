#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "base/log.h"
#include "engine/executor.h"
#include "io/thread_loop.h"

namespace weir::engine {

// Runs jobs on this machine: one `weir-runner <job dir>` a job, in a session of its own, which outlives the server.
//
// A runner holds a lock on <job dir>/runner.err from the moment it is forked, because the lock belongs to the open file
// that it inherits as its output. So a later server can tell for certain whether a runner is there, also one that was
// started but had not yet written anything when the earlier server died.
class LocalExecutor final : public Executor {
 public:
  struct Options {
    std::filesystem::path runner;                            // the weir-runner program
    Duration progress_pause{std::chrono::milliseconds{50}};  // least time between two reports of growth
    int nice = 0;  // how far jobs give way to this process and others for the processors: 0 not at all, 19 most
  };

  // Functions are called on `loop`; both references outlive the executor. It may be destroyed from any other thread, or
  // on the loop after detach(): it waits until the callback that is under way has ended, and none comes afterwards.
  LocalExecutor(io::ThreadLoop& loop, Log& log, Options options);
  ~LocalExecutor() override;

  void listen(Listener listener) override;
  Result<void> prepare(const JobLaunch& launch) override;
  Result<void> start(const JobLaunch& launch) override;
  Result<Adoption> adopt(std::int64_t job, const std::filesystem::path& job_dir) override;
  void cancel(std::int64_t job) override;
  void preempt(std::int64_t job) override;
  void kill(std::int64_t job) override;
  void detach() override;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace weir::engine
