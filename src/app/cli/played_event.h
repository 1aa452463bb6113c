#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "event/local_event.h"
#include "io/git.h"

// The event that `weir run` plays through, from what was said on the command line and what the work tree tells.
namespace weir::app {

struct PlayedEvent {
  event::LocalEvent event;
  std::string compared_with;       // push and pull_request: what changed paths are counted from, for people
  std::vector<std::string> notes;  // what was decided that people may not expect
};

struct WantedEvent {
  std::string name = "push";
  std::string ref;   // --ref: what is pushed, or run; "": the payload's, then the current branch
  std::string base;  // --base: what the pull request is to be merged into; "": the payload's, then the default branch
  json::object payload;
  std::string actor;
};

// Takes the work tree as it stands; `event.files`, `inputs` and `options` are left to the caller. Blocks for git.
Result<PlayedEvent> play_event(const io::Git& git, const std::filesystem::path& work_tree, WantedEvent wanted);

}  // namespace weir::app
