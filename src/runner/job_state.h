#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "runner/action.h"
#include "runner/confinement.h"
#include "runner/journal.h"
#include "runner/problem_matcher.h"
#include "runner/python_env.h"
#include "runner/step_files.h"
#include "runner/supervisor.h"
#include "types/job_spec.h"
#include "workflow/expression.h"
#include "workflow/workflow.h"

namespace weir::runner {

struct Action;
struct ActionRun;
class Containers;
class Sandbox;

// Tells what outlives a step (what reads the output of a child that it left behind) whether the step still runs.
class Listening {
 public:
  Listening() = default;
  ~Listening() { *on_ = false; }
  Listening(const Listening&) = delete;
  Listening& operator=(const Listening&) = delete;
  [[nodiscard]] const std::shared_ptr<bool>& on() const { return on_; }

 private:
  std::shared_ptr<bool> on_ = std::make_shared<bool>(true);
};

// One step while it runs, and what is kept of it. Steps inside a composite action have one of their own each, with the
// index of the job's step that they belong to.
struct StepState {
  int index = -1;    // -1: the job's own set-up
  std::string path;  // "3.0.1": inside an action; "" for a step of the job
  std::string name;  // github.action: that of the job's step, also inside an action and in its last process
  workflow::Step step;
  std::string title;
  json::object env;                              // the `env` context that the step sees
  json::object own_env;                          // its own part of it
  std::map<std::string, std::string> variables;  // whole environment of its processes
  json::object outputs;
  types::Conclusion outcome = types::Conclusion::kSuccess;
  types::Conclusion conclusion = types::Conclusion::kSuccess;
  std::map<std::string, int, std::less<>> annotations;  // count by level
  bool command_failed = false;                          // a workflow command was wrong: the step fails
  bool echo = false;                                    // ::echo::on
  std::string stop_token;                               // ::stop-commands::; "" while commands are processed
  bool warned_deprecated = false;
  StepState* outer = nullptr;                                 // the step of the composite action that this one is in
  std::map<std::string, std::string>* saved_state = nullptr;  // what the action wants to find in its post step
  std::optional<Duration> limit;  // `timeout-minutes`; inside an action that of the job's step counts
  std::optional<std::chrono::steady_clock::time_point> deadline;
  bool timed_out = false;
  Listening listening;
};

// What a step did that the steps after it see: what a background step did becomes theirs when they have waited for it.
struct StepChanges {
  json::object env;
  std::map<std::string, std::string> hidden_env;
  std::vector<std::string> paths;
};

// What steps see of a job, and change. Steps in the background have one of their own.
struct JobView {
  explicit JobView(std::filesystem::path files_dir) : files(std::move(files_dir)) {}

  workflow::Contexts contexts;
  json::object job_env;                           // workflow's and job's `env`, then what GITHUB_ENV added
  std::map<std::string, std::string> hidden_env;  // set by actions, unseen by expressions
  std::vector<std::string> added_paths;           // GITHUB_PATH, the latest last
  StepFiles files;
  StepChanges changes;

  // Inside a composite action: variables of the steps that lead to it, and whether one of its steps has failed.
  json::object outer_env;
  std::optional<bool> action_failed;
  int depth = 0;

  bool in_background = false;
};

// What a step left to be done after the job's steps.
struct PostStep {
  std::string title;
  std::string name;     // of the step that left it
  workflow::Step step;  // with the condition under which it runs
  std::function<Result<void>(struct JobState&, StepState&)> run;
};

// A job while it runs: everything that more than one part of the runner needs. One thread at a time, but for `log`.
struct JobState : JobView {
  explicit JobState(std::filesystem::path folder)
      : JobView(folder / "runner"),
        job_dir(std::move(folder)),
        temp_dir(job_dir / "temp"),
        own_dir(job_dir / "runner") {}

  std::filesystem::path job_dir;
  std::filesystem::path temp_dir;  // RUNNER_TEMP, emptied at the end
  std::filesystem::path own_dir;   // event.json and the files of `files`; they hold no secrets and stay with the job
  std::filesystem::path workspace;
  std::shared_ptr<const types::JobSpec> spec;
  json::object secrets;
  std::string token;
  json::object action_env;  // see action_environment.h
  bool debug_on = false;

  SystemClock clock;
  std::unique_ptr<JobLog> log;
  std::optional<Journal> journal;
  std::unique_ptr<Supervisor> supervisor;

  std::map<std::string, std::string> inherited;  // of this process, with weir's own defaults
  std::map<std::string, std::string> fixed_env;  // GITHUB_* and RUNNER_*: win over everything
  std::optional<Interpreter> outer_python;       // what `python3` meant before the job had its own
  std::shared_ptr<PythonEnv> python;
  bool failed = false;  // a step failed and was not allowed to
  std::vector<PostStep> posts;
  std::vector<std::function<void()>> at_end;  // when the job has ended well and none of its processes is left
  std::vector<std::string> step_names;        // github.action, by the index of the step in the file
  int next_index = 0;  // of the next step that is not the file's: before and after those that are
  // Actions of other repositories, by `uses`; what could not be had says why.
  std::map<std::string, Result<std::shared_ptr<const Action>>, std::less<>> actions;
  std::vector<std::shared_ptr<const void>> held;  // what keeps their files where they are
  // Runs of actions whose first step was done when the job started, by the step: "3", "3.0.1".
  std::map<std::string, std::shared_ptr<ActionRun>, std::less<>> action_runs;
  std::map<int, std::filesystem::path> nodes;  // the node that runs actions, by the major version that they want
  ProblemMatchers matchers;
  std::shared_ptr<Containers> containers;
  std::shared_ptr<Sandbox> sandbox;  // null: the steps have the rights of this process

  // A line of the step's log.
  void line(int step, char stream, std::string_view text) const { log->line(step, stream, text); }
  void debug(int step, std::string_view text) const;
  // Log and journal; at most 10 of a level a step reach the journal, as on GitHub. `place`: "file", "line", "title", …
  // `shown_line` stands in the log instead of the message if it is given.
  void annotate(StepState& step, std::string_view level, std::string_view message, const json::object& place = {},
                std::string_view shown_line = {});
  void error(StepState& step, std::string_view message) { annotate(step, "error", message); }
  void warning(StepState& step, std::string_view message) { annotate(step, "warning", message); }
  // Appends to the journal. A journal that cannot be written (full disk) does not end the job.
  void record(std::string_view type, const json::object& fields);

  // Brings what expressions see of the job's state up to date.
  void update_status();
  [[nodiscard]] bool cancelled() const { return supervisor && supervisor->cancelled(); }

  // For work of the runner's own on files that the steps could have changed; null without a sandbox.
  [[nodiscard]] ConfinementPtr confinement() const;

  // Whole environment for a process that sees `env`.
  [[nodiscard]] std::map<std::string, std::string> process_env(const json::object& env) const;
  void set_env(std::string_view name, std::string_view value);
  void set_hidden_env(std::string_view name, std::string_view value);
  void add_path(std::string_view path);
  // A step's changes, made when it was waited for.
  void take_over(const StepChanges& made);
};

}  // namespace weir::runner
