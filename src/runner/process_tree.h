#pragma once

#include <sys/types.h>

#include <chrono>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"

// Processes as /proc shows them. This process must be the reaper of its descendants (PR_SET_CHILD_SUBREAPER), so that
// none slips away by losing its parent.
namespace weir::runner {

struct TreeProcess {
  pid_t pid = 0;
  std::string name;  // as the kernel keeps it, up to 15 bytes
};

// Living descendants of this process, without those in `except` and what descends from them.
std::vector<TreeProcess> living_descendants(const std::set<pid_t>& except = {});

// Reaps this process's children that have ended, but `keep` (which somebody else waits for; 0: none). False if there is
// no child left at all.
bool reap_children(pid_t keep = 0);

// Waits until one of the processes ends or `limit` has passed.
void wait_for_any(const std::vector<TreeProcess>& processes, Duration limit);

}  // namespace weir::runner
