#pragma once

#include <span>
#include <string>

#include "event/triggers.h"
#include "io/git.h"

namespace weir::event {

// What a job's push may hold. As on GitHub, a job does not change workflow files: what they become decides what later
// jobs may do. The same goes for weir.yaml on the default branch, the only place from which it counts.
//
// On the default branch both must be what they were, and nothing that it has may go. On other branches and tags,
// workflow files may also be those of the default branch, those of the job's own commit, none, or those of any commit
// that the default branch holds.
struct JobPush {
  const io::Git& git;          // with the objects that are pushed
  std::string default_ref;     // "refs/heads/main"
  std::string default_commit;  // where it is; "" in an empty repository
  std::string job_commit;      // what the job's run plays
};

// kPermissionDenied naming the ref and the files. Any thread; blocks.
Result<void> check_job_push(const JobPush& push, std::span<const RefUpdate> updates);

}  // namespace weir::event
