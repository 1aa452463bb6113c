#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "types/job_spec.h"

namespace weir::engine {

// One step as the journal tells it.
struct Step {
  int index = 0;
  std::string name;
  std::string state = "queued";  // queued, in_progress, completed
  std::optional<types::Conclusion> conclusion;
  std::optional<TimePoint> started_at;
  std::optional<TimePoint> completed_at;
};

// What a job's journal says so far.
struct JobReport {
  bool started = false;    // the runner has begun; steps may have run
  bool cancelled = false;  // the runner knows that it is to stop
  bool preempted = false;  // it made room for another job and is to run again
  bool finished = false;   // job_finished is there: conclusion, outputs and layer are final
  std::int64_t pid = 0;
  types::Conclusion conclusion = types::Conclusion::kFailure;
  json::object outputs;
  std::string environment_url;  // evaluated at the job's end; "" if none
  std::string layer;            // Python environment that the job made; "" if none
  std::vector<Step> steps;
  std::string summary;  // markdown of all steps
  json::array annotations;
  json::value reads;  // what of the commit's files the job read: {"files": […], "folders": […]}; null if unknown
  std::optional<TimePoint> finished_at;
};

// Reads a journal (or as much of it as is there).
JobReport read_report(std::string_view journal);

// The report of a job's folder; empty where there is no journal.
JobReport read_report_file(const std::filesystem::path& job_dir);

// What a runner is started with. `spec` goes to disk; `secrets` only through a pipe.
struct JobLaunch {
  types::JobSpec spec;
  std::filesystem::path job_dir;
  int preemptions = 0;  // what an earlier turn of the job left in its folder is set aside, once
  std::string secrets;  // {"secrets": {…}, "token": "…", "env": {…}}
};

// How a runner ended.
struct JobEnd {
  JobReport report;
  std::string error;  // why there is no job_finished: "the runner died (signal 9)"; empty otherwise
};

enum class Adoption {
  kRunning,       // it goes on; `on_end` will be called
  kEnded,         // it ended meanwhile; `on_end` will be called
  kNeverStarted,  // no step ran and none will: start it
};

// Starts runners and tells of their end. Functions are called on the engine's loop and do not block for long;
// callbacks come on that loop, never from inside a call.
//
// A job must not run twice: start() after a crash is only called when adopt() said kNeverStarted.
class Executor {
 public:
  struct Listener {
    std::function<void(std::int64_t job, JobEnd end)> on_end;
    // The journal or log of a running job grew.
    std::function<void(std::int64_t job)> on_progress;
  };

  virtual ~Executor() = default;

  virtual void listen(Listener listener) = 0;

  // Makes the job's folder and spec.json. May be called before the start is durable, and again.
  virtual Result<void> prepare(const JobLaunch& launch) = 0;

  // Starts the runner of a prepared job.
  virtual Result<void> start(const JobLaunch& launch) = 0;

  // Takes over a job that an earlier server started, or may have.
  virtual Result<Adoption> adopt(std::int64_t job, const std::filesystem::path& job_dir) = 0;

  // Asks a running job to stop: the runner ends its steps and runs the always() ones. Unknown jobs are ignored.
  virtual void cancel(std::int64_t job) = 0;

  // Asks a running job to make room: its processes get SIGTERM and the grace of its specification to write a
  // checkpoint; no further step runs.
  virtual void preempt(std::int64_t job) = 0;

  // Ends a job and everything it started, at once.
  virtual void kill(std::int64_t job) = 0;

  // The server stops: no callback comes any more, jobs go on.
  virtual void detach() = 0;
};

}  // namespace weir::engine
