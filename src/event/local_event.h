#pragma once

#include "event/source.h"

namespace weir::event {

// The full ref that "main", "v1" or "refs/heads/main" means in the repository; "" is the default branch. kNotFound
// names near ones.
Result<std::string> find_ref(const Source& source, std::string_view name);

// Requests of the workflows that listen to an event which a person plays through. Filters of branches and paths are not
// asked: who starts a workflow here wants to see it run.
Result<std::vector<RunRequest>> local_requests(const TriggerDeps& deps, const Source& source, const LocalEvent& event,
                                               const std::string& actor);

// Refuses a key of `event.options.matrix` that no job of the workflows has: it would choose nothing. `paths`: as
// LocalEvent::workflow_path. What only a run can know (a matrix from an expression, a workflow elsewhere) is trusted.
Result<void> check_matrix(const io::Git& git, const LocalEvent& event, const std::vector<std::string>& paths);

}  // namespace weir::event
