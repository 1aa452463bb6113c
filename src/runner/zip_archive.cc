// Artifacts: zip archives.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "io/descriptor.h"
#include "io/file.h"
#include "io/zip_reader.h"
#include "io/zip_writer.h"
#include "runner/placer.h"

namespace weir::runner {
namespace {

namespace fs = std::filesystem;
using io::ZipEntry;
using io::ZipReader;

constexpr std::uint64_t kLinkBytesMax = 4096;

bool stopped(const UnpackOptions& options) {
  return options.stop != nullptr && options.stop->load();
}

Placer::Kind kind_of(const ZipEntry& entry) {
  if (entry.is_folder()) return Placer::Kind::kFolder;
  if (entry.is_link()) return Placer::Kind::kLink;
  const mode_t type = entry.mode & S_IFMT;
  return type == 0 || type == S_IFREG ? Placer::Kind::kFile : Placer::Kind::kOther;
}

// A link's bytes are what it points to.
Result<std::string> link_target(const ZipReader& reader, const ZipEntry& entry) {
  if (entry.size_bytes == 0 || entry.size_bytes > kLinkBytesMax) {
    return fail(Code::kCorrupt, "{}: the link \"{}\" has {} bytes", kRefused, entry.name, entry.size_bytes);
  }
  std::string target;
  WEIR_TRY(reader.read(entry, [&](std::string_view bytes) -> Result<void> {
    target += bytes;
    return {};
  }));
  if (target.find('\0') != std::string::npos) {
    return fail(Code::kCorrupt, "{}: the link \"{}\" holds a zero byte", kRefused, entry.name);
  }
  return target;
}

Result<void> extract_file(const ZipReader& reader, const ZipEntry& entry, const fs::path& target,
                          const UnpackOptions& options) {
  const mode_t permissions = (entry.mode & 0777) == 0 ? 0644 : entry.mode & 0777;
  // O_EXCL after unlink(): an existing link or file of other owners is never written through.
  io::Descriptor file(
      ::open(target.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, permissions | S_IWUSR));
  if (!file) return fail_errno(errno, fmt::format("cannot make {}", target.string()));
  const auto read = reader.read(entry, [&](std::string_view bytes) -> Result<void> {
    if (stopped(options)) return fail(Code::kCancelled, "unpacking was cancelled");
    return io::write_all(file.get(), bytes, target.string());
  });
  if (!read) {
    ::unlink(target.c_str());  // half a file would pass for a whole one
    return std::unexpected(read.error());
  }
  const timespec times[2] = {{.tv_sec = 0, .tv_nsec = UTIME_NOW}, {.tv_sec = entry.modified_s, .tv_nsec = 0}};
  ::futimens(file.get(), times);
  ::fchmod(file.get(), permissions);  // the mask of new files does not apply
  if (::close(file.release()) != 0) return fail_errno(errno, fmt::format("cannot write {}", target.string()));
  return {};
}

}  // namespace

Result<PackResult> pack_zip(const std::vector<ArchiveEntry>& entries, const fs::path& target,
                            const PackOptions& options) {
  auto writer = WEIR_TRY(io::ZipWriter::create(target, {.level = options.compression_level, .stop = options.stop}));
  for (const auto& entry : entries) {
    if (auto added = writer.add(entry.name, entry.source); !added) {
      ::unlink(target.c_str());
      return std::unexpected(std::move(added).error());
    }
  }
  auto done = writer.finish();
  if (!done) {
    ::unlink(target.c_str());
    return std::unexpected(std::move(done).error());
  }
  return PackResult{.sha256 = std::move(done->sha256), .size_bytes = done->size_bytes};
}

Result<std::uint64_t> unpack_zip(const fs::path& archive, const fs::path& folder, const UnpackOptions& options) {
  auto opened = ZipReader::open(archive);
  if (!opened) {
    return fail(opened.error().code, "{}: {}", kRefused, opened.error().message);
  }
  const ZipReader& reader = *opened;
  if (reader.total_bytes() > options.bytes_max) {
    return fail(Code::kCorrupt, "{}: it holds {} bytes, {} were announced", kRefused, reader.total_bytes(),
                options.bytes_max);
  }
  auto placer = WEIR_TRY(Placer::create({{.name = "", .folder = folder}}, options.allow_outside_links));
  for (const auto& entry : reader.entries()) {
    if (stopped(options)) return fail(Code::kCancelled, "unpacking was cancelled");
    const auto kind = kind_of(entry);
    WEIR_TRY(placer.check(entry.name, kind,
                          kind == Placer::Kind::kLink ? WEIR_TRY(link_target(reader, entry)) : std::string()));
  }
  std::uint64_t files = 0;
  for (const auto& entry : reader.entries()) {
    if (stopped(options)) return fail(Code::kCancelled, "unpacking was cancelled");
    const fs::path target = WEIR_TRY(placer.place(entry.name)).target();
    if (entry.is_folder()) {
      WEIR_TRY(io::make_dirs(target));
      continue;
    }
    ++files;
    WEIR_TRY(Placer::clear(target));
    if (entry.is_link()) {
      const std::string held = WEIR_TRY(link_target(reader, entry));
      if (::symlink(held.c_str(), target.c_str()) != 0) {
        return fail_errno(errno, fmt::format("cannot link {}", target.string()));
      }
    } else {
      WEIR_TRY(extract_file(reader, entry, target, options));
    }
  }
  return files;
}

}  // namespace weir::runner
