#include "runner/priority.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <charconv>
#include <string>

#include "io/descriptor.h"

namespace weir::runner {

std::optional<int> parse_nice(std::string_view argument) {
  static constexpr std::string_view kOption = "--nice=";
  if (!argument.starts_with(kOption)) return std::nullopt;
  argument.remove_prefix(kOption.size());
  int nice = 0;
  const auto parsed = std::from_chars(argument.data(), argument.data() + argument.size(), nice);
  const bool whole = parsed.ec == std::errc{} && parsed.ptr == argument.data() + argument.size();
  return whole && nice >= 0 && nice <= 19 ? std::optional(nice) : std::nullopt;
}

void give_way(int nice) {
  if (nice <= current_nice()) return;
  // Neither can fail for a reason that would be one not to run the job.
  ::setpriority(PRIO_PROCESS, 0, nice);
  // A session is a group of its own for the scheduler where "autogroup" is on, and it is the group's rank that counts
  // against others.
  const io::Descriptor group(::open("/proc/self/autogroup", O_WRONLY | O_CLOEXEC));
  const std::string text = std::to_string(nice);
  if (group) [[maybe_unused]]
    const auto written = ::write(group.get(), text.data(), text.size());
}

int current_nice() {
  return ::getpriority(PRIO_PROCESS, 0);
}

}  // namespace weir::runner
