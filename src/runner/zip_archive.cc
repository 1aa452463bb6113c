// Artifacts: zip archives.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <mutex>
#include <set>
#include <thread>

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
constexpr std::uint64_t kSecondThreadBytes = 1U << 20;

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

Result<void> extract_entry(const ZipReader& reader, const ZipEntry& entry, const Placer& placer,
                           const UnpackOptions& options) {
  if (stopped(options)) return fail(Code::kCancelled, "unpacking was cancelled");
  const fs::path target = WEIR_TRY(placer.place(entry.name)).target();
  if (entry.is_folder()) return io::make_dirs(target);
  WEIR_TRY(Placer::clear(target));
  if (!entry.is_link()) return extract_file(reader, entry, target, options);
  const std::string held = WEIR_TRY(link_target(reader, entry));
  if (::symlink(held.c_str(), target.c_str()) == 0) return {};
  return fail_errno(errno, fmt::format("cannot link {}", target.string()));
}

// On two threads: one unpacks while the other writes. Names that stand there twice are taken in their order.
Result<void> extract_all(const ZipReader& reader, const Placer& placer, const UnpackOptions& options) {
  const auto& entries = reader.entries();
  std::set<std::string_view> names;
  const bool unique =
      std::ranges::all_of(entries, [&](const ZipEntry& entry) { return names.insert(entry.name).second; });
  std::atomic<std::size_t> next = 0;
  std::mutex mutex;
  Result<void> result;
  const auto work = [&] {
    for (std::size_t at = next++; at < entries.size(); at = next++) {
      auto done = extract_entry(reader, entries[at], placer, options);
      if (done) continue;
      const std::scoped_lock lock(mutex);
      if (result) result = std::move(done);
      next = entries.size();
    }
  };
  std::jthread other;
  if (unique && entries.size() > 1 && reader.total_bytes() > kSecondThreadBytes) other = std::jthread(work);
  work();
  if (other.joinable()) other.join();
  return result;
}

}  // namespace

Result<PackResult> pack_zip(const std::vector<ArchiveEntry>& entries, const fs::path& target,
                            const PackOptions& options) {
  auto writer = WEIR_TRY(
      io::ZipWriter::create(target, {.level = options.compression_level, .hash = options.hash, .stop = options.stop}));
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
  WEIR_TRY(extract_all(reader, placer, options));
  return static_cast<std::uint64_t>(
      std::ranges::count_if(reader.entries(), [](const ZipEntry& entry) { return !entry.is_folder(); }));
}

}  // namespace weir::runner
