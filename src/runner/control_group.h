#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"

namespace weir::runner {

// A control group of the kernel's, version 1 or 2, for the processes of one job: what they may use together. Made below
// this process's own where that is allowed, and removed, with all that is in it, at the end of the scope.
class ControlGroup {
 public:
  struct Limits {
    std::int64_t memory_bytes = 0;
    std::int64_t processes = 0;
  };

  // kUnimplemented, with what could be done, where no group that limits both can be made. `name` is a file name.
  static Result<ControlGroup> create(const std::string& name, const Limits& limits);

  ~ControlGroup() { remove(); }
  ControlGroup(ControlGroup&& other) noexcept { folders_.swap(other.folders_); }
  ControlGroup& operator=(ControlGroup&&) = delete;

  // To be written to, "0", by a process that joins.
  [[nodiscard]] std::vector<std::filesystem::path> entrances() const;
  // "memory and pids of cgroup v1"
  [[nodiscard]] std::string description() const;

  // What happened so far.
  struct Events {
    std::int64_t killed_for_memory = 0;
    std::int64_t forks_refused = 0;
  };
  [[nodiscard]] Events events() const;

  // Where this process's group of a controller is, as /proc/self/cgroup and /proc/self/mountinfo say it; "" if nowhere.
  // `controller` "": of version 2. For tests.
  static std::filesystem::path own_group(std::string_view controller, std::string_view cgroup,
                                         std::string_view mountinfo);

 private:
  ControlGroup() = default;
  Result<void> limit(const Limits& limits);
  void remove();

  std::vector<std::filesystem::path> folders_;  // one of version 2, or those of memory and pids
};

}  // namespace weir::runner
