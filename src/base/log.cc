#include "base/log.h"

#include <unistd.h>

namespace weir {

void Log::write(LogLevel level, std::string_view message) {
  static constexpr std::string_view kNames[] = {"debug", "info ", "warn ", "error"};
  std::string line = fmt::format("{} {} ", to_iso8601(clock_.now()), kNames[static_cast<int>(level)]);
  for (const char c : message) line += c == '\n' ? ' ' : c;
  line += '\n';
  const std::scoped_lock lock(mutex_);
  // A log that cannot be written has nowhere to be reported.
  [[maybe_unused]] const auto written = ::write(fd_, line.data(), line.size());
}

}  // namespace weir
