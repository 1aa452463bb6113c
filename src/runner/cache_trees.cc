#include "runner/cache_trees.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <set>
#include <thread>

#include "base/hash.h"
#include "base/json.h"
#include "io/descriptor.h"
#include "io/file.h"

namespace weir::runner {
namespace {

namespace fs = std::filesystem;

// Longer than the kernel's stamps stand still: a change after this pause bears another one.
constexpr auto kStampPause = std::chrono::milliseconds{20};
constexpr std::size_t kTreesMax = 2;  // of one cache
constexpr std::int64_t kBytesMax = std::int64_t{20} << 30;

std::int64_t nanoseconds(const timespec& time) {
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

// Files whose stamps and contents belong together: no devices, no sockets.
std::optional<TreeEntry> look(const fs::path& path, std::string relative) {
  struct stat info{};
  if (::lstat(path.c_str(), &info) != 0) return std::nullopt;
  if (!S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode) && !S_ISLNK(info.st_mode)) return std::nullopt;
  TreeEntry entry{.path = std::move(relative), .mode = info.st_mode};
  if (S_ISDIR(info.st_mode)) return entry;  // its names are entries of their own; stamps change when it is moved
  entry.size_bytes = info.st_size;
  entry.modified_ns = nanoseconds(info.st_mtim);
  entry.changed_ns = nanoseconds(info.st_ctim);
  entry.inode = info.st_ino;
  // A second name elsewhere would let others change the file unseen between two looks.
  if (S_ISREG(info.st_mode) && info.st_nlink != 1) return std::nullopt;
  return entry;
}

bool scan(const fs::path& folder, const std::string& relative, std::vector<TreeEntry>& entries) {
  auto entry = look(folder / relative, relative);
  if (!entry) return false;
  const bool is_folder = S_ISDIR(entry->mode);
  entries.push_back(*std::move(entry));
  if (!is_folder) return true;
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& child : fs::directory_iterator(folder / relative, error)) {
    names.push_back(child.path().filename().string());
  }
  if (error) return false;
  std::ranges::sort(names);
  return std::ranges::all_of(names, [&](const auto& name) { return scan(folder, relative + "/" + name, entries); });
}

std::optional<std::vector<TreeEntry>> scan_all(const fs::path& folder, const std::vector<std::string>& tops) {
  std::vector<TreeEntry> entries;
  for (const auto& top : tops) {
    if (!scan(folder, top, entries)) return std::nullopt;
  }
  std::ranges::sort(entries, {}, &TreeEntry::path);
  return entries;
}

std::string boot_id() {
  return io::read_file("/proc/sys/kernel/random/boot_id", 100).value_or("");
}

std::string to_text(const PlacedTree& tree) {
  json::array tops;
  for (const auto& top : tree.tops) tops.emplace_back(top);
  json::array entries;
  entries.reserve(tree.entries.size());
  for (const auto& entry : tree.entries) {
    entries.push_back(json::array{entry.path, entry.mode, entry.size_bytes, entry.modified_ns, entry.changed_ns,
                                  static_cast<std::int64_t>(entry.inode)});
  }
  return json::serialize(json::object{{"boot", boot_id()}, {"tops", std::move(tops)}, {"entries", std::move(entries)}});
}

// Nothing for a text that this version does not understand, or that was written before the machine's last start.
std::optional<PlacedTree> from_text(const std::string& text) {
  const auto value = parse_json(text, "index");
  if (!value || json_string_or(*value, "boot", "") != boot_id() || boot_id().empty()) return std::nullopt;
  const auto* tops = json_find(*value, "tops");
  const auto* entries = json_find(*value, "entries");
  if (tops == nullptr || entries == nullptr || !tops->is_array() || !entries->is_array()) return std::nullopt;
  PlacedTree tree;
  for (const auto& top : tops->get_array()) tree.tops.emplace_back(top.as_string());
  tree.entries.reserve(entries->get_array().size());
  for (const auto& entry : entries->get_array()) {
    const auto* list = entry.if_array();
    if (list == nullptr || list->size() != 6 || !(*list)[0].is_string()) return std::nullopt;
    const auto number = [&](std::size_t at) { return (*list)[at].to_number<std::int64_t>(); };
    tree.entries.push_back({.path = std::string((*list)[0].get_string()),
                            .mode = static_cast<mode_t>(number(1)),
                            .size_bytes = number(2),
                            .modified_ns = number(3),
                            .changed_ns = number(4),
                            .inode = static_cast<ino_t>(number(5))});
  }
  return tree;
}

bool is_below(std::string_view path, const std::set<std::string, std::less<>>& tops) {
  while (!tops.contains(path)) {
    const auto slash = path.rfind('/');
    if (slash == std::string_view::npos) return false;
    path = path.substr(0, slash);
  }
  return true;
}

// A file that was moved bears a new stamp.
bool refresh_tops(const fs::path& folder, PlacedTree& tree) {
  for (const auto& top : tree.tops) {
    const auto found = std::ranges::lower_bound(tree.entries, top, {}, &TreeEntry::path);
    auto now = look(folder / top, top);
    if (!now || found == tree.entries.end() || found->path != top) return false;
    now->changed_ns = S_ISDIR(now->mode) ? 0 : now->changed_ns;
    *found = *std::move(now);
  }
  return true;
}

Result<void> rename_to(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) == 0) return {};
  return fail_errno(errno, fmt::format("cannot move {} to {}", from.string(), to.string()));
}

// Moves what is in `from` into `to`; folders that are there already take in what is new. `tops`: what was moved.
Result<void> merge(const fs::path& from, const fs::path& to, const std::string& below, std::vector<std::string>& tops) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& child : fs::directory_iterator(from, error)) names.push_back(child.path().filename().string());
  if (error) return fail_errno(error.value(), fmt::format("cannot list {}", from.string()));
  for (const auto& name : names) {
    const std::string relative = below.empty() ? name : below + "/" + name;
    struct stat there{};
    struct stat mine{};
    if (::lstat((from / name).c_str(), &mine) != 0) return fail_errno(errno, fmt::format("cannot find {}", name));
    const bool exists = ::lstat((to / name).c_str(), &there) == 0;
    if (exists && S_ISDIR(mine.st_mode)) {
      if (S_ISDIR(there.st_mode)) {
        WEIR_TRY(merge(from / name, to / name, relative, tops));
        continue;
      }
      if (S_ISLNK(there.st_mode)) {
        return fail(Code::kCorrupt, "\"{}\" leads through {}, which is a link", relative, (to / name).string());
      }
      if (::unlink((to / name).c_str()) != 0) return fail_errno(errno, fmt::format("cannot replace {}", name));
    }
    WEIR_TRY(rename_to(from / name, to / name));
    tops.push_back(relative);
  }
  return {};
}

void remove_quietly(const fs::path& path) {
  [[maybe_unused]] const auto removed = io::remove_tree(path);
}

std::int64_t bytes_of(const PlacedTree& tree) {
  std::int64_t sum = 0;
  for (const auto& entry : tree.entries) sum += entry.size_bytes;
  return sum;
}

bool is_digest(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace

bool CacheTrees::enabled() const {
  return !root_.empty() && ::access(root_.c_str(), W_OK | X_OK) == 0;
}

Result<fs::path> CacheTrees::make_staging() const {
  const fs::path staging = root_ / (".new-" + random_hex(8));
  WEIR_TRY(io::make_dirs(staging));
  return staging;
}

Result<std::optional<PlacedTree>> CacheTrees::take(std::string_view sha256, const fs::path& workspace) const {
  if (!is_digest(sha256) || !enabled()) return std::nullopt;
  std::error_code error;
  for (const auto& kept : fs::directory_iterator(root_ / sha256, error)) {
    // Whoever renames it has it.
    const fs::path mine = root_ / (".new-" + random_hex(8));
    if (::rename(kept.path().c_str(), mine.c_str()) != 0) continue;
    const auto index = io::read_file(mine / "index.json");
    auto tree = index ? from_text(*index) : std::nullopt;
    const auto now = tree ? scan_all(mine / "tree", tree->tops) : std::nullopt;
    if (!tree || !now || *now != tree->entries) {
      remove_quietly(mine);  // somebody wrote to it
      continue;
    }
    std::vector<std::string> tops;
    const auto moved = merge(mine / "tree", workspace, "", tops);
    remove_quietly(mine);
    WEIR_TRY(moved);
    std::ranges::sort(tops);
    const std::set<std::string, std::less<>> all(tops.begin(), tops.end());
    std::erase_if(tree->entries, [&](const TreeEntry& entry) { return !is_below(entry.path, all); });
    tree->sha256 = sha256;
    tree->tops = std::move(tops);
    if (!refresh_tops(workspace, *tree)) tree->sha256.clear();  // never to be kept again
    return tree;
  }
  return std::nullopt;
}

Result<PlacedTree> CacheTrees::place(std::string_view sha256, const fs::path& staging,
                                     const fs::path& workspace) const {
  PlacedTree tree;
  const auto moved = merge(staging, workspace, "", tree.tops);
  remove_quietly(staging);
  WEIR_TRY(moved);
  std::ranges::sort(tree.tops);
  std::this_thread::sleep_for(kStampPause);
  if (auto entries = scan_all(workspace, tree.tops)) {
    tree.entries = *std::move(entries);
    tree.sha256 = sha256;
  }
  return tree;
}

std::optional<PlacedTree> CacheTrees::look_at(const std::vector<std::string>& tops, const fs::path& workspace) {
  std::this_thread::sleep_for(kStampPause);
  auto entries = scan_all(workspace, tops);
  if (!entries) return std::nullopt;
  return PlacedTree{.sha256 = {}, .tops = tops, .entries = *std::move(entries)};
}

// The oldest trees go when there are many bytes.
void CacheTrees::make_room(std::int64_t bytes) const {
  struct Kept {
    fs::path path;
    fs::file_time_type time;
    std::int64_t bytes;
  };
  std::vector<Kept> all;
  std::error_code ignored;
  for (const auto& cache : fs::directory_iterator(root_, ignored)) {
    const bool staging = cache.path().filename().string().starts_with(".");
    if (staging) {
      // What a killed runner left behind.
      const auto age = fs::file_time_type::clock::now() - cache.last_write_time(ignored);
      if (age > std::chrono::hours{24}) remove_quietly(cache.path());
      continue;
    }
    for (const auto& kept : fs::directory_iterator(cache.path(), ignored)) {
      const std::string name = kept.path().filename().string();
      all.push_back({kept.path(), kept.last_write_time(ignored), std::atoll(name.c_str())});
    }
  }
  std::ranges::sort(all, {}, &Kept::time);
  for (const auto& kept : all) bytes += kept.bytes;
  for (const auto& kept : all) {
    if (bytes <= kBytesMax) return;
    bytes -= kept.bytes;
    remove_quietly(kept.path);
  }
}

bool CacheTrees::give(const PlacedTree& tree, const fs::path& workspace) const {
  if (!is_digest(tree.sha256) || tree.tops.empty() || !enabled()) return false;
  const std::int64_t bytes = bytes_of(tree);
  const fs::path shelf = root_ / tree.sha256;
  std::error_code ignored;
  const auto there = std::distance(fs::directory_iterator(shelf, ignored), fs::directory_iterator());
  if (bytes > kBytesMax / 2 || static_cast<std::size_t>(there) >= kTreesMax) return false;
  const auto now = scan_all(workspace, tree.tops);
  if (!now || *now != tree.entries) return false;
  make_room(bytes);
  const auto staging = make_staging();
  if (!staging) return false;
  const auto move = [&]() -> Result<void> {
    for (const auto& top : tree.tops) {
      const fs::path target = *staging / "tree" / top;
      WEIR_TRY(io::make_dirs(target.parent_path()));
      WEIR_TRY(rename_to(workspace / top, target));
    }
    PlacedTree kept = tree;
    if (!refresh_tops(*staging / "tree", kept)) return fail(Code::kInternal, "the tree changed");
    // Nothing is synced, which could take as long as writing the tree: a power cut makes it void.
    const fs::path index = *staging / "index.json";
    const io::Descriptor file(::open(index.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!file) return fail_errno(errno, fmt::format("cannot make {}", index.string()));
    WEIR_TRY(io::write_all(file.get(), to_text(kept), index.string()));
    WEIR_TRY(io::make_dirs(shelf));
    return rename_to(*staging, shelf / fmt::format("{}-{}", bytes, random_hex(6)));
  };
  if (move()) return true;
  remove_quietly(*staging);
  return false;
}

}  // namespace weir::runner
