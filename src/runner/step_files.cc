#include "runner/step_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "io/file.h"

namespace weir::runner {
namespace {

struct Names {
  const char* variable;
  const char* member;  // of the `github` context
  const char* prefix;
};
constexpr std::array<Names, StepFiles::kKinds> kNames = {{{"GITHUB_OUTPUT", "output", "set_output_"},
                                                          {"GITHUB_ENV", "env", "set_env_"},
                                                          {"GITHUB_PATH", "path", "add_path_"},
                                                          {"GITHUB_STATE", "state", "save_state_"},
                                                          {"GITHUB_STEP_SUMMARY", "step_summary", "step_summary_"}}};
constexpr std::uint64_t kFileBytesMax = 64U << 20;

}  // namespace

std::filesystem::path StepFiles::path(Kind kind) const {
  return folder_ / fmt::format("{}{}", kNames[kind].prefix, generation_[kind]);
}

Result<void> StepFiles::prepare(std::map<std::string, std::string>& env) {
  WEIR_TRY(io::make_dirs(folder_));
  for (std::size_t i = 0; i < kKinds; ++i) {
    const auto kind = static_cast<Kind>(i);
    const std::filesystem::path file = path(kind);
    if (!ready_[i]) {
      const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
      if (fd < 0) return fail_errno(errno, fmt::format("cannot make {}", file.string()));
      ::close(fd);
      ready_[i] = true;
    }
    env[kNames[i].variable] = file.string();
  }
  return {};
}

void StepFiles::show(json::object& github) const {
  for (std::size_t i = 0; i < kKinds; ++i) github[kNames[i].member] = path(static_cast<Kind>(i)).string();
}

std::uint64_t StepFiles::size(Kind kind) const {
  struct stat info{};
  return ::stat(path(kind).c_str(), &info) == 0 ? static_cast<std::uint64_t>(info.st_size) : 0;
}

Result<std::string> StepFiles::read(Kind kind) const {
  return io::read_file(path(kind), kFileBytesMax);
}

void StepFiles::finish() {
  for (std::size_t i = 0; i < kKinds; ++i) {
    const auto kind = static_cast<Kind>(i);
    struct stat info{};
    const bool missing = ::stat(path(kind).c_str(), &info) != 0;
    if (!missing && info.st_size == 0) continue;
    if (!missing) ::unlink(path(kind).c_str());
    ++generation_[i];
    ready_[i] = false;
  }
}

}  // namespace weir::runner
