#pragma once

#include <memory>
#include <string>
#include <vector>

#include "event/payload.h"
#include "event/triggers.h"
#include "event/workflow_files.h"
#include "workflow/trigger.h"

// What every kind of trigger needs: the repository's facts, and requests made from a workflow file.
namespace weir::event {

// A repository as it stands.
struct Source {
  std::string repo;
  io::Git git;
  std::string default_ref;  // "refs/heads/main"
};
Result<Source> open_source(const TriggerDeps& deps, const std::string& repo);

PayloadFacts facts_of(const TriggerDeps& deps, const Source& source, const std::string& sender);

// "main" of "refs/heads/main", "v1" of "refs/tags/v1".
std::string short_ref(std::string_view ref);

// The first line of a commit's message; the short id if it has none.
std::string title_of(const io::GitCommit& commit);

// A request that lacks event, payload, title and reason.
RunRequest request_for(const Source& source, const WorkflowFile& file, std::string_view commit, std::string_view ref,
                       const std::string& actor);

// Prepares and inserts runs in one transaction; blocks. `before` is done first, in the same transaction, and gives the
// cause of the runs.
Result<std::vector<std::int64_t>> start_runs(const TriggerDeps& deps, std::vector<RunRequest> requests,
                                             std::function<Result<std::int64_t>(store::Transaction&)> before);

}  // namespace weir::event
