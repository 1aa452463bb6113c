#include "event/data_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/std.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>

#include "base/hash.h"
#include "io/descriptor.h"
#include "workflow/pattern.h"

namespace weir::event {
namespace {

namespace fs = std::filesystem;

constexpr int kDepthMax = 100;
constexpr std::string_view kWildcards = "*?[";

bool is_address(std::string_view text) {
  return text.starts_with("http://") || text.starts_with("https://");
}

bool is_below(const fs::path& path, const fs::path& folder) {
  const auto [end, _] = std::mismatch(folder.begin(), folder.end(), path.begin(), path.end());
  return end == folder.end();
}

// Opens `place` without following a symbolic link on the way: its path was resolved before, and what turned into a link
// since then is not followed.
Result<io::Descriptor> open_place(const WatchRoots::Place& place) {
  io::Descriptor at(::open(place.root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!at) return fail_errno(errno, fmt::format("cannot look at {}", place.root.string()));
  if (place.path == place.root) return at;
  for (const auto& part : place.path.lexically_relative(place.root)) {
    io::Descriptor next(::openat(at.get(), part.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!next) return fail_errno(errno, fmt::format("cannot look at {}", place.path.string()));
    at = std::move(next);
  }
  return at;
}

std::int64_t modified_ns(const struct stat& status) {
  return (static_cast<std::int64_t>(status.st_mtim.tv_sec) * 1'000'000'000) + status.st_mtim.tv_nsec;
}

struct CloseFolder {
  void operator()(DIR* folder) const { ::closedir(folder); }
};

// The names in a folder, in order.
Result<std::vector<std::string>> names_in(int folder_fd, const fs::path& path) {
  const int own = ::openat(folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (own < 0) return fail_errno(errno, fmt::format("cannot list {}", path.string()));
  const std::unique_ptr<DIR, CloseFolder> folder(::fdopendir(own));
  if (!folder) {
    ::close(own);
    return fail_errno(errno, fmt::format("cannot list {}", path.string()));
  }
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(folder.get());
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) return fail_errno(errno, fmt::format("cannot list {}", path.string()));
  std::ranges::sort(names);
  return names;
}

class Walk {
 public:
  Walk(const WatchRoots& roots, const FilesPass& pass, const std::stop_token& stop,
       std::optional<workflow::Pattern> pattern, int depth_max)
      : roots_(roots), pass_(pass), stop_(stop), pattern_(std::move(pattern)), depth_max_(depth_max) {}

  Result<void> folder(int fd, const fs::path& real, const std::string& below, int depth) {
    if (pass_.folder) pass_.folder(real);
    for (const auto& name : WEIR_TRY(names_in(fd, real))) {
      if (stop_.stop_requested()) return fail(Code::kCancelled, "the server stops");
      struct stat status{};
      // What is gone meanwhile is not there.
      if (::fstatat(fd, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
      std::string path = below.empty() ? name : below + "/" + name;
      if (S_ISDIR(status.st_mode)) {
        WEIR_TRY(subfolder(fd, name, real, path, depth));
      } else if (S_ISREG(status.st_mode)) {
        take(path, status);
      } else if (S_ISLNK(status.st_mode)) {
        link(real / name, path);
      }
    }
    return {};
  }

  void take(std::string_view path, const struct stat& status) {
    if (pattern_ && !pattern_->matches(path)) return;
    const WatchedFile file{path, status.st_size, modified_ns(status)};
    ++found_.files;
    found_.bytes += file.size_bytes;
    found_.newest_ns = std::max(found_.newest_ns, file.modified_ns);
    hash_.update(fmt::format("{} {} {}", file.size_bytes, file.modified_ns, path));
    hash_.update(std::string_view("\0", 1));
    if (pass_.file) pass_.file(file);
  }

  FilesFound finish(bool folder) {
    found_.there = true;
    found_.folder = folder;
    found_.digest = hash_.finish_hex();
    return std::move(found_);
  }

 private:
  Result<void> subfolder(int fd, const std::string& name, const fs::path& real, const std::string& path, int depth) {
    if (depth + 1 >= depth_max_) {
      if (depth + 1 >= kDepthMax) leave_out(fmt::format("folders deeper than {}", kDepthMax));
      return {};
    }
    const io::Descriptor next(::openat(fd, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (next) return folder(next.get(), real / name, path, depth + 1);
    if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP) return {};
    return fail_errno(errno, fmt::format("cannot list {}", (real / name).string()));
  }

  void link(const fs::path& link, std::string_view path) {
    if (pattern_ && !pattern_->matches(path)) return;
    std::error_code unresolved;
    const auto target = fs::canonical(link, unresolved);
    if (unresolved) return leave_out(fmt::format("the symbolic link {}, which leads nowhere", printable(path)));
    const auto place = roots_.allow(target);
    if (!place) return leave_out(fmt::format("the symbolic link {}, which leads out", printable(path)));
    const auto fd = open_place(*place);
    struct stat status{};
    if (!fd || ::fstat(fd->get(), &status) != 0) return;
    if (S_ISREG(status.st_mode)) return take(path, status);
    leave_out(fmt::format("the symbolic link {}, which leads to no file", printable(path)));
  }

  // The first of its kind is named.
  void leave_out(std::string what) {
    if (found_.left_out.empty()) found_.left_out = std::move(what);
  }

  const WatchRoots& roots_;
  const FilesPass& pass_;
  const std::stop_token& stop_;
  std::optional<workflow::Pattern> pattern_;
  int depth_max_;
  FilesFound found_;
  Sha256 hash_;
};

// Who the server runs as, where rights are what is missing.
Error with_user(Error error) {
  if (error.code == Code::kPermissionDenied) error.message += fmt::format(" (the server's user id is {})", ::geteuid());
  return error;
}

}  // namespace

fs::path literal_part(std::string_view watch) {
  const auto wildcard = watch.find_first_of(kWildcards);
  if (wildcard == std::string_view::npos) return fs::path(watch).lexically_normal();
  return fs::path(watch.substr(0, watch.rfind('/', wildcard) + 1)).lexically_normal();
}

std::string printable(std::string_view name) {
  std::string out;
  for (std::size_t i = 0; i < name.size();) {
    const auto lead = static_cast<unsigned char>(name[i]);
    const std::size_t size = lead < 0x80 ? 1 : lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    bool whole =
        lead >= 0x20 && lead != 0x7F && (lead < 0x80 || (lead >= 0xC2 && lead <= 0xF4)) && i + size <= name.size();
    for (std::size_t k = 1; whole && k < size; ++k) {
      const auto next = static_cast<unsigned char>(name[i + k]);
      whole = (next & 0xC0U) == 0x80U;
      if (k == 1 && ((lead == 0xE0 && next < 0xA0) || (lead == 0xED && next > 0x9F) || (lead == 0xF0 && next < 0x90) ||
                     (lead == 0xF4 && next > 0x8F))) {
        whole = false;
      }
    }
    out += whole ? std::string(name.substr(i, size)) : "?";
    i += whole ? size : 1;
  }
  return out;
}

Result<WatchRoots> WatchRoots::make(const std::vector<std::string>& roots) {
  WatchRoots made;
  for (const auto& root : roots) {
    if (is_address(root)) {
      if (root.find("//") + 2 >= root.size() || root.find('@') != std::string::npos) {
        return fail(Code::kInvalidArgument, "\"{}\" names no host whose addresses may be watched", root);
      }
      made.addresses_.push_back(root);
      continue;
    }
    const fs::path given = fs::path(root).lexically_normal();
    if (!given.is_absolute()) {
      return fail(Code::kInvalidArgument,
                  "\"{}\" is no folder to watch below: give its full path, or the beginning of a http(s):// address",
                  root);
    }
    std::error_code problem;
    auto real = fs::canonical(given, problem);
    if (problem || !fs::is_directory(real)) {
      return fail(Code::kInvalidArgument, "there is no folder {} to watch below", root);
    }
    made.folders_.push_back({given.has_filename() ? given : given.parent_path(), std::move(real)});
  }
  return made;
}

Result<WatchRoots::Place> WatchRoots::allow(const fs::path& path) const {
  // Nothing outside is even looked at.
  const auto named = std::ranges::any_of(
      folders_, [&](const auto& folder) { return is_below(path, folder.given) || is_below(path, folder.real); });
  if (!named) {
    return fail(Code::kPermissionDenied,
                "{} may not be watched: it lies below no folder that the server's administrator gave by "
                "`weir serve --watch-root`",
                path.string());
  }
  std::error_code problem;
  auto real = fs::weakly_canonical(path, problem);
  if (problem)
    return std::unexpected(
        with_user(fail_errno(problem.value(), fmt::format("cannot look at {}", path.string())).error()));
  const auto root = std::ranges::find_if(folders_, [&](const auto& folder) { return is_below(real, folder.real); });
  if (root != folders_.end()) return Place{root->real, std::move(real)};
  return fail(Code::kPermissionDenied, "{} may not be watched: a symbolic link leads out of what may be watched",
              path.string());
}

Result<void> WatchRoots::allow_address(std::string_view url) const {
  const auto path = url.substr(std::min(url.find('/', url.find("//") + 2), url.size()));
  const bool climbs = path.find("/..") != std::string_view::npos || path.find("%2e") != std::string_view::npos ||
                      path.find("%2E") != std::string_view::npos || path.find('\\') != std::string_view::npos;
  const bool known = !climbs && std::ranges::any_of(addresses_, [&](const std::string& root) {
    if (!url.starts_with(root)) return false;
    return root.ends_with('/') || url.size() == root.size() || url[root.size()] == '/' || url[root.size()] == '?';
  });
  if (known) return {};
  return fail(Code::kPermissionDenied,
              "{} may not be watched: it begins with no address that the server's administrator gave by "
              "`weir serve --watch-root`",
              url);
}

Result<FilesFound> look_at_files(const WatchRoots& roots, std::string_view watch, const FilesPass& pass,
                                 const std::stop_token& stop) {
  const auto base = literal_part(watch);
  const auto place = WEIR_TRY(roots.allow(base));
  const auto fd = open_place(place);
  if (!fd) {
    if (fd.error().code == Code::kNotFound) return FilesFound{};
    return std::unexpected(with_user(fd.error()));
  }
  struct stat status{};
  if (::fstat(fd->get(), &status) != 0) return fail_errno(errno, fmt::format("cannot look at {}", base.string()));
  std::optional<workflow::Pattern> pattern;
  int depth_max = kDepthMax;
  if (watch.find_first_of(kWildcards) != std::string_view::npos) {
    const auto rest = watch.substr(watch.rfind('/', watch.find_first_of(kWildcards)) + 1);
    auto parsed = workflow::Pattern::parse(rest);
    if (!parsed) return fail(Code::kInvalidArgument, "the pattern \"{}\" is not valid: {}", watch, parsed.error());
    pattern = *std::move(parsed);
    if (rest.find("**") == std::string_view::npos) {
      depth_max = std::min<int>(kDepthMax, 1 + static_cast<int>(std::ranges::count(rest, '/')));
    }
  }
  Walk walk(roots, pass, stop, pattern, depth_max);
  if (S_ISDIR(status.st_mode)) {
    if (const auto walked = walk.folder(fd->get(), place.path, "", 0); !walked) {
      return std::unexpected(with_user(walked.error()));
    }
    return walk.finish(true);
  }
  if (pattern || !S_ISREG(status.st_mode)) {
    return fail(Code::kFailedPrecondition, "{} is {}", base.string(),
                pattern ? "no folder" : "neither a file nor a folder");
  }
  if (pass.folder) pass.folder(place.path.parent_path());
  walk.take(place.path.filename().string(), status);
  return walk.finish(false);
}

std::optional<std::string> content_digest(const WatchRoots& roots, std::string_view watch, const FilesFound& seen,
                                          std::int64_t size_bytes_max) {
  if (seen.folder || !seen.there || seen.bytes > size_bytes_max) return std::nullopt;
  const auto place = roots.allow(literal_part(watch));
  if (!place) return std::nullopt;
  const auto path = open_place(*place);
  if (!path) return std::nullopt;
  // The same file that was opened, for reading; what it leads to is no link, as that was not followed.
  const io::Descriptor file(
      ::open(fmt::format("/proc/self/fd/{}", path->get()).c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  struct stat status{};
  if (!file || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  Sha256 hash;
  std::int64_t count = 0;
  std::array<char, 64 * 1024> buffer{};
  for (;;) {
    const auto got = ::read(file.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 || (count += got) > size_bytes_max) return std::nullopt;
    if (got == 0) break;
    hash.update({buffer.data(), static_cast<std::size_t>(got)});
  }
  if (::fstat(file.get(), &status) != 0 || modified_ns(status) != seen.newest_ns || count != seen.bytes) {
    return std::nullopt;
  }
  return hash.finish_hex();
}

}  // namespace weir::event
