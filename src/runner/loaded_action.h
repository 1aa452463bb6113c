#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "runner/action.h"
#include "runner/job_state.h"
#include "runner/uses.h"
#include "workflow/action_file.h"

namespace weir::runner {

// An action that lies on this machine: of the workspace, or of another repository. Immutable.
struct Action {
  std::string uses;              // as the step names it
  std::filesystem::path folder;  // holds action.yml
  std::string repository;        // "actions/cache"; "" if it is of the workspace
  std::string ref;
  workflow::ActionFile file;
};
using ActionPtr = std::shared_ptr<const Action>;

// Reads action.yml, or action.yaml, of `folder`. kNotFound says where it was looked for; kInvalidArgument shows what is
// wrong in it. `shown` is the folder as the user knows it.
Result<ActionPtr> load_action(const UsesReference& uses, const std::filesystem::path& folder, std::string_view shown);

class ScopeMemory;

// One use of a JavaScript or container action, from its first process to its last.
struct ActionRun {
  ActionPtr action;
  std::map<std::string, std::string> state;  // GITHUB_STATE
  bool post_is_due = false;
  std::shared_ptr<ScopeMemory> scope;  // of the action that it is used in; null: it is a step of the job
};

// The inputs of a step: its `with`, evaluated, and the action's defaults for the rest. Warns about those that the
// action does not know, or advises against, unless `quiet`.
Result<Inputs> evaluate_inputs(JobState& job, StepState& step, const workflow::ActionFile* file, bool quiet = false);

// What expressions see inside an action: puts it in place, and what was there back. `inputs` and `steps` are the
// action's own; github.action_path and its like name it.
class ActionScope {
 public:
  ActionScope(JobState& job, const StepState& step, const Action& action, const Inputs& inputs);
  ~ActionScope();
  ActionScope(const ActionScope&) = delete;
  ActionScope& operator=(const ActionScope&) = delete;

 private:
  JobState& job_;
  json::value inputs_;
  json::value steps_;
  json::object github_;
  json::object outer_env_;
  std::optional<bool> action_failed_;
};

// Names an action of another repository to the expressions of the step that uses it: github.action_repository and
// github.action_ref. Without a repository what was there stays.
class ActionNames {
 public:
  ActionNames(JobState& job, const std::string& repository, const std::string& ref);
  ~ActionNames();
  ActionNames(const ActionNames&) = delete;
  ActionNames& operator=(const ActionNames&) = delete;

 private:
  JobState& job_;
  json::object github_;
};

// What a post step of an action inside an action sees again of the scope that it was met in.
class ScopeMemory {
 public:
  explicit ScopeMemory(const JobState& job);
  // Puts it in place; gives what was there.
  [[nodiscard]] ScopeMemory exchange(JobState& job);

 private:
  json::value inputs_;
  json::value steps_;
  json::object github_;
  json::object outer_env_;
  int depth_ = 0;
};

// Where the step `number` of the action that `step` uses stands: "3.0" is the first one of the job's fourth step.
std::string inner_path(const StepState& step, int number);

// GITHUB_ACTION_PATH and its like, for a process inside an action.
void add_action_variables(const JobState& job, std::map<std::string, std::string>& variables);

// The step's group in the log: what it runs, with which inputs and variables.
void show_action_header(JobState& job, const StepState& step, const Inputs& inputs);

// The kinds of actions. An error fails the step with its message.
Result<void> run_builtin(JobState& job, StepState& step, const BuiltinAction& action, const UsesReference& uses);
Result<void> run_composite(JobState& job, StepState& step, const Action& action);
Result<void> run_docker(JobState& job, StepState& step, const std::shared_ptr<ActionRun>& run);
Result<void> run_docker_pre(JobState& job, StepState& step, const std::shared_ptr<ActionRun>& run);
Result<void> run_node(JobState& job, StepState& step, const std::shared_ptr<ActionRun>& run);
// The first step of an action, when the job starts.
Result<void> run_node_pre(JobState& job, StepState& step, const std::shared_ptr<ActionRun>& run);

// Gets the actions of other repositories that the job's steps name, and those that these name. An error tells of one
// that cannot be had and without which the job cannot succeed. What steps with a condition want, which may never be
// reached, or those that may fail, is kept as an error for them.
Result<void> resolve_actions(JobState& job, StepState& set_up);
// The same for the steps of an action of the workspace, which is known only now.
void resolve_actions(JobState& job, StepState& step, const workflow::ActionFile& file);

// Whether this machine can run the containers that the job's steps name, before any of them runs.
Result<void> require_containers(JobState& job);

// Registers an action's last process, before its first one starts, so that it runs whatever happens then.
void expect_post(JobState& job, const StepState& step, const std::shared_ptr<ActionRun>& run, std::string title,
                 std::function<Result<void>(JobState&, StepState&)> body);

// "INPUT_WHO-TO-GREET"
std::string input_variable(std::string_view name);

// Runs what actions want to have run before the job's steps.
void run_pre_steps(JobState& job);

}  // namespace weir::runner
