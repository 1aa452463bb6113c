#pragma once

#include <bitset>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"
#include "workflow/time_zone.h"

namespace weir::workflow {

// A POSIX cron schedule: minute, hour, day of month, month, day of week, with names (JAN-DEC, SUN-SAT), lists,
// ranges and steps. Sunday is 0 or 7. If both days are restricted (neither begins with *), either may match, as POSIX
// says. Immutable; any thread.
class Cron {
 public:
  // kInvalidArgument says which field is wrong and what it takes, also for a schedule that never comes (31 February)
  // and for @daily and its like, which GitHub does not know either (the message gives the five fields to write).
  static Result<Cron> parse(std::string_view text);

  // The first time after `after` (never `after` itself), at second 0; nothing if there is none within eight years.
  [[nodiscard]] std::optional<TimePoint> next(TimePoint after) const;
  // The same by the clocks of a time zone. A time that is skipped in spring comes at the jump; one that is repeated in
  // autumn comes once, but for schedules of every hour, which go on.
  [[nodiscard]] std::optional<TimePoint> next(TimePoint after, const TimeZone& zone) const;

  [[nodiscard]] bool matches(TimePoint time) const;  // its minute does
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
  std::bitset<60> minutes_;
  std::bitset<24> hours_;
  std::bitset<32> days_;
  std::bitset<13> months_;
  std::bitset<7> weekdays_;
  bool any_day_ = true;
  bool any_weekday_ = true;

  [[nodiscard]] bool day_matches(std::chrono::year_month_day date) const;
};

}  // namespace weir::workflow
