#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/log.h"
#include "engine/engine.h"
#include "event/mirrors.h"

namespace weir::app {

// Where workflows come from that are called as OWNER/NAME/.github/workflows/FILE.yml@REF.
struct WorkflowSources {
  std::string server_owner = "weir";  // whose repositories this server's are
  std::function<Result<io::Git>(const std::string& repo)> git;
  std::function<Result<std::vector<event::Mirror>>()> mirrors;
  std::function<std::string()> server_url;     // empty: there is no server that people push to
  std::string base_url;                        // as of actions: "https://github.com"
  std::filesystem::path cache;                 // as of actions: <state>/actions
  const std::atomic<bool>* stopped = nullptr;  // the server ends: nobody waits for another process any more
  Log* log = nullptr;
};

// The repository and commit that a call of `run` means: weir/NAME is this server's NAME, and OWNER/NAME its repository
// that follows the one of the base address; whoever may start runs may read them. Everything else comes from the base
// address and is kept beside the actions, a commit for ever, a branch or tag as it was last seen where nobody answers.
// For a run of somebody who may not push, only what is here is taken. Blocks; any thread. Errors say what to do.
Result<engine::EngineDeps::RemoteCommit> find_workflows(const WorkflowSources& sources, const event::RunRequest& run,
                                                        const std::string& repository, const std::string& ref);

}  // namespace weir::app
