#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace weir {

using Duration = std::chrono::microseconds;
using TimePoint = std::chrono::sys_time<Duration>;  // UTC

// Where time comes from. Any thread may call.
class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual TimePoint now() const = 0;
};

class SystemClock final : public Clock {
 public:
  [[nodiscard]] TimePoint now() const override {
    return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
  }
};

inline std::int64_t to_micros(TimePoint time) {
  return time.time_since_epoch().count();
}
inline std::int64_t to_millis(TimePoint time) {
  return to_micros(time) / 1000;
}
inline TimePoint from_micros(std::int64_t micros) {
  return TimePoint{Duration{micros}};
}
inline TimePoint from_millis(std::int64_t millis) {
  return TimePoint{std::chrono::milliseconds{millis}};
}

// "2013-07-04T05:06:07.123456Z"; the fraction is left out when zero.
std::string to_iso8601(TimePoint time);

// Reads ISO 8601 / RFC 3339: "2013-07-04", "2013-07-04 05:06:07", "2013-07-04T05:06:07.5Z", "…+02:00". Without an
// offset it is UTC. kInvalidArgument names the text.
Result<TimePoint> parse_iso8601(std::string_view text);

// Reads "30s", "5m", "12h", "30d", "2w", "150ms". kInvalidArgument names the text and the units.
Result<Duration> parse_duration(std::string_view text);

// "1m 12s", "350ms", "2d 3h": two largest units, for people.
std::string format_duration(Duration duration);

}  // namespace weir
