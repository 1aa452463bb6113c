#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>

#include "base/hash.h"
#include "runner/glob.h"

namespace weir::runner {
namespace {

std::string bytes_of_hex(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    unsigned byte = 0;
    std::from_chars(hex.data() + i, hex.data() + i + 2, byte, 16);
    bytes += static_cast<char>(byte);
  }
  return bytes;
}

}  // namespace

Result<std::string> hash_file(const std::filesystem::path& path) {
  // A pipe would never end, nor would some devices.
  const int fd = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return fail_errno(errno, fmt::format("cannot open {}", path.string()));
  struct stat info{};
  if (::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    ::close(fd);
    return fail(Code::kInvalidArgument, "{} is no file whose contents could be hashed", path.string());
  }
  Sha256 hash;
  std::string buffer(1U << 16, '\0');
  for (;;) {
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      const int error = errno;
      ::close(fd);
      return fail_errno(error, fmt::format("cannot read {}", path.string()));
    }
    if (got == 0) break;
    hash.update({buffer.data(), static_cast<std::size_t>(got)});
  }
  ::close(fd);
  return hash.finish_hex();
}

Result<std::string> hash_files(const std::vector<std::string>& patterns, const std::filesystem::path& workspace) {
  GlobOptions options{.follow_symbolic_links = false};
  std::string text;
  for (std::size_t i = 0; i < patterns.size(); ++i) {
    if (i == 0 && patterns[0].starts_with("--")) {
      if (patterns[0] != "--follow-symbolic-links") {
        return fail(Code::kInvalidArgument, "Invalid glob option {}, available option: '--follow-symbolic-links'.",
                    patterns[0]);
      }
      options.follow_symbolic_links = true;
      continue;
    }
    text += patterns[i] + "\n";
  }
  const char* home = std::getenv("HOME");
  const Glob glob = WEIR_TRY(Glob::parse(text, workspace, home == nullptr ? "/" : home));
  const std::string prefix = workspace.string() + "/";
  Sha256 all;
  bool any = false;
  for (const auto& path : WEIR_TRY(glob.search(options))) {
    if (!path.starts_with(prefix)) continue;
    struct stat info{};
    if (::stat(path.c_str(), &info) != 0) return fail_errno(errno, fmt::format("hashFiles cannot read {}", path));
    if (S_ISDIR(info.st_mode)) continue;
    all.update(bytes_of_hex(WEIR_TRY(hash_file(path))));
    any = true;
  }
  return any ? all.finish_hex() : std::string();
}

}  // namespace weir::runner
