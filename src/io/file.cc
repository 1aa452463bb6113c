#include "io/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/hash.h"
#include "io/descriptor.h"

namespace weir::io {
namespace fs = std::filesystem;

Result<void> write_all(int fd, std::string_view bytes, std::string_view what) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return fail_errno(errno, fmt::format("cannot write {}", what));
    }
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Result<std::string> read_file(const fs::path& path, std::uint64_t size_bytes_max) {
  const Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0) return fail_errno(errno, fmt::format("cannot open {}", path.string()));
  struct stat info{};
  if (::fstat(fd.get(), &info) != 0) return fail_errno(errno, fmt::format("cannot stat {}", path.string()));
  if (S_ISDIR(info.st_mode)) return fail(Code::kInvalidArgument, "{} is a folder, not a file", path.string());
  std::string bytes;
  bytes.resize(info.st_size > 0 ? static_cast<std::size_t>(info.st_size) + 1 : 4096);
  std::size_t used = 0;
  for (;;) {
    if (used > size_bytes_max) {
      return fail(Code::kResourceExhausted, "{} is larger than {} bytes", path.string(), size_bytes_max);
    }
    if (used == bytes.size()) bytes.resize(bytes.size() * 2);
    const ssize_t got = ::read(fd.get(), bytes.data() + used, bytes.size() - used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(errno, fmt::format("cannot read {}", path.string()));
    if (got == 0) break;
    used += static_cast<std::size_t>(got);
  }
  bytes.resize(used);
  return bytes;
}

Result<void> write_file_atomic(const fs::path& path, std::string_view bytes, unsigned mode) {
  const fs::path temporary = path.parent_path() / fmt::format(".{}.{}.tmp", path.filename().string(), random_hex(6));
  Descriptor fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (fd.get() < 0) return fail_errno(errno, fmt::format("cannot make {}", temporary.string()));
  auto written = write_all(fd.get(), bytes, path.string());
  if (written && ::fsync(fd.get()) != 0) written = fail_errno(errno, fmt::format("cannot sync {}", path.string()));
  if (written && ::rename(temporary.c_str(), path.c_str()) != 0) {
    written = fail_errno(errno, fmt::format("cannot replace {}", path.string()));
  }
  if (!written) {
    ::unlink(temporary.c_str());
    return written;
  }
  return sync_path(path.parent_path());
}

Result<void> sync_path(const fs::path& path) {
  const Descriptor fd(::open(path.empty() ? "." : path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0) return fail_errno(errno, fmt::format("cannot open {}", path.string()));
  if (::fsync(fd.get()) != 0) return fail_errno(errno, fmt::format("cannot sync {}", path.string()));
  return {};
}

Result<void> make_dirs(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) return fail_errno(error.value(), fmt::format("cannot make the folder {}", path.string()));
  return {};
}

Result<fs::path> join_below(const fs::path& root, std::string_view relative) {
  const auto bad = [&](std::string_view why) {
    return fail(Code::kInvalidArgument, "the path \"{}\" {}; give a relative path below the folder", relative, why);
  };
  if (relative.empty()) return bad("is empty");
  if (relative.find('\0') != std::string_view::npos) return bad("holds a NUL byte");
  if (relative.front() == '/') return bad("is absolute");
  for (const auto& part : fs::path(relative)) {
    if (part == "..") return bad("climbs out");
  }
  return root / fs::path(relative).lexically_normal();
}

Result<void> remove_tree(const fs::path& path) {
  std::error_code error;
  if (fs::remove_all(path, error); !error) return {};
  // A read-only folder keeps its entries: open up what is ours and try once more.
  std::error_code ignored;
  for (auto entry = fs::recursive_directory_iterator(path, fs::directory_options::skip_permission_denied, ignored);
       entry != fs::recursive_directory_iterator(); entry.increment(ignored)) {
    if (entry->is_directory(ignored) && !entry->is_symlink(ignored)) {
      fs::permissions(entry->path(), fs::perms::owner_all, fs::perm_options::add, ignored);
    }
  }
  error.clear();
  fs::remove_all(path, error);
  if (error) return fail_errno(error.value(), fmt::format("cannot remove {}", path.string()));
  return {};
}

Result<FileLock> FileLock::acquire(const fs::path& path) {
  Descriptor fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (fd.get() < 0) return fail_errno(errno, fmt::format("cannot open {}", path.string()));
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return fail_errno(errno, fmt::format("cannot lock {}", path.string()));
    char holder[32] = {};
    const ssize_t got = ::pread(fd.get(), holder, sizeof holder - 1, 0);
    const std::string pid =
        got > 0 ? fmt::format(" (process {})", std::string_view(holder, static_cast<std::size_t>(got))) : std::string();
    return fail(Code::kFailedPrecondition, "{} is in use by another weir{}", path.parent_path().string(), pid);
  }
  const std::string pid = fmt::format("{}", ::getpid());
  if (::ftruncate(fd.get(), 0) == 0) {
    [[maybe_unused]] const auto written = ::pwrite(fd.get(), pid.data(), pid.size(), 0);
  }
  return FileLock(fd.release());
}

FileLock::FileLock(FileLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
FileLock& FileLock::operator=(FileLock&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}
FileLock::~FileLock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace weir::io
