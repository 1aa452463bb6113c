#include "io/checkout_cache.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <set>
#include <vector>

#include "io/descriptor.h"
#include "io/file.h"
#include "io/git_index.h"

namespace weir::io {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kFilesMax = 1'000;
constexpr std::uint64_t kBytesMax = 4U << 20;
constexpr std::size_t kCommitsMax = 64;
constexpr std::size_t kDigestBytes = 20;
constexpr std::string_view kMagic = "weir checkout 1\n";
// Anything beside the length of the path: merge stages, "assume unchanged", more flags to follow.
constexpr std::uint32_t kUnusualFlags = 0xf000;

// The entries of an index that lists regular files and links only; nothing otherwise.
std::optional<std::vector<GitIndexEntry>> read_index(std::string_view text) {
  auto index = read_git_index(text, kFilesMax);
  if (!index) return std::nullopt;
  for (const auto& entry : index->entries) {
    if ((entry.flags & kUnusualFlags) != 0) return std::nullopt;
    if (entry.mode != 0100644 && entry.mode != 0100755 && entry.mode != 0120000) return std::nullopt;
    if (!join_below("/", entry.path)) return std::nullopt;
  }
  for (std::size_t at = index->extensions_at; index->end - at >= 8;) {
    // Only the tree cache holds nothing that depends on where the index lies.
    if (text.substr(at, 4) != "TREE") return std::nullopt;
    at += 8 + number_at(text, at + 4);
    if (at > index->end) return std::nullopt;
  }
  return std::move(index->entries);
}

// The access time of what has not been read as yet, see Git::checkout_to(): a second ago; the other time stays.
std::array<timespec, 2> unread_times() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
  return {timespec{.tv_sec = now.tv_sec - 1, .tv_nsec = now.tv_nsec}, timespec{.tv_sec = 0, .tv_nsec = UTIME_OMIT}};
}

// Makes the file of an entry and gives its stat data.
Result<struct stat> make_file(const GitIndexEntry& entry, const fs::path& path, std::string_view content) {
  struct stat info{};
  if (entry.mode == 0120000) {
    if (::symlink(std::string(content).c_str(), path.c_str()) != 0 || ::lstat(path.c_str(), &info) != 0) {
      return fail_errno(errno, fmt::format("cannot make the link {}", path.string()));
    }
    return info;
  }
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                               (entry.mode & 0100) != 0 ? 0777 : 0666));
  if (!file) return fail_errno(errno, fmt::format("cannot make {}", path.string()));
  WEIR_TRY(write_all(file.get(), content, path.string()));
  ::futimens(file.get(), unread_times().data());
  if (::fstat(file.get(), &info) != 0) return fail_errno(errno, fmt::format("cannot stat {}", path.string()));
  return info;
}

// The whole content of a file of `size` bytes, whose access time stays.
std::optional<std::string> read_untouched(const fs::path& path, std::uint32_t size) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_NOATIME | O_NOFOLLOW | O_CLOEXEC));
  if (!file) return std::nullopt;
  std::string bytes(size + std::size_t{1}, '\0');
  std::size_t got = 0;
  while (got < bytes.size()) {
    const auto count = ::read(file.get(), bytes.data() + got, bytes.size() - got);
    if (count < 0) return std::nullopt;
    if (count == 0) break;
    got += static_cast<std::size_t>(count);
  }
  if (got != size) return std::nullopt;
  bytes.resize(size);
  return bytes;
}

// The bytes that git wrote for an entry; nothing if somebody was there since, or if only git knows how to write them.
std::optional<std::string> content_of(const GitIndexEntry& entry, const fs::path& path) {
  if (entry.mode == 0120000) {
    std::string target(entry.size + 1, '\0');
    const auto length = ::readlink(path.c_str(), target.data(), target.size());
    if (length != static_cast<ssize_t>(entry.size)) return std::nullopt;
    target.resize(entry.size);
    return target;
  }
  auto bytes = read_untouched(path, entry.size);
  if (!bytes) return std::nullopt;
  if (path.filename() == ".gitattributes" && bytes->find("filter") != std::string::npos) return std::nullopt;
  return bytes;
}

bool holds_git_only(const fs::path& work_tree) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(work_tree, error)) {
    if (entry.path().filename() != ".git") return false;
  }
  return !error;
}

void drop_oldest(const fs::path& folder) {
  std::error_code error;
  std::vector<std::pair<fs::file_time_type, fs::path>> kept;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    kept.emplace_back(entry.last_write_time(error), entry.path());
  }
  std::ranges::sort(kept, std::greater{});
  for (std::size_t i = kCommitsMax; i < kept.size(); ++i) ::unlink(kept[i].second.c_str());
}

}  // namespace

Result<bool> CheckoutCache::restore(std::string_view commit, const fs::path& work_tree) const {
  if (folder_.empty()) return false;
  const auto kept = read_file(folder_ / commit, 2 * kBytesMax);
  if (!kept || kept->size() < kMagic.size() + 4 + kDigestBytes || !kept->starts_with(kMagic)) return false;
  std::string_view rest = *kept;
  rest.remove_suffix(kDigestBytes);
  if (sha1(rest) != std::string_view(*kept).substr(rest.size())) return false;
  rest.remove_prefix(kMagic.size());
  const std::size_t index_bytes = number_at(rest, 0);
  rest.remove_prefix(4);
  if (index_bytes > rest.size()) return false;
  std::string index(rest.substr(0, index_bytes));
  rest.remove_prefix(index_bytes);
  const auto entries = read_index(index);
  if (!entries || !holds_git_only(work_tree)) return false;

  std::string folder;
  std::set<fs::path> folders{""};
  for (const auto& entry : *entries) {
    if (entry.size > rest.size()) return fail(Code::kCorrupt, "{} is damaged; remove it", (folder_ / commit).string());
    const auto slash = entry.path.rfind('/');
    if (slash != std::string::npos && entry.path.compare(0, slash, folder) != 0) {
      folder = entry.path.substr(0, slash);
      WEIR_TRY(make_dirs(work_tree / folder));
      for (fs::path made = folder; !made.empty() && folders.insert(made).second;) made = made.parent_path();
    }
    const auto info = WEIR_TRY(make_file(entry, work_tree / entry.path, rest.substr(0, entry.size)));
    put_git_index_stat(index, entry.at, info);
    rest.remove_prefix(entry.size);
  }
  const auto times = unread_times();
  for (const auto& made : folders) ::utimensat(AT_FDCWD, (work_tree / made).c_str(), times.data(), 0);
  seal_git_index(index);
  const fs::path path = work_tree / ".git" / "index";
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  if (!file) return fail_errno(errno, fmt::format("cannot make {}", path.string()));
  WEIR_TRY(write_all(file.get(), index, path.string()));
  return true;
}

void CheckoutCache::keep(std::string_view commit, const fs::path& work_tree) const {
  if (folder_.empty()) return;
  const auto index = read_file(work_tree / ".git" / "index", kBytesMax);
  if (!index) return;
  const auto entries = read_index(*index);
  if (!entries) return;
  std::uint64_t bytes = index->size();
  for (const auto& entry : *entries) bytes += entry.size;
  if (bytes > kBytesMax) return;
  std::string kept(kMagic);
  kept.append(4, '\0');
  put_number(kept, kMagic.size(), index->size());
  kept += *index;
  for (const auto& entry : *entries) {
    const auto content = content_of(entry, work_tree / entry.path);
    if (!content) return;
    kept += *content;
  }
  kept += sha1(kept);
  if (!make_dirs(folder_)) return;
  std::string draft = (folder_ / ".XXXXXX").string();
  const Descriptor file(::mkostemp(draft.data(), O_CLOEXEC));
  if (!file) return;
  if (!write_all(file.get(), kept, draft) || ::rename(draft.c_str(), (folder_ / commit).c_str()) != 0) {
    ::unlink(draft.c_str());
  }
  drop_oldest(folder_);
}

}  // namespace weir::io
