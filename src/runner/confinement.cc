#include "runner/confinement.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>

#include "io/descriptor.h"

namespace weir::runner {
namespace {

// Later than the headers that this is built with may be.
constexpr std::uint64_t kTruncate = 1U << 14;
constexpr int kTruncateAbi = 3;
constexpr int kReferAbi = 2;  // before it nothing can be moved from folder to folder

constexpr std::uint64_t kRead = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
// Devices are nobody's to make, and nothing here is to be started.
constexpr std::uint64_t kWrite = kRead | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
                                 LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |
                                 LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_ACCESS_FS_REFER;
constexpr std::uint64_t kHandled = kWrite | LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
                                   LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
                                   LANDLOCK_ACCESS_FS_MAKE_BLOCK;
constexpr std::uint64_t kOfFiles = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | kTruncate;

int kernel_abi() {
  static const int abi =
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION));
  return abi;
}

Result<void> allow(int rules, const std::filesystem::path& path, std::uint64_t access) {
  const io::Descriptor place(::open(path.c_str(), O_PATH | O_CLOEXEC));
  // What is not there cannot be reached either.
  if (!place) return {};
  struct stat info{};
  if (::fstat(place.get(), &info) == 0 && !S_ISDIR(info.st_mode)) access &= kOfFiles;
  landlock_path_beneath_attr rule{};
  rule.allowed_access = access;
  rule.parent_fd = place.get();
  if (::syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0) return {};
  return fail_errno(errno, fmt::format("cannot confine work to {}", path.string()));
}

}  // namespace

Result<void> Confinement::available() {
  if (kernel_abi() >= kReferAbi) return {};
  return fail(Code::kUnimplemented,
              "this machine's kernel cannot confine the work of built-in actions: Landlock of Linux 5.19 or newer must "
              "be there and switched on (`landlock` in /sys/kernel/security/lsm)");
}

Result<void> Confinement::confine_thread() const {
  WEIR_TRY(available());
  const std::uint64_t truncate = kernel_abi() >= kTruncateAbi ? kTruncate : 0;
  landlock_ruleset_attr attributes{};
  attributes.handled_access_fs = kHandled | truncate;
  const io::Descriptor rules(
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes.handled_access_fs, 0)));
  if (!rules) return fail_errno(errno, "cannot confine work to its folders");
  for (const auto& path : writable_) WEIR_TRY(allow(rules.get(), path, kWrite | truncate));
  for (const auto& path : readable_) WEIR_TRY(allow(rules.get(), path, kRead));
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || ::syscall(SYS_landlock_restrict_self, rules.get(), 0) != 0) {
    return fail_errno(errno, "cannot confine work to its folders");
  }
  return {};
}

}  // namespace weir::runner
