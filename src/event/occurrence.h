#pragma once

#include <string>
#include <vector>

#include "event/source.h"
#include "workflow/trigger.h"

// Something that happened to a repository and that `on:` may name, whoever noticed it.
namespace weir::event {

struct Occurrence {
  workflow::TriggerInfo info;  // event, action and what filters look at
  std::string files_commit;    // whose workflow files count; "": the head of the default branch
  std::string commit;          // of the runs; "": the head of the default branch
  std::string ref;             // of the runs; "": the default branch
  std::string head_ref;        // pull requests: the source branch, short
  std::string base_ref;        // pull requests: the target branch, short
  json::object payload;        // github.event; `repository` and `sender` are added where they lack
  std::string title;           // "": the first line of the commit's message
  std::string reason;          // "": what the matching trigger says, and who did it
  std::string actor;           // identity name
  std::int64_t cause = 0;      // sequence of the event that tells of it
  RunOptions options;
};

// github.event of it: `repository`, `sender`, addresses and what else every payload has are added.
json::object complete_payload(const Occurrence& occurrence, const PayloadFacts& facts);

// Whether a branch or tag leads to the commit: only those who may push make them. Blocks for git.
Result<bool> is_pushed(const io::Git& git, const std::string& commit);

// The runs that it starts: one for each workflow file that listens to it, and one that has failed for each file that
// cannot be read, if `with_broken`. Blocks for git.
Result<std::vector<RunRequest>> requests_of(const TriggerDeps& deps, const Source& source, const Occurrence& occurrence,
                                            bool with_broken = false);

}  // namespace weir::event
