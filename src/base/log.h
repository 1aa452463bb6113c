#pragma once

#include <fmt/format.h>

#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"

namespace weir {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

// The server's own log: one line a call to a file descriptor, "2013-07-04T05:06:07Z info  message key=value".
// Never give it a secret. Any thread.
class Log {
 public:
  // Writes lines of at least `level` to `fd`, which stays the caller's. The clock must outlive the log.
  Log(const Clock& clock, int fd, LogLevel level) : clock_(clock), fd_(fd), level_(level) {}

  template <class... Args>
  void debug(fmt::format_string<Args...> format, Args&&... args) {
    if (level_ <= LogLevel::kDebug) write(LogLevel::kDebug, fmt::format(format, std::forward<Args>(args)...));
  }
  template <class... Args>
  void info(fmt::format_string<Args...> format, Args&&... args) {
    if (level_ <= LogLevel::kInfo) write(LogLevel::kInfo, fmt::format(format, std::forward<Args>(args)...));
  }
  template <class... Args>
  void warning(fmt::format_string<Args...> format, Args&&... args) {
    if (level_ <= LogLevel::kWarning) write(LogLevel::kWarning, fmt::format(format, std::forward<Args>(args)...));
  }
  template <class... Args>
  void error(fmt::format_string<Args...> format, Args&&... args) {
    write(LogLevel::kError, fmt::format(format, std::forward<Args>(args)...));
  }

 private:
  void write(LogLevel level, std::string_view message);

  const Clock& clock_;
  int fd_;
  LogLevel level_;
  std::mutex mutex_;
};

}  // namespace weir
