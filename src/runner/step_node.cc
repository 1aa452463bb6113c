// `uses:` of JavaScript actions: a process of node for what they do first, in their place, and last.
#include <sys/stat.h>

#include "runner/action_process.h"
#include "runner/containers.h"
#include "runner/node_find.h"
#include "runner/node_preload.h"
#include "runner/step_run.h"
#include "runner/step_work.h"

namespace weir::runner {
namespace {

// Older ones are not made for any more; GitHub runs them on the oldest it still has, too.
constexpr int kOldestNode = 20;

NodePlaces places_of(const JobState& job) {
  const auto path = job.inherited.find("PATH");
  return {.path = path == job.inherited.end() ? std::string() : path->second,
          .tool_dir = job.spec->tool_dir,
          .env = job.inherited};
}

// That of this machine, if there is one; found once a job.
std::filesystem::path machine_node(JobState& job, int wanted) {
  if (const auto known = job.nodes.find(wanted); known != job.nodes.end()) return known->second;
  if (auto found = find_node(places_of(job), wanted)) return job.nodes[wanted] = found->executable;
  return {};
}

// The node that runs the action on this machine; found, or got, once a job. Nothing if the step was ended meanwhile.
Result<std::optional<std::filesystem::path>> node_for(JobState& job, StepState& step, int wanted) {
  if (auto found = machine_node(job, wanted); !found.empty()) return found;
  auto answer = work_aside<NodeProgram>(job, step, [places = places_of(job), wanted](const WorkTools& tools) {
    return provide_node(places, wanted, *tools.stop, *tools.reporter);
  });
  if (!answer) return std::nullopt;
  return job.nodes[wanted] = WEIR_TRY(std::move(*answer)).executable;
}

// What node the action is started with, and whether that is in the job's container.
struct NodeCall {
  std::string program;
  bool inside = false;
};

Result<std::optional<NodeCall>> choose_node(JobState& job, StepState& step, const Action& action) {
  const int wanted = std::max(action.file.node_version, kOldestNode);
  if (wanted != action.file.node_version) {
    job.line(step.index, 'c',
             fmt::format("{} asks for node{}, which is no longer maintained: it runs on node {} or newer", action.uses,
                         action.file.node_version, wanted));
  }
  const bool contained = job.containers != nullptr && job.containers->has_job_container();
  const bool visible = contained && job.containers->has_folder(action.folder);
  if (visible) {
    if (auto inside = job.containers->node_inside(machine_node(job, wanted), wanted)) {
      return NodeCall{.program = *inside, .inside = true};
    }
  }
  const auto node = WEIR_TRY(node_for(job, step, wanted));
  if (!node) return std::nullopt;
  if (visible) {
    if (auto inside = job.containers->node_inside(*node, wanted)) {
      return NodeCall{.program = *inside, .inside = true};
    }
  }
  if (contained) {
    job.line(step.index, 'c',
             visible ? "No node runs in the job's container: this action runs on the machine itself, and shares the "
                       "container's folders"
                     : "The job's container does not have this action's files: it runs on the machine itself");
  }
  return NodeCall{.program = node->string(), .inside = false};
}

Result<void> run_process(JobState& job, StepState& step, ActionRun& run, const std::string& script,
                         const Inputs& inputs) {
  const Action& action = *run.action;
  const std::filesystem::path file = action.folder / script;
  struct stat info{};
  if (::stat(file.c_str(), &info) != 0) return fail(Code::kNotFound, "File not found: '{}'", file.string());
  const auto node = WEIR_TRY(choose_node(job, step, action));
  if (!node) return {};

  return run_action_process(job, step, run, inputs, {}, [&]() -> Result<SupervisedEnd> {
    step.variables.erase("NODE_ICU_DATA");
    io::ProcessOptions options;
    options.argv = {node->program};
    if (!node->inside) {  // a container's folders need not hold the script
      const auto preload = WEIR_TRY(node_preload(job.spec->tool_dir, job.spec->server_url));
      if (!preload.empty()) options.argv.insert(options.argv.end(), {"--require", preload.string()});
    }
    options.argv.push_back(file.string());
    options.working_dir = job.workspace;
    options.env = step.variables;
    if (!node->inside) return run_supervised(job, step, std::move(options));
    auto end = run_supervised(job, step, job.containers->inside(step, std::move(options.argv), job.workspace));
    if (end && end->stopped != StopReason::kNone) job.containers->end_inside(step);
    return end;
  });
}

void expect_node_post(JobState& job, const StepState& step, const std::shared_ptr<ActionRun>& run) {
  if (run->action->file.post.empty()) return;
  expect_post(job, step, run, step.title, [run](JobState& later, StepState& post_step) -> Result<void> {
    const Inputs inputs = WEIR_TRY(evaluate_inputs(later, post_step, &run->action->file, true));
    show_action_header(later, post_step, inputs);
    return run_process(later, post_step, *run, run->action->file.post, inputs);
  });
}

}  // namespace

Result<void> run_node(JobState& job, StepState& step, const std::shared_ptr<ActionRun>& run) {
  const Inputs inputs = WEIR_TRY(evaluate_inputs(job, step, &run->action->file));
  show_action_header(job, step, inputs);
  expect_node_post(job, step, run);
  return run_process(job, step, *run, run->action->file.main, inputs);
}

Result<void> run_node_pre(JobState& job, StepState& step, const std::shared_ptr<ActionRun>& run) {
  const Inputs inputs = WEIR_TRY(evaluate_inputs(job, step, &run->action->file, true));
  show_action_header(job, step, inputs);
  expect_node_post(job, step, run);
  return run_process(job, step, *run, run->action->file.pre, inputs);
}

}  // namespace weir::runner
