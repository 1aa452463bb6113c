#include "runner/control_group.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <ranges>
#include <thread>

#include "io/descriptor.h"
#include "io/file.h"
#include "runner/priority.h"

namespace weir::runner {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "weir-";
constexpr std::string_view kServerGroup = "server";
constexpr int kRemoveRounds = 200;
constexpr int kMoveRounds = 50;
constexpr auto kRemovePause = std::chrono::milliseconds{10};

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (const auto part : std::views::split(text, separator)) {
    if (!part.empty()) parts.emplace_back(part.begin(), part.end());
  }
  return parts;
}

bool lists(std::string_view text, char separator, std::string_view word) {
  const auto words = split(text, separator);
  return std::ranges::find(words, word) != words.end();
}

Result<void> put(const fs::path& file, std::string_view text) {
  const io::Descriptor fd(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
  if (fd && ::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size())) return {};
  return fail_errno(errno, fmt::format("cannot set {}", file.string()));
}

std::string text_of(const fs::path& file) {
  std::string text = io::read_file(file, 1U << 20).value_or("");
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

// "oom_kill 3" among a file's lines.
std::int64_t count_in(const fs::path& file, std::string_view name) {
  const std::string text = text_of(file);
  for (const auto line : split(text, '\n')) {
    if (!line.starts_with(name) || line.size() <= name.size() || line[name.size()] != ' ') continue;
    std::int64_t count = 0;
    std::from_chars(line.data() + name.size() + 1, line.data() + line.size(), count);
    return count;
  }
  return 0;
}

// What runners that were killed have left: their number is part of the name.
void sweep(const fs::path& parent) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(parent, ignored)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(kPrefix)) continue;
    const auto numbers = split(std::string_view(name).substr(kPrefix.size()), '-');
    if (numbers.size() < 2 || fs::exists(fmt::format("/proc/{}", numbers[0]), ignored)) continue;
    ::rmdir(entry.path().c_str());
  }
}

bool is_writable(const fs::path& group) {
  return ::access(group.c_str(), W_OK | X_OK) == 0 && ::access((group / "cgroup.procs").c_str(), W_OK) == 0;
}

// The nearest group above the own one that others may be made in, whose children can be limited. In version 2 the
// own one holds processes, and can therefore have none that are.
fs::path parent_of_version_2(const fs::path& own) {
  for (fs::path group = own.parent_path(); is_writable(group); group = group.parent_path()) {
    const std::string controllers = text_of(group / "cgroup.subtree_control");
    if (lists(controllers, ' ', "memory") && lists(controllers, ' ', "pids")) return group;
  }
  return {};
}

// A group that was handed over (systemd's Delegate=yes) holds the server itself, and could therefore not have children
// that are limited: what it holds moves into one of them first.
fs::path room_in_version_2(const fs::path& own) {
  const std::string controllers = text_of(own / "cgroup.controllers");
  std::error_code ignored;
  const bool handed_over = is_writable(own) && fs::exists(own / "cgroup.type", ignored) &&
                           ::access((own / "cgroup.subtree_control").c_str(), W_OK) == 0;
  if (!handed_over || !lists(controllers, ' ', "memory") || !lists(controllers, ' ', "pids")) return {};
  const fs::path server = own / kServerGroup;
  if (::mkdir(server.c_str(), 0755) != 0 && errno != EEXIST) return {};
  const bool with_weights = lists(controllers, ' ', "cpu");
  for (int round = 0; round < kMoveRounds; ++round) {
    const std::string members = text_of(own / "cgroup.procs");
    // One that has ended meanwhile cannot be moved, and need not be.
    for (const auto member : split(members, '\n')) [[maybe_unused]]
      const auto moved = put(server / "cgroup.procs", member);
    if (put(own / "cgroup.subtree_control", with_weights ? "+memory +pids +cpu" : "+memory +pids")) return own;
    std::this_thread::sleep_for(kRemovePause);
  }
  return {};
}

}  // namespace

fs::path ControlGroup::own_group(std::string_view controller, std::string_view cgroup, std::string_view mountinfo) {
  std::string_view own;
  for (const auto line : split(cgroup, '\n')) {
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    const auto names = line.substr(first + 1, second - first - 1);
    if (controller.empty() ? names.empty() : lists(names, ',', controller)) own = line.substr(second + 1);
  }
  if (own.empty()) return {};
  for (const auto line : split(mountinfo, '\n')) {
    const auto dash = line.find(" - ");
    if (dash == std::string_view::npos) continue;
    const auto fields = split(line.substr(0, dash), ' ');
    const auto system = split(line.substr(dash + 3), ' ');
    if (fields.size() < 5 || system.size() < 3) continue;
    const bool fits =
        controller.empty() ? system[0] == "cgroup2" : system[0] == "cgroup" && lists(system[2], ',', controller);
    // Only a part of the tree may be mounted there.
    std::string_view root = fields[3] == "/" ? std::string_view() : fields[3];
    if (!fits || !own.starts_with(root)) continue;
    const fs::path below = fs::path(own.substr(root.size())).relative_path();
    return below.empty() ? fs::path(fields[4]) : fs::path(fields[4]) / below;
  }
  return {};
}

Result<ControlGroup> ControlGroup::create(const std::string& name, const Limits& limits) {
  const std::string cgroup = text_of("/proc/self/cgroup");
  const std::string mountinfo = text_of("/proc/self/mountinfo");
  std::vector<fs::path> parents;
  for (const std::string_view controller : {"memory", "pids"}) {
    const fs::path own = own_group(controller, cgroup, mountinfo);
    if (!own.empty() && is_writable(own)) parents.push_back(own);
  }
  if (parents.size() != 2) {
    parents.clear();
    if (const fs::path own = own_group("", cgroup, mountinfo); !own.empty()) {
      auto parent = parent_of_version_2(own);
      if (parent.empty()) parent = room_in_version_2(own);
      if (!parent.empty()) parents.push_back(std::move(parent));
    }
  }
  if (parents.empty()) {
    return fail(Code::kUnimplemented,
                "the memory and the processes of its steps cannot be limited: no control group can be made here; start "
                "the server as `systemd-run --user --scope -p Delegate=yes weir serve`, as a unit with `Delegate=yes`, "
                "or as root outside of a container");
  }
  ControlGroup group;
  for (const auto& parent : parents) {
    sweep(parent);
    const fs::path folder = parent / fmt::format("{}{}-{}", kPrefix, ::getpid(), name);
    if (::mkdir(folder.c_str(), 0755) != 0) {
      return fail_errno(errno, fmt::format("cannot make the control group {}", folder.string()));
    }
    group.folders_.push_back(folder);
  }
  WEIR_TRY(group.limit(limits));
  return group;
}

Result<void> ControlGroup::limit(const Limits& limits) {
  const std::string bytes = fmt::format("{}", limits.memory_bytes);
  WEIR_TRY(put(folders_.back() / "pids.max", fmt::format("{}", limits.processes)));
  const fs::path& memory = folders_.front();
  std::error_code ignored;
  // What a process gives way counts within its group only: here the group does so itself.
  for (const auto& folder : folders_) {
    const fs::path weight = folder / "cpu.weight.nice";
    if (fs::exists(weight, ignored)) WEIR_TRY(put(weight, fmt::format("{}", current_nice())));
  }
  if (folders_.size() == 1) {
    WEIR_TRY(put(memory / "memory.max", bytes));
    if (fs::exists(memory / "memory.swap.max", ignored)) WEIR_TRY(put(memory / "memory.swap.max", "0"));
    return {};
  }
  WEIR_TRY(put(memory / "memory.limit_in_bytes", bytes));
  // Only there where the kernel counts swap; then memory and swap together.
  if (fs::exists(memory / "memory.memsw.limit_in_bytes", ignored)) {
    WEIR_TRY(put(memory / "memory.memsw.limit_in_bytes", bytes));
  }
  return {};
}

std::vector<fs::path> ControlGroup::entrances() const {
  std::vector<fs::path> files;
  files.reserve(folders_.size());
  for (const auto& folder : folders_) files.push_back(folder / "cgroup.procs");
  return files;
}

std::string ControlGroup::description() const {
  return folders_.size() == 1 ? "control group version 2" : "control groups version 1";
}

ControlGroup::Events ControlGroup::events() const {
  if (folders_.empty()) return {};
  const char* memory = folders_.size() == 1 ? "memory.events" : "memory.oom_control";
  return {.killed_for_memory = count_in(folders_.front() / memory, "oom_kill"),
          .forks_refused = count_in(folders_.back() / "pids.events", "max")};
}

void ControlGroup::remove() {
  for (const auto& folder : folders_) {
    for (int round = 0; round < kRemoveRounds; ++round) {
      const std::string members = text_of(folder / "cgroup.procs");
      for (const auto member : split(members, '\n')) {
        pid_t pid = 0;
        std::from_chars(member.data(), member.data() + member.size(), pid);
        if (pid > 1) ::kill(pid, SIGKILL);
      }
      if (::rmdir(folder.c_str()) == 0 || errno == ENOENT) break;
      std::this_thread::sleep_for(kRemovePause);
    }
  }
  folders_.clear();
}

}  // namespace weir::runner
