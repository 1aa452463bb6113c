#include "api/git/lfs_objects.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "base/hash.h"
#include "io/descriptor.h"
#include "io/file.h"

namespace weir::api {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPieceBytes = 1U << 20;
// Begun to be written while more arrives, so that the sync at the end has little left to wait for.
constexpr std::int64_t kWriteBackBytes = 16 << 20;

// A file on its way in; gone at the end of the scope unless it was moved elsewhere.
class Draft {
 public:
  static Result<Draft> make(const fs::path& folder) {
    std::string path = (folder / "weir-XXXXXX").string();
    const int fd = ::mkostemp(path.data(), O_CLOEXEC);
    if (fd < 0) return fail_errno(errno, fmt::format("cannot store the object as {}", path));
    ::fchmod(fd, 0444);
    return Draft(std::move(path), fd);
  }
  Draft(Draft&& other) noexcept : path_(std::exchange(other.path_, {})), file_(std::move(other.file_)) {}
  Draft& operator=(Draft&&) = delete;
  ~Draft() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }

  [[nodiscard]] int fd() const { return file_.get(); }
  [[nodiscard]] const std::string& path() const { return path_; }

  Result<void> keep(const fs::path& target) {
    if (::fsync(fd()) != 0) return fail_errno(errno, fmt::format("cannot sync {}", path_));
    if (::rename(path_.c_str(), target.c_str()) != 0) {
      return fail_errno(errno, fmt::format("cannot place {}", target.string()));
    }
    // A name that a power cut may take back must not pass for a kept object.
    path_ = target.string();
    WEIR_TRY(io::sync_path(target.parent_path()));
    path_.clear();
    return {};
  }

 private:
  Draft(std::string path, int fd) : path_(std::move(path)), file_(fd) {}
  std::string path_;
  io::Descriptor file_;
};

// Makes the folders from `root` to `folder`, and their names durable.
Result<void> make_durable(const fs::path& root, const fs::path& folder) {
  WEIR_TRY(io::make_dirs(folder));
  for (fs::path made = folder.parent_path();; made = made.parent_path()) {
    WEIR_TRY(io::sync_path(made));
    if (made == root.parent_path() || made == made.root_path()) return {};
  }
}

}  // namespace

fs::path LfsObjects::path_of(std::string_view oid) const {
  return root_ / "objects" / oid.substr(0, 2) / oid.substr(2, 2) / oid;
}

std::optional<std::int64_t> LfsObjects::size_of(std::string_view oid) const {
  struct stat info{};
  if (::lstat(path_of(oid).c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return std::nullopt;
  return info.st_size;
}

Result<void> LfsObjects::put(io::ByteSource& source, std::string_view oid, std::int64_t size_bytes) const {
  WEIR_TRY(io::make_dirs(root_ / "incomplete"));
  Draft draft = WEIR_TRY(Draft::make(root_ / "incomplete"));
  Sha256 hash;
  std::string piece(kPieceBytes, '\0');
  std::int64_t total = 0;
  std::int64_t begun = 0;
  for (;;) {
    const std::size_t count = WEIR_TRY(source.read(piece.data(), piece.size()));
    if (count == 0) break;
    total += static_cast<std::int64_t>(count);
    if (total > size_bytes) {
      return fail(Code::kInvalidArgument, "more than the {} bytes came that were announced; nothing was kept",
                  size_bytes);
    }
    const std::string_view bytes(piece.data(), count);
    hash.update(bytes);
    WEIR_TRY(io::write_all(draft.fd(), bytes, draft.path()));
    if (total - begun >= kWriteBackBytes) {
      ::sync_file_range(draft.fd(), begun, total - begun, SYNC_FILE_RANGE_WRITE);
      begun = total;
    }
  }
  if (total != size_bytes) {
    return fail(Code::kInvalidArgument, "{} bytes came, {} were announced; nothing was kept", total, size_bytes);
  }
  if (const std::string found = hash.finish_hex(); found != oid) {
    return fail(Code::kInvalidArgument, "the bytes have the SHA-256 {}, not {}; nothing was kept", found, oid);
  }
  const fs::path target = path_of(oid);
  WEIR_TRY(make_durable(root_, target.parent_path()));
  return draft.keep(target);
}

void LfsObjects::remove_drafts() const {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(root_ / "incomplete", error)) {
    if (entry.path().filename().string().starts_with("weir-")) ::unlink(entry.path().c_str());
  }
}

}  // namespace weir::api
