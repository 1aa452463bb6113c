#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

// Processes as /proc shows them. This process must be the reaper of its descendants (PR_SET_CHILD_SUBREAPER), so that
// none slips away by losing its parent.
namespace weir::runner {

struct TreeProcess {
  pid_t pid = 0;
  std::string name;  // as the kernel keeps it, up to 15 bytes
};

// Living descendants of this process, without those in `except` and what descends from them. `is_foreign` is asked
// about this process's own children: those for which it holds are left out in the same way.
std::vector<TreeProcess> living_descendants(const std::set<pid_t>& except = {},
                                            const std::function<bool(pid_t)>& is_foreign = {});

// The value of a variable that a process was started with; "" if there is none, or nobody may know.
std::string variable_of(pid_t pid, std::string_view name);

// Reaps this process's children that have ended, but `keep` (which somebody else waits for). False if there is no child
// left at all.
bool reap_children(const std::set<pid_t>& keep = {});

// Waits until one of the processes ends or `limit` has passed.
void wait_for_any(const std::vector<TreeProcess>& processes, Duration limit);

}  // namespace weir::runner
