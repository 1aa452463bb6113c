#include "engine/session.h"

#include <signal.h>

#include <charconv>
#include <filesystem>
#include <string>
#include <string_view>

#include "io/file.h"

namespace weir::engine {
namespace {

// Session of a process by /proc/<pid>/stat: "pid (name) state parent group session …". The name may hold anything, so
// fields count from its last bracket. -1 if the process has gone.
pid_t session_of(const std::string& pid) {
  const auto stat = io::read_file("/proc/" + pid + "/stat");
  if (!stat) return -1;
  std::string_view rest = *stat;
  const auto bracket = rest.rfind(')');
  if (bracket == std::string_view::npos) return -1;
  rest.remove_prefix(bracket + 1);
  for (int skipped = 0; skipped < 3; ++skipped) {
    const auto space = rest.find(' ', 1);
    if (space == std::string_view::npos) return -1;
    rest.remove_prefix(space);
  }
  rest.remove_prefix(1);
  pid_t session = -1;
  std::from_chars(rest.data(), rest.data() + rest.size(), session);
  return session;
}

}  // namespace

void kill_session(pid_t leader, int signal) {
  // A process may fork while the list is read, so until a pass finds nobody; those that cannot die now end the search.
  for (int pass = 0; pass < 3; ++pass) {
    bool found = false;
    std::error_code error;
    for (std::filesystem::directory_iterator entry("/proc", error), end; !error && entry != end;
         entry.increment(error)) {
      const std::string name = entry->path().filename().string();
      if (name.empty() || name.find_first_not_of("0123456789") != std::string::npos) continue;
      if (session_of(name) != leader) continue;
      ::kill(static_cast<pid_t>(std::stol(name)), signal);
      found = true;
    }
    if (!found) return;
  }
}

}  // namespace weir::engine
