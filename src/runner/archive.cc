#include "runner/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "base/hash.h"
#include "io/descriptor.h"
#include "io/file.h"
#include "runner/placer.h"

namespace weir::runner {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBlockBytes = 256U << 10;

struct ArchiveDeleter {
  void operator()(::archive* handle) const { ::archive_free(handle); }
};
using ArchiveHandle = std::unique_ptr<::archive, ArchiveDeleter>;

struct EntryDeleter {
  void operator()(::archive_entry* entry) const { ::archive_entry_free(entry); }
};
using EntryHandle = std::unique_ptr<::archive_entry, EntryDeleter>;

std::string problem(::archive* handle) {
  const char* text = ::archive_error_string(handle);
  return text == nullptr ? "unknown error" : text;
}

// Where the packed bytes go, hashed on the way.
struct Sink {
  int fd = -1;
  Sha256 hash;
  bool hashed = true;
  std::uint64_t size_bytes = 0;
  int error = 0;
};

la_ssize_t write_to_sink(::archive*, void* data, const void* bytes, std::size_t size) {
  auto& sink = *static_cast<Sink*>(data);
  const std::string_view all(static_cast<const char*>(bytes), size);
  std::string_view rest = all;
  while (!rest.empty()) {
    const ssize_t written = ::write(sink.fd, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      sink.error = errno;
      return -1;
    }
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  if (sink.hashed) sink.hash.update(all);
  // The disk begins now; a sync later finds little left to do.
  ::sync_file_range(sink.fd, static_cast<off64_t>(sink.size_bytes), static_cast<off64_t>(size), SYNC_FILE_RANGE_WRITE);
  sink.size_bytes += size;
  return static_cast<la_ssize_t>(size);
}

bool stopped(const std::atomic<bool>* stop) {
  return stop != nullptr && stop->load();
}

Result<void> pack_contents(::archive* out, const ArchiveEntry& item, const std::atomic<bool>* stop,
                           std::string& buffer) {
  const int fd = ::open(item.source.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fail_errno(errno, fmt::format("cannot open {}", item.source.string()));
  Result<void> result;
  for (;;) {
    if (stopped(stop)) {
      result = fail(Code::kCancelled, "packing was cancelled");
      break;
    }
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) result = fail_errno(errno, fmt::format("cannot read {}", item.source.string()));
    if (got <= 0) break;
    if (::archive_write_data(out, buffer.data(), static_cast<std::size_t>(got)) < 0) {
      result = fail(Code::kInternal, "cannot pack {}: {}", item.source.string(), problem(out));
      break;
    }
  }
  ::close(fd);
  return result;
}

Result<void> pack_entry(::archive* out, const ArchiveEntry& item, const PackOptions& options, std::string& buffer) {
  struct stat info{};
  const int status =
      options.follow_symbolic_links ? ::stat(item.source.c_str(), &info) : ::lstat(item.source.c_str(), &info);
  if (status != 0) return fail_errno(errno, fmt::format("cannot read {}", item.source.string()));
  // Sockets, pipes and devices have no contents that another machine could use.
  if (!S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode) && !S_ISLNK(info.st_mode)) return {};

  const EntryHandle entry(::archive_entry_new());
  ::archive_entry_copy_pathname(entry.get(), item.name.c_str());
  ::archive_entry_set_filetype(entry.get(), info.st_mode & S_IFMT);
  ::archive_entry_set_perm(entry.get(), info.st_mode & 0777);
  ::archive_entry_set_mtime(entry.get(), info.st_mtim.tv_sec, 0);
  if (S_ISREG(info.st_mode)) ::archive_entry_set_size(entry.get(), info.st_size);
  if (S_ISLNK(info.st_mode)) {
    std::error_code error;
    const auto target = fs::read_symlink(item.source, error);
    if (error) return fail_errno(error.value(), fmt::format("cannot read the link {}", item.source.string()));
    ::archive_entry_copy_symlink(entry.get(), target.c_str());
  }
  if (::archive_write_header(out, entry.get()) < ARCHIVE_WARN) {
    return fail(Code::kInternal, "cannot pack {}: {}", item.source.string(), problem(out));
  }
  if (S_ISREG(info.st_mode)) return pack_contents(out, item, options.stop, buffer);
  return {};
}

Result<ArchiveHandle> open_to_read(const fs::path& path) {
  ArchiveHandle in(::archive_read_new());
  ::archive_read_support_filter_zstd(in.get());
  ::archive_read_support_format_tar(in.get());
  if (::archive_read_open_filename(in.get(), path.c_str(), kBlockBytes) != ARCHIVE_OK) {
    return fail(Code::kCorrupt, "cannot read the archive: {}", problem(in.get()));
  }
  return in;
}

// Calls `use` with each entry. An error of the archive or of `use` ends it.
template <class Use>
Result<void> for_each_entry(const fs::path& path, const std::atomic<bool>* stop, Use use) {
  const ArchiveHandle in = WEIR_TRY(open_to_read(path));
  for (;;) {
    if (stopped(stop)) return fail(Code::kCancelled, "unpacking was cancelled");
    ::archive_entry* entry = nullptr;
    const int status = ::archive_read_next_header(in.get(), &entry);
    if (status == ARCHIVE_EOF) return {};
    if (status < ARCHIVE_WARN) return fail(Code::kCorrupt, "cannot read the archive: {}", problem(in.get()));
    WEIR_TRY(use(in.get(), entry));
  }
}

Placer::Kind kind_of(::archive_entry* entry) {
  if (::archive_entry_hardlink(entry) != nullptr) return Placer::Kind::kHardLink;
  switch (::archive_entry_filetype(entry)) {
    case AE_IFREG: return Placer::Kind::kFile;
    case AE_IFDIR: return Placer::Kind::kFolder;
    case AE_IFLNK: return Placer::Kind::kLink;
    default: return Placer::Kind::kOther;
  }
}

std::string_view text_or_empty(const char* text) {
  return text == nullptr ? std::string_view{} : std::string_view{text};
}

Result<void> check(Placer& placer, ::archive_entry* entry) {
  const auto kind = kind_of(entry);
  return placer.check(text_or_empty(::archive_entry_pathname(entry)), kind,
                      text_or_empty(kind == Placer::Kind::kHardLink ? ::archive_entry_hardlink(entry)
                                                                    : ::archive_entry_symlink(entry)));
}

Result<void> extract_file(::archive* in, ::archive_entry* entry, const fs::path& target) {
  // O_EXCL after unlink(): an existing link or file of other owners is never written through.
  const int fd =
      ::open(target.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, ::archive_entry_perm(entry) & 0777);
  if (fd < 0) return fail_errno(errno, fmt::format("cannot make {}", target.string()));
  Result<void> result;
  const void* block = nullptr;
  std::size_t size = 0;
  la_int64_t offset = 0;
  while (result) {
    const int status = ::archive_read_data_block(in, &block, &size, &offset);
    if (status == ARCHIVE_EOF) break;
    if (status < ARCHIVE_WARN) {
      result = fail(Code::kCorrupt, "cannot read \"{}\" in the archive: {}", target.string(), problem(in));
      break;
    }
    std::string_view rest(static_cast<const char*>(block), size);
    while (result && !rest.empty()) {
      const ssize_t written = ::pwrite(fd, rest.data(), rest.size(), offset);
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) {
        result = fail_errno(errno, fmt::format("cannot write {}", target.string()));
        break;
      }
      rest.remove_prefix(static_cast<std::size_t>(written));
      offset += written;
    }
  }
  if (result && ::ftruncate(fd, ::archive_entry_size(entry)) != 0) {  // a sparse end
    result = fail_errno(errno, fmt::format("cannot write {}", target.string()));
  }
  const timespec times[2] = {{.tv_sec = 0, .tv_nsec = UTIME_NOW},
                             {.tv_sec = ::archive_entry_mtime(entry), .tv_nsec = 0}};
  ::futimens(fd, times);
  ::fchmod(fd, ::archive_entry_perm(entry) & 0777);  // the mask of new files does not apply
  if (::close(fd) != 0 && result) result = fail_errno(errno, fmt::format("cannot write {}", target.string()));
  return result;
}

Result<void> extract(::archive* in, ::archive_entry* entry, const Placer& placer) {
  const fs::path target = WEIR_TRY(placer.place(::archive_entry_pathname(entry))).target();
  if (::archive_entry_filetype(entry) == AE_IFDIR && ::archive_entry_hardlink(entry) == nullptr) {
    return io::make_dirs(target);
  }
  WEIR_TRY(Placer::clear(target));
  if (const char* hard = ::archive_entry_hardlink(entry); hard != nullptr) {
    const fs::path existing = WEIR_TRY(placer.place(hard)).target();
    if (::link(existing.c_str(), target.c_str()) == 0) return {};
    return fail_errno(errno, fmt::format("cannot link {}", target.string()));
  }
  if (::archive_entry_filetype(entry) == AE_IFLNK) {
    if (::symlink(::archive_entry_symlink(entry), target.c_str()) == 0) return {};
    return fail_errno(errno, fmt::format("cannot link {}", target.string()));
  }
  return extract_file(in, entry, target);
}

}  // namespace

Result<PackResult> pack(const std::vector<ArchiveEntry>& entries, const fs::path& target, const PackOptions& options) {
  Sink sink;
  sink.hashed = options.hash;
  sink.fd = ::open(target.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (sink.fd < 0) return fail_errno(errno, fmt::format("cannot make {}", target.string()));
  const ArchiveHandle out(::archive_write_new());
  ::archive_write_set_format_gnutar(out.get());
  ::archive_write_add_filter_zstd(out.get());
  const std::string level = fmt::format("{}", options.compression_level);
  ::archive_write_set_filter_option(out.get(), "zstd", "compression-level", level.c_str());
  ::archive_write_set_bytes_per_block(out.get(), static_cast<int>(kBlockBytes));
  ::archive_write_set_bytes_in_last_block(out.get(), 1);
  Result<void> result;
  if (::archive_write_open(out.get(), &sink, nullptr, write_to_sink, nullptr) != ARCHIVE_OK) {
    result = fail(Code::kInternal, "cannot start an archive: {}", problem(out.get()));
  }
  std::string buffer(kBlockBytes, '\0');
  for (const auto& entry : entries) {
    if (!result || stopped(options.stop)) break;
    result = pack_entry(out.get(), entry, options, buffer);
  }
  if (result && stopped(options.stop)) result = fail(Code::kCancelled, "packing was cancelled");
  if (result && ::archive_write_close(out.get()) != ARCHIVE_OK) {
    result = fail(Code::kInternal, "cannot finish the archive: {}", problem(out.get()));
  }
  ::close(sink.fd);
  if (sink.error != 0) result = fail_errno(sink.error, fmt::format("cannot write {}", target.string()));
  if (!result) {
    ::unlink(target.c_str());
    return std::unexpected(std::move(result).error());
  }
  return PackResult{.sha256 = sink.hashed ? sink.hash.finish_hex() : "", .size_bytes = sink.size_bytes};
}

Result<std::uint64_t> unpack_rooted(const fs::path& archive, const std::vector<UnpackRoot>& roots,
                                    const UnpackOptions& options) {
  auto placer = WEIR_TRY(Placer::create(roots, options.allow_outside_links));
  if (!options.fresh) {
    WEIR_TRY(for_each_entry(archive, options.stop,
                            [&](::archive*, ::archive_entry* entry) { return check(placer, entry); }));
  }
  std::uint64_t files = 0;
  WEIR_TRY(for_each_entry(archive, options.stop, [&](::archive* in, ::archive_entry* entry) -> Result<void> {
    if (options.fresh) WEIR_TRY(check(placer, entry));
    files += ::archive_entry_filetype(entry) == AE_IFDIR ? 0 : 1;
    return extract(in, entry, placer);
  }));
  return files;
}

Result<std::uint64_t> unpack(const fs::path& archive, const fs::path& folder, const UnpackOptions& options) {
  char start[2] = {};
  const io::Descriptor file(::open(archive.c_str(), O_RDONLY | O_CLOEXEC));
  if (file && ::read(file.get(), start, sizeof start) == 2 && start[0] == 'P' && start[1] == 'K') {
    return unpack_zip(archive, folder, options);
  }
  return unpack_rooted(archive, {{.name = "", .folder = folder}}, options);
}

}  // namespace weir::runner
