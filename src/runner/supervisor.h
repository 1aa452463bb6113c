#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "io/process.h"
#include "runner/output.h"
#include "runner/process_tree.h"

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

// Runs a job's processes, reading what they and their children print, and listens for the signals that cancel the job:
// the first SIGTERM (or SIGINT, or the job's deadline) asks the `on_cancel` of what runs whether it shall end; the
// second, or `cancel_limit` after the first, ends everything at once. SIGUSR1 asks the job to make room: all that runs
// gets SIGTERM and `preempt_grace`, and nothing more is started.
//
// Steps that run side by side are strands. A strand has a thread, so that it can be written down in order, but only one
// of them, or the job's own thread, has the turn: it goes on to another when the one that has it waits here. What steps
// share needs no locks therefore. The job's own thread is the one that polls.
//
// This process becomes the reaper of all descendants, so that also those which left the step's process group or session
// are found. It blocks SIGTERM, SIGINT, SIGUSR1 and SIGCHLD for the whole process: make one per process, first thing.
class Supervisor {
 public:
  struct Options {
    KillPauses pauses;
    Duration cancel_limit{std::chrono::minutes{5}};           // for steps with `if: always()` after a cancellation
    Duration preempt_grace{std::chrono::minutes{1}};          // from SIGTERM to SIGKILL when the job is to make room
    Duration output_silence{std::chrono::milliseconds{500}};  // see run()
    Duration output_limit{std::chrono::seconds{5}};
    std::function<void()> on_cancelled = [] {};  // once, when the job is cancelled or its time is up
  };

  // Blocks the signals that a supervisor listens for, for this thread and those that it starts: what comes before
  // create() is kept for it. create() does the same.
  static Result<void> hold_signals();

  // `after_lines` is called once what steps had printed has been read.
  static Result<std::unique_ptr<Supervisor>> create(const Options& options, std::function<void()> after_lines);
  ~Supervisor();
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  // Cancels the job at `deadline` (std::chrono::steady_clock).
  void set_job_deadline(std::chrono::steady_clock::time_point deadline) { job_deadline_ = deadline; }

  // Runs a step's process to its end. Standard output and error go to one pipe; `use_line` gets every line. Children
  // that keep the pipe open after it (a server in the background) are waited for until they have been silent for
  // `output_silence`, at most `output_limit` (GitHub waits 5 s); what they print later still reaches `use_line`, which
  // lives until the last of them is gone. `limit`: the step's timeout. `on_cancel` says whether this step is to be
  // ended when the job is cancelled.
  Result<SupervisedEnd> run(io::ProcessOptions options, LineSplitter::Use use_line, std::optional<Duration> limit,
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

  // ---- steps side by side

  struct Strand;
  using StrandPtr = std::shared_ptr<Strand>;

  // Starts a strand that does `body`, and lets it run until it first waits. `switch_view` is called whenever the strand
  // gets the turn and whenever it hands it on, to bring what belongs to it in place and back.
  StrandPtr start(std::function<void()> body, std::function<void()> switch_view);
  [[nodiscard]] static bool ended(const Strand& strand);
  // Hands the turn on until `ready` holds.
  void wait_until(const std::function<bool()>& ready);
  // Ends what the strand runs, with SIGTERM and then SIGKILL, and keeps it from starting more.
  void stop(Strand& strand);
  // Whether the strand that has the turn is to end.
  [[nodiscard]] bool stopping() const;
  // Give every process a mark, by which those of steps that run side by side are told apart once they have lost their
  // parents.
  void mark_processes() { marks_ = true; }
  // What is started here only waits for what is in a sandbox, and takes it along when it ends: requests to end are for
  // that one, and only the last signal is for both.
  void spare_roots() { spare_roots_ = true; }

  // Descendants for which this holds serve others than this job too: they are never ended.
  void spare(std::function<bool(const TreeProcess&)> which) { spared_ = std::move(which); }

  [[nodiscard]] bool cancelled() const { return cancelled_; }
  [[nodiscard]] bool preempted() const { return preempted_; }  // made room; counts as cancelled too
  [[nodiscard]] bool timed_out() const { return timed_out_; }  // the cancellation came from the job's deadline
  [[nodiscard]] bool killed() const;                           // end at once: no further step may start

  // An action was given up and its thread may still be at work.
  [[nodiscard]] bool work_abandoned() const { return work_abandoned_; }

  // Ends what is left of the steps' processes; gives a text for each, "4711 (mlflow)".
  std::vector<std::string> end_orphans();

 private:
  using TimePoint = std::chrono::steady_clock::time_point;
  struct Stream;
  struct Watch;
  class Watching;
  class Turn;

  Supervisor(const Options& options, std::function<void()> after_lines);
  void wait(const std::function<bool()>& ready, std::optional<TimePoint> until);
  void pump(std::optional<TimePoint> until);
  [[nodiscard]] std::optional<TimePoint> next_deadline(std::optional<TimePoint> until) const;
  void resume_ready();
  void resume(const StrandPtr& strand);
  void read_stream(Stream& stream);
  void take_signals();
  void check_deadlines();
  void cancel();
  void preempt();
  void kill_now();
  void begin_stop(Watch& watch, StopReason reason, int signal);
  void finish_stop(Watch& watch);
  void signal_descendants(Watch& watch, int signal);
  void drain(Stream& stream, Watch& watch);
  [[nodiscard]] std::set<pid_t> roots() const;
  [[nodiscard]] std::vector<TreeProcess> descendants_of(const Watch& watch) const;
  [[nodiscard]] std::vector<TreeProcess> without_spared(std::vector<TreeProcess> all) const;
  void note_others(Watch& watch);

  Options options_;
  std::function<void()> after_lines_;
  int signal_fd_ = -1;
  std::vector<std::unique_ptr<Stream>> streams_;  // of what runs, and of earlier steps whose children live on
  std::vector<Watch*> watches_;                   // what runs
  std::vector<StrandPtr> strands_;                // that have not ended
  StrandPtr current_;                             // that has the turn; null: the job's own thread
  std::optional<TimePoint> job_deadline_;
  std::optional<TimePoint> cancelled_at_;
  std::function<bool(const TreeProcess&)> spared_;
  std::string buffer_;
  int cancel_signals_ = 0;
  int works_ = 0;  // threads that work inside the runner, and reap their own children
  int marks_made_ = 0;
  bool marks_ = false;
  bool spare_roots_ = false;
  bool cancelled_ = false;
  bool timed_out_ = false;
  bool preempted_ = false;
  bool work_abandoned_ = false;
};

}  // namespace weir::runner
