#include "runner/process_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <charconv>
#include <cstring>
#include <map>

namespace weir::runner {
namespace {

struct Entry {
  pid_t parent = 0;
  bool ended = false;
  std::string name;
};

// Reads "/proc/<pid>/stat": "pid (name) state ppid …"; the name may hold blanks and parentheses.
bool read_entry(pid_t pid, Entry& entry) {
  const std::string path = fmt::format("/proc/{}/stat", pid);
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  char buffer[512];
  const ssize_t got = ::read(fd, buffer, sizeof buffer);
  ::close(fd);
  if (got <= 0) return false;
  const std::string_view text(buffer, static_cast<std::size_t>(got));
  const auto open = text.find('(');
  const auto close = text.rfind(") ");
  if (open == std::string_view::npos || close == std::string_view::npos || close + 4 >= text.size()) return false;
  entry.name = text.substr(open + 1, close - open - 1);
  const char state = text[close + 2];
  entry.ended = state == 'Z' || state == 'X';
  std::from_chars(text.data() + close + 4, text.data() + text.size(), entry.parent);
  return true;
}

}  // namespace

std::vector<TreeProcess> living_descendants(const std::set<pid_t>& except) {
  std::map<pid_t, Entry> entries;
  std::multimap<pid_t, pid_t> children;
  DIR* proc = ::opendir("/proc");
  if (proc == nullptr) return {};
  while (const dirent* item = ::readdir(proc)) {
    pid_t pid = 0;
    const char* end = item->d_name + std::strlen(item->d_name);
    if (std::from_chars(item->d_name, end, pid).ptr != end) continue;
    Entry entry;
    if (!read_entry(pid, entry)) continue;
    children.emplace(entry.parent, pid);
    entries.emplace(pid, std::move(entry));
  }
  ::closedir(proc);

  std::vector<TreeProcess> found;
  std::vector<pid_t> open{::getpid()};
  while (!open.empty()) {
    const pid_t parent = open.back();
    open.pop_back();
    const auto [begin, end] = children.equal_range(parent);
    for (auto child = begin; child != end; ++child) {
      if (except.contains(child->second)) continue;
      open.push_back(child->second);
      const Entry& entry = entries[child->second];
      if (!entry.ended) found.push_back({child->second, entry.name});
    }
  }
  return found;
}

bool reap_children(pid_t keep) {
  for (;;) {
    siginfo_t info{};
    if (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0) return false;  // ECHILD
    if (info.si_pid == 0 || info.si_pid == keep) return true;
    ::waitpid(info.si_pid, nullptr, WNOHANG);
  }
}

void wait_for_any(const std::vector<TreeProcess>& processes, Duration limit) {
  std::vector<pollfd> fds;
  for (const auto& process : processes) {
    const int fd = static_cast<int>(::syscall(SYS_pidfd_open, process.pid, 0));
    if (fd < 0) continue;
    fds.push_back({fd, POLLIN, 0});
  }
  // One that is gone already needs no wait.
  if (fds.size() == processes.size()) {
    ::poll(fds.data(), fds.size(), static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(limit).count()));
  }
  for (const auto& fd : fds) ::close(fd.fd);
}

}  // namespace weir::runner
