#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "io/process.h"
#include "runner/output.h"

namespace weir::runner {

// How a cancelled step's processes are ended: SIGINT, then SIGTERM, then SIGKILL. The pauses are GitHub's.
struct KillPauses {
  Duration interrupt{std::chrono::milliseconds{7'500}};  // between SIGINT and SIGTERM
  Duration terminate{std::chrono::milliseconds{2'500}};  // between SIGTERM and SIGKILL
};

// Why a step's processes were ended before their time.
enum class StopReason { kNone, kStepTimeout, kCancelled };

struct SupervisedEnd {
  io::ExitStatus status;
  StopReason stopped = StopReason::kNone;
};

// Runs a job's processes, one foreground process at a time, reading what it and its children print, and listens for the
// signals that cancel the job: the first SIGTERM (or SIGINT, or the job's deadline) asks `on_cancel` whether the
// running step shall end; the second, or `cancel_limit` after the first, ends everything at once.
//
// This process becomes the reaper of all descendants, so that also those which left the step's process group or session
// are found. One thread; it blocks SIGTERM, SIGINT and SIGCHLD for the whole process: make one per process, first
// thing.
class Supervisor {
 public:
  using UseLine = std::function<void(int step, const LineSplitter::Line&)>;

  struct Options {
    KillPauses pauses;
    Duration cancel_limit{std::chrono::minutes{5}};           // for steps with `if: always()` after a cancellation
    Duration output_silence{std::chrono::milliseconds{500}};  // see run()
    Duration output_limit{std::chrono::seconds{5}};
    std::function<void()> on_cancelled = [] {};  // once, when the job is cancelled or its time is up
  };

  // Blocks the signals that a supervisor listens for, for this thread and those that it starts: what comes before
  // create() is kept for it. create() does the same.
  static Result<void> hold_signals();

  // `use_line` gets every line that a step prints; `after_lines` is called once what was there has been read.
  static Result<std::unique_ptr<Supervisor>> create(const Options& options, UseLine use_line,
                                                    std::function<void()> after_lines);
  ~Supervisor();
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  // Cancels the job at `deadline` (std::chrono::steady_clock).
  void set_job_deadline(std::chrono::steady_clock::time_point deadline) { job_deadline_ = deadline; }

  // Runs a step's process to its end. Standard output and error go to one pipe. Children that keep the pipe open after
  // it (a server in the background) are waited for until they have been silent for `output_silence`, at most
  // `output_limit` (GitHub waits 5 s); what they print later still reaches the step's log.
  // `limit`: the step's timeout. `on_cancel` says whether this step is to be ended.
  Result<SupervisedEnd> run(int step, io::ProcessOptions options, std::optional<Duration> limit,
                            const std::function<bool()>& on_cancel);

  // Runs `work` on a thread of its own, for actions inside the runner. `stop` becomes true, and child processes are
  // ended, when the work shall end early; work that has not ended `pauses` later is abandoned: nothing is returned, and
  // the thread may go on until the process ends (it must own all it touches).
  struct WorkEnd {
    bool finished = false;
    StopReason stopped = StopReason::kNone;
  };
  WorkEnd run_work(std::function<void()> work, std::shared_ptr<std::atomic<bool>> stop, std::optional<Duration> limit,
                   const std::function<bool()>& on_cancel);

  // Handles signals and output that have arrived, without waiting.
  void poll_now();

  [[nodiscard]] bool cancelled() const { return cancelled_; }
  [[nodiscard]] bool timed_out() const { return timed_out_; }  // the cancellation came from the job's deadline
  [[nodiscard]] bool killed() const;                           // end at once: no further step may start

  // An action was given up and its thread may still be at work.
  [[nodiscard]] bool work_abandoned() const { return work_abandoned_; }

  // Ends what is left of the steps' processes; gives a text for each, "4711 (mlflow)".
  std::vector<std::string> end_orphans();

 private:
  struct Stream;
  struct Watch;

  Supervisor(const Options& options, UseLine use_line, std::function<void()> after_lines);
  void wait_once(Watch& watch);
  void read_stream(Stream& stream);
  void take_signals(Watch& watch);
  void check_deadlines(Watch& watch);
  void cancel(Watch& watch);
  void kill_now(Watch& watch);
  void begin_stop(Watch& watch, StopReason reason);
  void finish_stop(Watch& watch);
  void signal_descendants(Watch& watch, int signal);
  void drain(Stream& stream, Watch& watch);

  Options options_;
  UseLine use_line_;
  std::function<void()> after_lines_;
  int signal_fd_ = -1;
  std::vector<std::unique_ptr<Stream>> streams_;  // of this step, and of earlier ones whose children live on
  std::optional<std::chrono::steady_clock::time_point> job_deadline_;
  std::optional<std::chrono::steady_clock::time_point> cancelled_at_;
  std::string buffer_;
  int cancel_signals_ = 0;
  bool cancelled_ = false;
  bool timed_out_ = false;
  bool work_abandoned_ = false;
  Stream* kept_stream_ = nullptr;  // must not be forgotten at its end: drain() looks at it
};

}  // namespace weir::runner
