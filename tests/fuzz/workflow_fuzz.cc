// Workflow files: any text gives a workflow or problems that can be shown; a workflow can be planned.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "workflow/graph.h"
#include "workflow/plan.h"
#include "workflow/rules.h"
#include "workflow/trigger.h"
#include "workflow/workflow.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace weir::workflow;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (size > 20'000) return 0;
  const auto result = parse_workflow(text, "fuzz.yml", {.refuse_unbuilt = false});
  if (!result.workflow && result.diagnostics.empty()) std::abort();
  (void)lint_text(result, text);
  // What is refused because nothing runs it is refused besides, never instead of something else.
  if (parse_workflow(text, "fuzz.yml").workflow && !result.workflow) std::abort();
  for (const auto& finding : check_rules(text, "fuzz.yml", {.rules = default_rules(), .is_builtin = {}})) {
    if (finding.rule.empty() || finding.line < 0 || finding.column < 0) std::abort();
  }
  if (!result.workflow) return 0;

  const Workflow& workflow = *result.workflow;
  (void)to_json(workflow);
  const Graph graph = build_graph(workflow);
  if (graph_svg(graph).empty() || graph_text(graph, 200).empty()) std::abort();
  for (const auto& name : workflow.on.names()) {
    if (!workflow.on.listens(name)) std::abort();
    if (matches(workflow.on, {.event = name, .ref = "refs/heads/x", .base_ref = "y"}).reason.empty()) std::abort();
  }
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
