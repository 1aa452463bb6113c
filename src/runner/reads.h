#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace weir::runner {

// Notes in a fresh checkout of `commit` that its files lie there unread as yet.
void mark_unread(const std::filesystem::path& work_tree, std::string_view commit);

// Takes the note back: what is read can no longer be told, so that all of the commit counts.
void forget_unread(const std::filesystem::path& work_tree);

// What of a checkout was read since mark_unread(): {"files": […], "folders": […]}, paths below `work_tree`, or null if
// that cannot be told (no checkout of `commit`, a file system that keeps no access times, more than kEntriesMax files).
//
// The kernel says it: on a file system mounted with relatime, which is the default, the first access after a file was
// written sets its access time. A folder counts as read when it was listed. Files that the job made itself may be among
// them. What git's own folder holds does not count.
inline constexpr std::size_t kEntriesMax = 5'000;
json::value reads_of(const std::filesystem::path& work_tree, std::string_view commit);

}  // namespace weir::runner
