// Workflow files: any text gives a workflow or problems that can be shown; a workflow can be planned.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "workflow/plan.h"
#include "workflow/trigger.h"
#include "workflow/workflow.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace weir::workflow;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (size > 20'000) return 0;
  const auto result = parse_workflow(text, "fuzz.yml");
  if (!result.workflow && result.diagnostics.empty()) std::abort();
  (void)lint_text(result, text);
  if (!result.workflow) return 0;

  const Workflow& workflow = *result.workflow;
  (void)to_json(workflow);
  if (topological_order(workflow).size() != workflow.jobs.size()) std::abort();
  (void)matches(workflow.on, {.event = "push", .ref = "refs/heads/main", .changed_paths = {{"src/a.py", "README.md"}}});
  (void)matches(workflow.on, {.event = "pull_request", .base_ref = "main"});
  if (workflow.on.dispatch) (void)complete_inputs(*workflow.on.dispatch, {});
  const Contexts contexts;
  for (const auto& job : workflow.jobs) {
    const auto expansion = expand_matrix(job, contexts);
    if (expansion) (void)job_title(job, expansion->combinations.front(), contexts);
    (void)job_condition(job, contexts);
    (void)runs_on(job, contexts);
    (void)job_timeout(job, contexts);
    (void)evaluate_env(job.env, contexts, "env");
    for (const auto& step : job.steps) {
      const auto again = step_from_json(to_json(step));
      if (!again || to_json(*again) != to_json(step)) std::abort();
    }
  }
  return 0;
}
