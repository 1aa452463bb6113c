#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "workflow/workflow.h"

namespace weir::workflow {

// What happened.
struct TriggerInfo {
  std::string event;      // "push", "pull_request", "workflow_dispatch", "schedule", "release", …
  std::string ref;        // "refs/heads/main", "refs/tags/v1"; of workflow_run: what the other run was of
  std::string base_ref;   // pull requests and merge groups: the target branch, "main" or "refs/heads/main"
  std::string action;     // "opened", "published", of repository_dispatch the event_type; "" passes
  std::string action_of;  // a narrower name of the same, which `types` may give instead: "data.changed.arrivals"; or ""
  // Files that the push or pull request changed; nothing if that is unknown, which passes `paths` filters, as a push of
  // a new branch does on GitHub.
  std::optional<std::vector<std::string>> changed_paths;
  std::string cron;      // schedule: the schedule that fired; "" passes any
  std::string timezone;  // schedule: its time zone
  std::string workflow;  // workflow_run: the name of the workflow that ran
  std::string name;      // image_version: of the image
  std::string version;   // image_version
  bool deleted = false;  // push: the ref was deleted; starts nothing
};

struct TriggerMatch {
  bool matched = false;
  std::string reason;  // for people: "push to main", "branch dev is not in branches (main)"
};

TriggerMatch matches(const On& on, const TriggerInfo& info);

// Inputs of a dispatch: `typed` is the `inputs` context (booleans and numbers as such), `text` is github.event.inputs.
struct DispatchInputs {
  json::object typed;
  json::object text;
};

// Checks what was given (strings, numbers, booleans) against the declarations and fills in defaults. kInvalidArgument
// lists every unknown, missing or wrong input, with what is allowed.
Result<DispatchInputs> complete_inputs(const DispatchTrigger& dispatch, const json::object& given);

}  // namespace weir::workflow
