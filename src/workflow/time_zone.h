#pragma once

#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"

namespace weir::workflow {

// The rules of one time zone, as the files of the IANA database hold them (TZif, RFC 9636). Immutable; any thread.
class TimeZone {
 public:
  // The content of /usr/share/zoneinfo/<name>. kInvalidArgument if it is none.
  static Result<TimeZone> parse(std::string_view file);

  // What clocks there are ahead of UTC.
  [[nodiscard]] Duration offset_at(TimePoint instant) const;

  // When clocks there first show `local` (a wall time, written as if it were UTC). A time that is skipped is the moment
  // of the jump, as GitHub has it.
  [[nodiscard]] TimePoint instant_of(TimePoint local) const;

 private:
  // The last Sunday of March, …: when a rule for every year begins, in local time.
  struct YearlyChange {
    enum class Kind { kMonthWeekDay, kJulian, kDayOfYear } kind = Kind::kMonthWeekDay;
    int month = 0;
    int week = 0;
    int day = 0;
    std::chrono::seconds time{7'200};
  };
  // What the file's last line says of all later years: "CET-1CEST,M3.5.0,M10.5.0/3".
  struct YearlyRule {
    std::chrono::seconds standard{0};
    std::chrono::seconds summer{0};
    bool has_summer = false;
    YearlyChange summer_begins;
    YearlyChange summer_ends;
  };
  struct Change {
    TimePoint from;
    std::chrono::seconds offset;
  };
  class FileReader;
  class RuleReader;

  [[nodiscard]] std::chrono::seconds yearly_offset(TimePoint instant) const;
  static TimePoint change_in(int year, const YearlyChange& change);

  std::chrono::seconds first_offset_{0};
  std::vector<Change> changes_;  // by time
  bool has_rule_ = false;
  YearlyRule rule_;
};

}  // namespace weir::workflow
