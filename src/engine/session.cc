#include "engine/session.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <charconv>
#include <set>
#include <string_view>

#include "io/file.h"

namespace weir::engine {
namespace {

namespace fs = std::filesystem;

// Enough for everything that a job started to be forked once more while the list of processes is read.
constexpr int kPasses = 50;

// Session of a process by /proc/<pid>/stat: "pid (name) state parent group session …". The name may hold anything, so
// fields count from its last bracket. -1 if the process has ended.
pid_t session_of(const std::string& folder) {
  const auto stat = io::read_file(folder + "/stat");
  if (!stat) return -1;
  std::string_view rest = *stat;
  const auto bracket = rest.rfind(')');
  if (bracket == std::string_view::npos) return -1;
  rest.remove_prefix(bracket + 1);
  if (rest.starts_with(" Z") || rest.starts_with(" X")) return -1;
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

// Whether "NAME=value" is among the variables that a process was started with. Those of other users cannot be read.
bool carries(const std::string& folder, std::string_view variable) {
  const auto text = io::read_file(folder + "/environ");
  if (!text) return false;
  std::string_view rest = *text;
  while (!rest.empty()) {
    const auto end = rest.find('\0');
    if (rest.substr(0, end) == variable) return true;
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  }
  return false;
}

// Kills the process if it is the job's. Its descriptor is opened first: should the process end and its number go to
// another one, then the signal finds nobody.
bool kill_if_of_job(pid_t pid, pid_t leader, const std::string& variable) {
  const int handle = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  if (handle < 0) return false;
  const auto folder = fmt::format("/proc/{}", pid);
  const auto session = session_of(folder);
  const bool found = session >= 0 && ((leader > 0 && session == leader) || carries(folder, variable));
  if (found) ::syscall(SYS_pidfd_send_signal, handle, SIGKILL, nullptr, 0);
  ::close(handle);
  return found;
}

}  // namespace

std::string tracking_id(const fs::path& job_dir) {
  std::error_code error;
  auto path = fs::weakly_canonical(job_dir, error);
  return "weir:" + (error ? job_dir : path).string();
}

void kill_job(pid_t leader, const std::string& id) {
  const std::string variable = std::string(kTrackingVariable) + "=" + id;
  // What was signalled cannot fork any more, so a pass that finds nobody new has found all.
  std::set<pid_t> killed{::getpid()};
  for (int pass = 0; pass < kPasses; ++pass) {
    bool found = false;
    std::error_code error;
    for (fs::directory_iterator entry("/proc", error), end; !error && entry != end; entry.increment(error)) {
      const std::string name = entry->path().filename().string();
      pid_t pid = 0;
      if (std::from_chars(name.data(), name.data() + name.size(), pid).ptr != name.data() + name.size()) continue;
      if (killed.contains(pid) || !kill_if_of_job(pid, leader, variable)) continue;
      killed.insert(pid);
      found = true;
    }
    if (!found) return;
  }
}

}  // namespace weir::engine
