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

#include "io/file.h"

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

struct Table {
  std::map<pid_t, Entry> entries;
  std::multimap<pid_t, pid_t> children;
};

Table read_table() {
  Table table;
  DIR* proc = ::opendir("/proc");
  if (proc == nullptr) return table;
  while (const dirent* item = ::readdir(proc)) {
    pid_t pid = 0;
    const char* end = item->d_name + std::strlen(item->d_name);
    if (std::from_chars(item->d_name, end, pid).ptr != end) continue;
    Entry entry;
    if (!read_entry(pid, entry)) continue;
    table.children.emplace(entry.parent, pid);
    table.entries.emplace(pid, std::move(entry));
  }
  ::closedir(proc);
  return table;
}

std::vector<pid_t> ended_children() {
  const Table table = read_table();
  std::vector<pid_t> found;
  const auto [begin, end] = table.children.equal_range(::getpid());
  for (auto child = begin; child != end; ++child) {
    if (table.entries.at(child->second).ended) found.push_back(child->second);
  }
  return found;
}

}  // namespace

std::vector<TreeProcess> living_descendants(const std::set<pid_t>& except,
                                            const std::function<bool(pid_t)>& is_foreign) {
  const Table table = read_table();
  std::vector<TreeProcess> found;
  const pid_t self = ::getpid();
  std::vector<pid_t> open{self};
  while (!open.empty()) {
    const pid_t parent = open.back();
    open.pop_back();
    const auto [begin, end] = table.children.equal_range(parent);
    for (auto child = begin; child != end; ++child) {
      if (except.contains(child->second)) continue;
      if (parent == self && is_foreign && is_foreign(child->second)) continue;
      open.push_back(child->second);
      const Entry& entry = table.entries.at(child->second);
      if (!entry.ended) found.push_back({child->second, entry.name});
    }
  }
  return found;
}

std::string variable_of(pid_t pid, std::string_view name) {
  const auto text = io::read_file(fmt::format("/proc/{}/environ", pid), 16U << 20);
  if (!text) return {};
  std::string_view rest = *text;
  while (!rest.empty()) {
    const auto end = rest.find('\0');
    const std::string_view item = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (item.size() > name.size() && item.starts_with(name) && item[name.size()] == '=') {
      return std::string(item.substr(name.size() + 1));
    }
  }
  return {};
}

bool reap_children(const std::set<pid_t>& keep) {
  for (;;) {
    siginfo_t info{};
    if (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0) return false;  // ECHILD
    if (info.si_pid == 0) return true;
    if (keep.contains(info.si_pid)) break;
    ::waitpid(info.si_pid, nullptr, WNOHANG);
  }
  // One that somebody waits for hides the others from a question about any. With a single one to be kept, which is most
  // jobs all the time, the others can wait until it is gone.
  if (keep.size() == 1) return true;
  for (const auto& child : ended_children()) {
    if (!keep.contains(child)) ::waitpid(child, nullptr, WNOHANG);
  }
  return true;
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
