#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <mutex>
#include <utility>

#include "base/hash.h"
#include "io/file.h"
#include "store/blob_store.h"

namespace weir::store {
namespace {

namespace fs = std::filesystem;

bool is_sha256(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// A file that is being written; removed unless kept.
class TemporaryFile {
 public:
  static Result<TemporaryFile> make(const fs::path& folder) {
    fs::path path = folder / (random_hex(12) + ".tmp");
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
    if (fd < 0) return fail_errno(errno, fmt::format("cannot store a blob as {}", path.string()));
    return TemporaryFile(std::move(path), fd);
  }
  // One that somebody else wrote; removed unless kept, too.
  static Result<TemporaryFile> take(const fs::path& path) {
    const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    if (fd < 0) return fail_errno(errno, fmt::format("cannot open {}", path.string()));
    TemporaryFile file(path, fd);
    struct stat info{};
    if (::fstat(fd, &info) != 0) return fail_errno(errno, fmt::format("cannot read {}", path.string()));
    file.size_bytes_ = info.st_size;
    ::fchmod(fd, 0444);
    return file;
  }
  [[nodiscard]] std::int64_t size_bytes() const { return size_bytes_; }

  // Digest and length of what another program wrote.
  Result<BlobInfo> read_again() {
    std::string buffer(1U << 20, '\0');
    std::int64_t offset = 0;
    for (;;) {
      const ssize_t got = ::pread(fd_, buffer.data(), buffer.size(), offset);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return fail_errno(errno, fmt::format("cannot read {}", path_.string()));
      if (got == 0) return BlobInfo{hash_.finish_hex(), offset};
      hash_.update(std::string_view(buffer).substr(0, static_cast<std::size_t>(got)));
      offset += got;
    }
  }
  TemporaryFile(TemporaryFile&& other) noexcept
      : path_(std::move(other.path_)),
        fd_(std::exchange(other.fd_, -1)),
        hash_(std::move(other.hash_)),
        size_bytes_(other.size_bytes_) {}
  TemporaryFile& operator=(TemporaryFile&&) = delete;
  ~TemporaryFile() {
    if (fd_ < 0) return;
    ::close(fd_);
    ::unlink(path_.c_str());
  }

  Result<void> append(std::string_view bytes) {
    hash_.update(bytes);
    size_bytes_ += static_cast<std::int64_t>(bytes.size());
    while (!bytes.empty()) {
      const ssize_t written = ::write(fd_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return fail_errno(errno, fmt::format("cannot store a blob as {}", path_.string()));
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
  }

  BlobInfo finish() { return {hash_.finish_hex(), size_bytes_}; }

  // Syncs and moves the file to `target`, whose folder is synced too.
  Result<void> keep(const fs::path& target) {
    if (::fsync(fd_) != 0) return fail_errno(errno, fmt::format("cannot sync {}", path_.string()));
    if (::rename(path_.c_str(), target.c_str()) != 0) {
      return fail_errno(errno, fmt::format("cannot place {}", target.string()));
    }
    path_ = target;
    // Still ours until its name is on disk, too: a name that a power cut may take back must not pass for a kept blob,
    // and a sync that failed once can succeed the next time without the name being there.
    WEIR_TRY(io::sync_path(target.parent_path()));
    ::close(std::exchange(fd_, -1));
    return {};
  }

 private:
  TemporaryFile(fs::path path, int fd) : path_(std::move(path)), fd_(fd) {}
  fs::path path_;
  int fd_;
  Sha256 hash_;
  std::int64_t size_bytes_ = 0;
};

class FileSource final : public io::ByteSource {
 public:
  explicit FileSource(int fd) : fd_(fd) {}
  ~FileSource() override { ::close(fd_); }
  FileSource(const FileSource&) = delete;
  FileSource& operator=(const FileSource&) = delete;
  Result<std::size_t> read(char* buffer, std::size_t size) override {
    for (;;) {
      const ssize_t got = ::read(fd_, buffer, size);
      if (got >= 0) return static_cast<std::size_t>(got);
      if (errno != EINTR) return fail_errno(errno, "cannot read a file");
    }
  }

 private:
  int fd_;
};

class MemorySource final : public io::ByteSource {
 public:
  explicit MemorySource(std::string_view bytes) : bytes_(bytes) {}
  Result<std::size_t> read(char* buffer, std::size_t size) override {
    const std::size_t taken = bytes_.copy(buffer, size);
    bytes_.remove_prefix(taken);
    return taken;
  }

 private:
  std::string_view bytes_;
};

class LocalBlobStore final : public BlobStore {
 public:
  explicit LocalBlobStore(fs::path root) : root_(std::move(root)) {}

  Result<BlobInfo> put(std::string_view bytes) override {
    if (BlobInfo known{sha256_hex(bytes), static_cast<std::int64_t>(bytes.size())}; WEIR_TRY(is_kept(known.sha256))) {
      return known;
    }
    MemorySource source(bytes);
    return put_stream(source, {}, -1);
  }

  Result<BlobInfo> put_stream(io::ByteSource& source, std::string_view expected_sha256,
                              std::int64_t expected_size) override {
    auto file = WEIR_TRY(TemporaryFile::make(root_ / "incoming"));
    std::string buffer(256 << 10, '\0');
    for (;;) {
      const std::size_t got = WEIR_TRY(source.read(buffer.data(), buffer.size()));
      if (got == 0) break;
      WEIR_TRY(file.append(std::string_view(buffer).substr(0, got)));
    }
    BlobInfo info = file.finish();
    if (expected_size >= 0 && info.size_bytes != expected_size) {
      return fail(Code::kInvalidArgument, "{} bytes came, {} were announced; nothing was kept", info.size_bytes,
                  expected_size);
    }
    if (!expected_sha256.empty() && info.sha256 != expected_sha256) {
      return fail(Code::kInvalidArgument, "the bytes have SHA-256 {}, not {}; nothing was kept", info.sha256,
                  expected_sha256);
    }
    WEIR_TRY(place(file, info));
    return info;
  }

  Result<BlobInfo> adopt(const fs::path& path, std::string_view expected_sha256, std::int64_t expected_size) override {
    auto file = WEIR_TRY(TemporaryFile::take(path));
    if (expected_size >= 0 && file.size_bytes() != expected_size) {
      return fail(Code::kInvalidArgument, "{} has {} bytes, {} were announced; nothing was kept", path.string(),
                  file.size_bytes(), expected_size);
    }
    BlobInfo info{.sha256 = std::string(expected_sha256), .size_bytes = file.size_bytes()};
    if (info.sha256.empty()) info = WEIR_TRY(file.read_again());
    if (!is_sha256(info.sha256)) return fail(Code::kInvalidArgument, "a blob's name is a SHA-256");
    WEIR_TRY(place(file, info));
    return info;
  }

  // Under its name, unless that is there; the file is removed then.
  Result<void> place(TemporaryFile& file, const BlobInfo& info) {
    Folder& folder = folder_of(info.sha256);
    const std::scoped_lock lock(folder.placing);
    const fs::path target = path_of(info.sha256);
    // That a folder is there does not tell that its name is on disk.
    if (!folder.synced) {
      WEIR_TRY(io::make_dirs(target.parent_path()));
      WEIR_TRY(io::sync_path(root_));
      folder.synced = true;
    }
    if (contains(info.sha256)) {
      note_put(target);
      WEIR_TRY(io::sync_path(target.parent_path()));  // a process that was killed may have left that out
    } else {
      WEIR_TRY(file.keep(target));
    }
    return {};
  }

  Result<BlobInfo> put_file(const fs::path& file, bool consume) override {
    const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return fail_errno(errno, fmt::format("cannot open {}", file.string()));
    FileSource source(fd);
    auto info = WEIR_TRY(put_stream(source, {}, -1));
    if (consume) ::unlink(file.c_str());
    return info;
  }

  [[nodiscard]] bool contains(std::string_view sha256) const override {
    std::error_code ignored;
    return is_sha256(sha256) && fs::exists(path_of(sha256), ignored);
  }

  Result<std::string> get(std::string_view sha256) const override {
    return io::read_file(WEIR_TRY(local_path(sha256)));
  }

  Result<fs::path> local_path(std::string_view sha256) const override {
    if (!is_sha256(sha256)) {
      return fail(Code::kInvalidArgument, "\"{}\" is not a SHA-256 of 64 lower-case hex digits", sha256.substr(0, 80));
    }
    if (!contains(sha256)) return fail(Code::kNotFound, "there is no blob {}", sha256);
    return path_of(sha256);
  }

  Result<void> remove(std::string_view sha256) override {
    const fs::path path = WEIR_TRY(local_path(sha256));
    if (::unlink(path.c_str()) != 0) return fail_errno(errno, fmt::format("cannot remove blob {}", sha256));
    return {};
  }

  Result<std::optional<std::int64_t>> remove_unless_put(std::string_view sha256, TimePoint since) override {
    if (!is_sha256(sha256)) return fail(Code::kInvalidArgument, "a blob's name is a SHA-256");
    const std::scoped_lock lock(folder_of(sha256).placing);
    const fs::path path = path_of(sha256);
    struct stat info{};
    if (::stat(path.c_str(), &info) != 0) {
      if (errno == ENOENT) return std::optional<std::int64_t>(0);
      return fail_errno(errno, fmt::format("cannot read {}", path.string()));
    }
    const std::chrono::microseconds put =
        std::chrono::seconds{info.st_mtim.tv_sec} + std::chrono::microseconds{info.st_mtim.tv_nsec / 1000};
    if (put > since.time_since_epoch()) return std::optional<std::int64_t>();
    if (::unlink(path.c_str()) != 0) return fail_errno(errno, fmt::format("cannot remove blob {}", sha256));
    return std::optional<std::int64_t>(info.st_size);
  }

  Result<void> for_each(const std::function<void(const BlobInfo&)>& each) const override {
    std::error_code error;
    for (const auto& folder : fs::directory_iterator(root_, error)) {
      const std::string prefix = folder.path().filename().string();
      if (prefix.size() != 2) continue;
      for (const auto& file : fs::directory_iterator(folder.path(), error)) {
        const std::string sha256 = prefix + file.path().filename().string();
        std::error_code ignored;
        if (is_sha256(sha256)) each({sha256, static_cast<std::int64_t>(file.file_size(ignored))});
      }
    }
    if (error) return fail_errno(error.value(), fmt::format("cannot list {}", root_.string()));
    return {};
  }

  Result<void> verify(std::string_view sha256) const override {
    const fs::path path = WEIR_TRY(local_path(sha256));
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return fail_errno(errno, fmt::format("cannot open {}", path.string()));
    FileSource source(fd);
    Sha256 hash;
    std::string buffer(256 << 10, '\0');
    for (;;) {
      const std::size_t got = WEIR_TRY(source.read(buffer.data(), buffer.size()));
      if (got == 0) break;
      hash.update(std::string_view(buffer).substr(0, got));
    }
    const std::string actual = hash.finish_hex();
    if (actual != sha256)
      return fail(Code::kCorrupt, "{} holds other bytes than its name says (their SHA-256 is {})", path.string(),
                  actual);
    return {};
  }

 private:
  [[nodiscard]] fs::path path_of(std::string_view sha256) const {
    return root_ / sha256.substr(0, 2) / sha256.substr(2);
  }

  // One of the folders "00" to "ff".
  struct Folder {
    std::mutex placing;  // held from a blob's rename to the end of its sync: who finds the blob there may rely on it
    bool synced = false;
  };
  Folder& folder_of(std::string_view sha256) {
    return folders_[std::stoul(std::string(sha256.substr(0, 2)), nullptr, 16)];
  }

  // Its time is when it was last put. Where that cannot be set, it is when it was first.
  static void note_put(const fs::path& path) { ::utimensat(AT_FDCWD, path.c_str(), nullptr, 0); }

  // Whether the blob is there, and on disk then.
  Result<bool> is_kept(std::string_view sha256) {
    const std::scoped_lock lock(folder_of(sha256).placing);
    if (!contains(sha256)) return false;
    note_put(path_of(sha256));
    WEIR_TRY(io::sync_path(path_of(sha256).parent_path()));
    return true;
  }

  fs::path root_;
  std::array<Folder, 256> folders_;
};

}  // namespace

Result<std::unique_ptr<BlobStore>> open_local_blobs(const fs::path& root) {
  WEIR_TRY(io::make_dirs(root / "incoming"));
  // What a killed process left half-written was never acknowledged.
  std::error_code ignored;
  for (const auto& file : fs::directory_iterator(root / "incoming", ignored)) fs::remove(file.path(), ignored);
  return std::make_unique<LocalBlobStore>(root);
}

Result<std::unique_ptr<BlobStore>> view_local_blobs(const fs::path& root) {
  if (!fs::exists(root)) return fail(Code::kNotFound, "there is no blob folder {}", root.string());
  return std::make_unique<LocalBlobStore>(root);
}

}  // namespace weir::store
