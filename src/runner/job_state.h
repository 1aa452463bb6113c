#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "runner/action.h"
#include "runner/journal.h"
#include "runner/python_env.h"
#include "runner/step_files.h"
#include "runner/supervisor.h"
#include "types/job_spec.h"
#include "workflow/expression.h"
#include "workflow/workflow.h"

namespace weir::runner {

// One step while it runs, and what is kept of it.
struct StepState {
  int index = -1;  // -1: the job's own set-up
  workflow::Step step;
  std::string title;
  json::object env;                              // the `env` context that the step sees
  std::map<std::string, std::string> variables;  // whole environment of its processes
  json::object outputs;
  types::Conclusion outcome = types::Conclusion::kSuccess;
  types::Conclusion conclusion = types::Conclusion::kSuccess;
  std::map<std::string, int, std::less<>> annotations;  // count by level
  bool command_failed = false;                          // a workflow command was wrong: the step fails
  bool echo = false;                                    // ::echo::on
  std::string stop_token;                               // ::stop-commands::; "" while commands are processed
  bool warned_deprecated = false;
};

// A job while it runs: everything that more than one part of the runner needs. One thread, but for `log`.
struct JobState {
  explicit JobState(std::filesystem::path folder)
      : job_dir(std::move(folder)), temp_dir(job_dir / "temp"), own_dir(job_dir / "runner"), files(own_dir) {}

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

  workflow::Contexts contexts;
  json::object job_env;                           // workflow's and job's `env`, then what GITHUB_ENV added
  std::map<std::string, std::string> inherited;   // of this process, with weir's own defaults
  std::map<std::string, std::string> hidden_env;  // set by actions, unseen by expressions
  std::map<std::string, std::string> fixed_env;   // GITHUB_* and RUNNER_*: win over everything
  std::vector<std::string> added_paths;           // GITHUB_PATH, the latest last
  std::optional<Interpreter> outer_python;        // what `python3` meant before the job had its own
  std::shared_ptr<PythonEnv> python;
  StepFiles files;
  StepState* current = nullptr;  // the step whose output can command
  bool failed = false;           // a step failed and was not allowed to

  // A line of the step's log.
  void line(int step, char stream, std::string_view text) const { log->line(step, stream, text); }
  void debug(int step, std::string_view text) const;
  // Log and journal; at most 10 of a level a step reach the journal, as on GitHub. `place`: "file", "line", "title", …
  void annotate(StepState& step, std::string_view level, std::string_view message, json::object place = {});
  void error(StepState& step, std::string_view message) { annotate(step, "error", message); }
  void warning(StepState& step, std::string_view message) { annotate(step, "warning", message); }
  // Appends to the journal. A journal that cannot be written (full disk) does not end the job.
  void record(std::string_view type, const json::object& fields);

  // Brings what expressions see of the job's state up to date.
  void update_status();
  [[nodiscard]] bool cancelled() const { return supervisor && supervisor->cancelled(); }

  // Whole environment for a process that sees `env`.
  [[nodiscard]] std::map<std::string, std::string> process_env(const json::object& env) const;
  void set_env(std::string_view name, std::string_view value);
  void add_path(std::string_view path);
};

}  // namespace weir::runner
