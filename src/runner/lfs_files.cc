#include "runner/lfs_files.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <ctime>

#include "io/descriptor.h"
#include "io/file.h"
#include "io/git_index.h"
#include "io/git_process.h"
#include "io/process.h"
#include "runner/checkout.h"

namespace weir::runner {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPointerBytesMax = 1'024;
constexpr std::size_t kEntriesMax = 10'000'000;
constexpr std::string_view kVersion = "version https://git-lfs.github.com/spec/v1\n";
// One call copies at most this.
constexpr std::size_t kCopyBytes = 1U << 30;

// The rest of the line that begins with `key`, which goes from `text`; nothing if it is another one.
std::optional<std::string_view> take_line(std::string_view& text, std::string_view key) {
  if (!text.starts_with(key)) return std::nullopt;
  const auto end = text.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  const auto value = text.substr(key.size(), end - key.size());
  text.remove_prefix(end + 1);
  return value;
}

// Where a repository keeps objects, or for `weir run` also the user's, or the one that `git worktree` made that beside.
std::vector<fs::path> objects_of(const fs::path& git_dir) {
  std::vector<fs::path> all{git_dir / "lfs" / "objects"};
  fs::path common = users_git_dir(git_dir).value_or(git_dir);
  if (const auto other = io::read_file(common / "commondir", 4'096)) {
    common = (common / other->substr(0, other->find('\n'))).lexically_normal();
  }
  if (common != git_dir) all.push_back(common / "lfs" / "objects");
  return all;
}

struct Candidate {
  io::GitIndexEntry entry;
  LfsPointer pointer;
};

// The bytes of a small file, whose access time stays: what a step reads is told by it.
std::string read_small(const fs::path& path) {
  const io::Descriptor file(::open(path.c_str(), O_RDONLY | O_NOATIME | O_NOFOLLOW | O_CLOEXEC));
  std::string bytes(kPointerBytesMax, '\0');
  const auto count = file ? ::pread(file.get(), bytes.data(), bytes.size(), 0) : 0;
  bytes.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
  return bytes;
}

std::vector<Candidate> find_pointers(const fs::path& work_tree, const io::GitIndex& index) {
  std::vector<Candidate> found;
  for (const auto& entry : index.entries) {
    if ((entry.mode & 0170000) != 0100000 || entry.size < kVersion.size() || entry.size >= kPointerBytesMax) continue;
    if (!io::join_below("/", entry.path)) continue;
    if (auto pointer = parse_lfs_pointer(read_small(work_tree / entry.path))) found.push_back({entry, *pointer});
  }
  return found;
}

// Leaves those whose attribute "filter" is "lfs".
Result<void> keep_filtered(const fs::path& work_tree, std::vector<Candidate>& candidates) {
  std::string paths;
  for (const auto& one : candidates) paths.append(one.entry.path).push_back('\0');
  io::ProcessOptions options;
  // From the index: that the files were looked at would pass for the step's reading.
  options.argv = {"git", "-C", work_tree.string(), "check-attr", "--cached", "-z", "--stdin", "filter"};
  options.env = io::git_environment({});
  const auto done = WEIR_TRY(io::run_process(std::move(options), paths));
  if (done.status.code != 0) return fail(Code::kInternal, "git cannot tell which files are in LFS: {}", done.err);
  // For each path in turn: path, "filter", value.
  std::string_view rest = done.out;
  std::size_t next = 0;
  std::vector<Candidate> kept;
  while (!rest.empty() && next < candidates.size()) {
    std::array<std::string_view, 3> fields;
    for (auto& field : fields) {
      field = rest.substr(0, rest.find('\0'));
      rest.remove_prefix(std::min(rest.size(), field.size() + 1));
    }
    if (fields[2] == "lfs") kept.push_back(std::move(candidates[next]));
    ++next;
  }
  candidates = std::move(kept);
  return {};
}

Result<void> copy_bytes(int from, int to, const fs::path& path) {
  if (::ioctl(to, FICLONE, from) == 0) return {};
  for (;;) {
    const auto count = ::copy_file_range(from, nullptr, to, nullptr, kCopyBytes, 0);
    if (count == 0) return {};
    if (count > 0) continue;
    if (errno == EINTR) continue;
    if (errno == EXDEV || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP) break;
    return fail_errno(errno, fmt::format("cannot write {}", path.string()));
  }
  std::string piece(1U << 20, '\0');
  for (;;) {
    const auto count = ::read(from, piece.data(), piece.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno(errno, "cannot read an LFS object");
    if (count == 0) return {};
    WEIR_TRY(io::write_all(to, std::string_view(piece).substr(0, static_cast<std::size_t>(count)), path.string()));
  }
}

// Makes the file anew from its object and gives its stat data; nothing if there is no such object.
Result<std::optional<struct stat>> put_file(const fs::path& work_tree, const Candidate& one, const fs::path& object) {
  const io::Descriptor from(::open(object.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  struct stat info{};
  if (!from || ::fstat(from.get(), &info) != 0 || !S_ISREG(info.st_mode)) return std::nullopt;
  if (info.st_size != one.pointer.size_bytes) {
    return fail(Code::kCorrupt, "the LFS object of {} has {} bytes, not {}: {}", one.entry.path, info.st_size,
                one.pointer.size_bytes, object.string());
  }
  const fs::path path = work_tree / one.entry.path;
  ::unlink(path.c_str());
  const io::Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                                   (one.entry.mode & 0100) != 0 ? 0777 : 0666));
  if (!file) return fail_errno(errno, fmt::format("cannot make {}", path.string()));
  WEIR_TRY(copy_bytes(from.get(), file.get(), path));
  // Older than the index, or git would look at the bytes, since it cannot know which came later; and unread, see
  // Git::checkout_to().
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
  const timespec before{.tv_sec = now.tv_sec - 2, .tv_nsec = now.tv_nsec};
  const std::array<timespec, 2> times{before, before};
  ::futimens(file.get(), times.data());
  if (::fstat(file.get(), &info) != 0) return fail_errno(errno, fmt::format("cannot stat {}", path.string()));
  return info;
}

}  // namespace

std::optional<LfsPointer> parse_lfs_pointer(std::string_view text) {
  if (text.size() >= kPointerBytesMax || !text.starts_with(kVersion)) return std::nullopt;
  text.remove_prefix(kVersion.size());
  const auto oid = take_line(text, "oid sha256:");
  if (!oid || oid->size() != 64 || oid->find_first_not_of("0123456789abcdef") != std::string_view::npos) {
    return std::nullopt;
  }
  const auto size = take_line(text, "size ");
  if (!size || !text.empty()) return std::nullopt;
  LfsPointer pointer{.oid = std::string(*oid)};
  const auto [end, error] = std::from_chars(size->data(), size->data() + size->size(), pointer.size_bytes);
  if (error != std::errc{} || end != size->data() + size->size() || pointer.size_bytes < 0) return std::nullopt;
  return pointer;
}

bool has_lfs_objects(const fs::path& git_dir) {
  std::error_code error;
  return std::ranges::any_of(objects_of(git_dir), [&](const auto& folder) { return fs::is_directory(folder, error); });
}

Result<LfsFiles> put_lfs_files(const fs::path& work_tree, const fs::path& git_dir) {
  LfsFiles done;
  const fs::path index_path = work_tree / ".git" / "index";
  std::string bytes = WEIR_TRY(io::read_file(index_path));
  const auto index = io::read_git_index(bytes, kEntriesMax);
  if (!index) return fail(Code::kUnimplemented, "git's index has a form that is not known here");
  auto files = find_pointers(work_tree, *index);
  if (files.empty()) return done;
  WEIR_TRY(keep_filtered(work_tree, files));
  const auto folders = objects_of(git_dir);
  for (const auto& one : files) {
    const std::string& oid = one.pointer.oid;
    std::optional<struct stat> info;
    for (const auto& folder : folders) {
      if (!info) info = WEIR_TRY(put_file(work_tree, one, folder / oid.substr(0, 2) / oid.substr(2, 2) / oid));
    }
    if (!info) {
      done.missing.push_back(fmt::format("Error downloading object: {} ({}): [404] Object does not exist on the server",
                                         one.entry.path, oid.substr(0, 7)));
      continue;
    }
    io::put_git_index_stat(bytes, one.entry.at, *info);
    ++done.count;
    done.size_bytes += one.pointer.size_bytes;
  }
  io::seal_git_index(bytes);
  const io::Descriptor file(::open(index_path.c_str(), O_WRONLY | O_TRUNC | O_NOFOLLOW | O_CLOEXEC));
  if (!file) return fail_errno(errno, fmt::format("cannot open {}", index_path.string()));
  WEIR_TRY(io::write_all(file.get(), bytes, index_path.string()));
  return done;
}

}  // namespace weir::runner
