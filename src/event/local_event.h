#pragma once

#include <optional>

#include "event/pull_occurrences.h"
#include "event/source.h"

// Events that a person plays through on this machine (`weir run`), as the server would raise them.
namespace weir::event {

// The full ref that "main", "v1" or "refs/heads/main" means in the repository; "" is the default branch. kNotFound
// names near ones.
Result<std::string> find_ref(const Source& source, std::string_view name);

// A workflow file that was asked for.
struct LocalFile {
  std::string path;
  bool named = false;  // itself, and not its folder: it runs also where filters of its `on:` would leave it out
};

struct LocalEvent {
  std::string repo;
  std::string event_name;         // "push", "pull_request", "workflow_dispatch", "schedule"
  std::vector<LocalFile> files;   // none: every workflow file of the commit
  std::string commit;             // what is pushed, proposed or run
  std::string ref;                // full: what is pushed, or run
  std::string default_ref;        // "refs/heads/main"; "": HEAD's branch
  std::string before;             // push: the commit that a push of `ref` would be compared with; "": nothing is known
  std::optional<PullFacts> pull;  // pull_request
  json::object pull_payload;      // pull_request: github.event.pull_request, as the forge has it
  json::object payload;           // of `-e event.json`; completed with what is known
  json::object inputs;
  RunOptions options;
};

// What an event would start.
struct LocalPlan {
  struct File {
    std::string path;
    std::string text;
  };
  std::vector<RunRequest> requests;
  std::vector<File> left_out;   // listen to the event, but their filters leave them out: why
  std::vector<File> in_spite;   // run because they were named: why they would not
  std::vector<File> broken;     // cannot be read: their mistakes
  std::vector<File> others;     // listen to other events: to which
  bool compares_paths = false;  // filters of paths were asked what `before` or the pull request's base tells
};

// Looks at each file alone, as a push does. kUnimplemented for other events, kNotFound for a named file that is not
// there or does not listen to the event, kInvalidArgument for wrong inputs.
Result<LocalPlan> plan_local(const TriggerDeps& deps, Source source, const LocalEvent& event, const std::string& actor);

// Why a plan without requests starts nothing.
std::string nothing_to_run(const LocalEvent& event, const LocalPlan& plan);

// Refuses a key of the options' matrix that no job of the plan's workflows has: it would choose nothing. What only a
// run can know (a matrix from an expression, a workflow elsewhere) is trusted.
Result<void> check_matrix(const io::Git& git, const LocalPlan& plan);

}  // namespace weir::event
