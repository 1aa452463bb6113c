#pragma once

#include <string>

#include "api/github/call.h"

namespace weir::api::github {

struct NotesWanted {
  std::string tag;            // of the release; need not be there
  std::string target;         // branch or commit that it is made at, if it is not; "": the default branch
  std::string previous;       // tag to begin after; "": the nearest one before
  std::string configuration;  // path of the file that says what to leave out; "": .github/release.yml, if it is there
};

// What was merged between two tags, in Markdown: pull requests in the order in which they were merged, in the
// categories of the configuration, and who is new. kInvalidArgument names what does not exist.
Result<std::string> release_notes(const Call& call, const NotesWanted& wanted);

}  // namespace weir::api::github
