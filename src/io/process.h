#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"

namespace weir::io {

// What to start. argv[0] is looked up in PATH of `env` (or of this process) unless it holds a slash.
struct ProcessOptions {
  std::vector<std::string> argv;
  std::filesystem::path working_dir;                      // empty: this process's
  std::optional<std::map<std::string, std::string>> env;  // whole environment; nullopt: inherit
  int stdin_fd = -1;                                      // -1: /dev/null. The descriptors stay the caller's.
  int stdout_fd = -1;                                     // -1: inherit
  int stderr_fd = -1;                                     // -1: inherit
  bool new_group = true;                                  // own process group, so that kill_group reaches every child
  bool new_session = false;                               // own session: survives this process and its terminal
  // Blocked from its first moment on, so that none of them ends a program that has not come to listen for them yet.
  std::vector<int> held_signals;
};

// How a process ended.
struct ExitStatus {
  int code = 0;    // exit code; 128 + signal if a signal ended it
  int signal = 0;  // 0 if it ended by itself
};

// A child. Not thread-safe. Destroying it does not end the process; an ended child that nobody waited for is reaped.
class Process {
 public:
  // kNotFound: no such program, naming argv[0]; errors of exec reach the caller.
  static Result<Process> start(const ProcessOptions& options);

  Process(Process&&) noexcept;
  Process& operator=(Process&&) noexcept;
  ~Process();

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] int pid_fd() const { return pid_fd_; }  // readable once the process has ended

  // Waits until the process ends or `limit` has passed (nullopt: no limit); nothing if it still runs.
  std::optional<ExitStatus> wait(std::optional<Duration> limit = std::nullopt);

  // Sends a signal to the process group (or the process, when it has no group of its own).
  void kill_group(int signal) const;

 private:
  Process(pid_t pid, int pid_fd, bool group) : pid_(pid), pid_fd_(pid_fd), group_(group) {}
  pid_t pid_ = -1;
  int pid_fd_ = -1;
  bool group_ = false;
  std::optional<ExitStatus> status_;
};

struct CapturedOutput {
  ExitStatus status;
  std::string out;  // standard output
  std::string err;  // standard error
};

// Runs to the end with captured output. kDeadlineExceeded after `limit` (the group is killed); kResourceExhausted past
// `output_bytes_max`. An exit code other than 0 is not an error here.
Result<CapturedOutput> run_process(ProcessOptions options, std::string_view input = {},
                                   Duration limit = std::chrono::minutes{5}, std::size_t output_bytes_max = 256U << 20);

// As run_process, but an exit code other than 0 is kFailedPrecondition with the last lines of standard error.
Result<std::string> run_checked(ProcessOptions options, std::string_view input = {},
                                Duration limit = std::chrono::minutes{5});

}  // namespace weir::io
