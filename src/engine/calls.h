#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "engine/workflow_cache.h"
#include "event/run_request.h"
#include "types/token_scopes.h"
#include "workflow/expression.h"
#include "workflow/workflow.h"

// Workflows that jobs call. All of them are read when a run is made, so that the run does not depend on what becomes of
// them later, and one that cannot be called is refused before anything starts.
// https://docs.github.com/en/actions/how-tos/reuse-automations/reuse-workflows
namespace weir::engine {

// Where a called workflow lies.
struct CallTarget {
  std::string repository;  // "owner/name"; "": the run's own, at the run's commit
  std::string path;        // ".github/workflows/train.yml"
  std::string ref;         // branch, tag or commit; "" for the run's own repository
};

// Takes a location apart, which is what stands in `uses` of a job: "./.github/workflows/train.yml" or
// "owner/name/.github/workflows/train.yml@ref". kInvalidArgument says how it is written.
Result<CallTarget> parse_location(std::string_view location);

// The location that `uses` means in the workflow at `caller` ("": the run's own): "./…" stays in the caller's
// repository.
Result<std::string> call_location(std::string_view uses, std::string_view caller);

// Path of a location within its repository, for messages about the file and for contexts.
std::string path_of(const CallTarget& target);

using CallLoader = std::function<Result<event::CalledWorkflow>(const CallTarget&)>;

// Everything that `workflow` calls, directly or not, by location. kInvalidArgument for what cannot work: a file that is
// not there or has errors, that has no workflow_call, that misses an input or secret or gets one that it does not
// declare, or asks for more permissions or cache access than its caller has, calls that go in circles or deeper than 10
// levels, more than 50 workflows.
Result<std::map<std::string, event::CalledWorkflow>> load_called(const workflow::Workflow& workflow,
                                                                 WorkflowCache& cache, const CallLoader& load);

// What `permissions` say of a job: its own, else the workflow's; nothing if neither says any.
std::optional<types::TokenScopes> scopes_of(const workflow::Workflow& workflow, const workflow::Job& job);

// Inputs of a called workflow: what the call gives, evaluated, over the defaults, which may look at `contexts`.
// kInvalidArgument names what is of the wrong type.
Result<json::object> complete_call_inputs(const workflow::CallTrigger& trigger, const json::object& given,
                                          const workflow::Contexts& contexts);

}  // namespace weir::engine
