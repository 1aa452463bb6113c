#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "runner/step_run.h"

namespace weir::runner {

// Takes the lines of work on another thread as long as its step lives. Work that was abandoned talks to nobody.
class StepReporter final : public Reporter {
 public:
  StepReporter(JobState& job, StepState& step) : job_(&job), step_(&step) {}

  void line(std::string_view text) override;
  void annotate(std::string_view level, std::string_view message) override;
  void detach();

 private:
  std::mutex mutex_;
  JobState* job_;
  StepState* step_;
};

// What work on another thread gets: where to write, and whether it is to end.
struct WorkTools {
  std::shared_ptr<Reporter> reporter;
  std::shared_ptr<std::atomic<bool>> stop;
};

// Does `work`, which blocks, on a thread of its own, so that it can be cancelled and other steps go on. `work` must own
// all it touches: it may outlive this call. Nothing if the step was ended, which was reported then.
template <class T>
std::optional<Result<T>> work_aside(JobState& job, StepState& step, std::function<Result<T>(const WorkTools&)> work) {
  const auto reporter = std::make_shared<StepReporter>(job, step);
  const WorkTools tools{.reporter = reporter, .stop = std::make_shared<std::atomic<bool>>(false)};
  // Shared with the thread, which may outlive this call when it is abandoned.
  const auto answer = std::make_shared<std::optional<Result<T>>>();
  const auto end = job.supervisor->run_work([answer, work = std::move(work), tools] { answer->emplace(work(tools)); },
                                            tools.stop, time_left(step), cancels(job, step));
  if (!end.finished) reporter->detach();
  if (report_stop(job, step, end.stopped)) return std::nullopt;
  return std::move(*answer);
}

}  // namespace weir::runner
