#include "workflow/cron.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <span>
#include <vector>

namespace weir::workflow {
namespace {

using std::chrono::days;
using std::chrono::sys_days;
using std::chrono::year_month_day;

constexpr std::array<std::string_view, 12> kMonths{"JAN", "FEB", "MAR", "APR", "MAY", "JUN",
                                                   "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"};
constexpr std::array<std::string_view, 7> kWeekdays{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"};
constexpr int kHorizonDays = 8 * 366;  // 29 February comes back after eight years at most
constexpr std::size_t kMinutesOfDay = 1'440;

struct Field {
  std::string_view name;
  int min = 0;
  int max = 0;
  std::span<const std::string_view> words;  // words[0] stands for min
};

constexpr std::array<Field, 5> kFields{Field{"minute", 0, 59, {}}, Field{"hour", 0, 23, {}},
                                       Field{"day of month", 1, 31, {}}, Field{"month", 1, 12, kMonths},
                                       Field{"day of week", 0, 7, kWeekdays}};

std::vector<std::string_view> split(std::string_view text, std::string_view separators) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    const auto end = text.find_first_of(separators);
    if (end != 0) out.push_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return out;
}

std::optional<int> parse_digits(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || text[0] == '-' || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<int> parse_value(const Field& field, std::string_view text) {
  if (text.size() == 3) {
    for (std::size_t i = 0; i < field.words.size(); ++i) {
      bool same = true;
      for (std::size_t k = 0; k < 3; ++k) same = same && (text[k] & ~0x20) == field.words[i][k];
      if (same) return field.min + static_cast<int>(i);
    }
  }
  const auto value = parse_digits(text);
  if (!value || *value < field.min || *value > field.max) return std::nullopt;
  return value;
}

std::unexpected<Error> bad(const Field& field, std::string_view text, std::string_view item) {
  return fail(Code::kInvalidArgument,
              "cron \"{}\": {} \"{}\" is not a value from {} to {}{}, a range a-b, a step /n or *", text, field.name,
              item, field.min, field.max,
              field.words.empty() ? "" : " or a name such as " + std::string{field.words[0]});
}

// One item of a list: "*", "5", "1-5", "*/15", "10-50/20", "5/15". Calls `add` for each value.
template <class Add>
Result<void> parse_item(const Field& field, std::string_view text, std::string_view item, const Add& add) {
  const auto slash = item.find('/');
  const std::string_view range = item.substr(0, slash);
  int step = 1;
  if (slash != std::string_view::npos) {
    const auto given = parse_digits(item.substr(slash + 1));
    if (!given || *given == 0) return bad(field, text, item);
    step = *given;
  }
  int first = field.min;
  int last = field.max;
  if (range != "*") {
    const auto dash = range.find('-');
    const auto low = parse_value(field, range.substr(0, dash));
    if (!low) return bad(field, text, item);
    first = *low;
    if (dash != std::string_view::npos) {
      const auto high = parse_value(field, range.substr(dash + 1));
      if (!high || *high < first) return bad(field, text, item);
      last = *high;
    } else if (slash == std::string_view::npos) {
      last = first;
    }
  }
  for (int value = first; value <= last; value += step) add(value);
  return {};
}

template <std::size_t kSize>
Result<void> parse_field(const Field& field, std::string_view text, std::string_view part, std::bitset<kSize>& out) {
  // split() drops empty items, which are mistakes here.
  if (part.starts_with(',') || part.ends_with(',') || part.find(",,") != std::string_view::npos)
    return bad(field, text, part);
  for (const auto item : split(part, ",")) {
    WEIR_TRY(parse_item(field, text, item, [&](int value) { out.set(static_cast<std::size_t>(value) % kSize); }));
  }
  return {};
}

std::string_view expansion_of(std::string_view word) {
  if (word == "@yearly" || word == "@annually") return "0 0 1 1 *";
  if (word == "@monthly") return "0 0 1 * *";
  if (word == "@weekly") return "0 0 * * 0";
  if (word == "@daily" || word == "@midnight") return "0 0 * * *";
  if (word == "@hourly") return "0 * * * *";
  return "";
}

}  // namespace

Result<Cron> Cron::parse(std::string_view text) {
  const auto parts = split(text, " \t\r\n");  // a block of YAML ends with a line break
  if (!parts.empty() && parts[0].starts_with('@')) {
    const auto five = expansion_of(parts[0]);
    return fail(Code::kInvalidArgument, "cron \"{}\": words with @ are not known on GitHub; write {}", text,
                five.empty() ? std::string{"five fields"} : fmt::format("\"{}\"", five));
  }
  if (parts.size() != kFields.size()) {
    return fail(Code::kInvalidArgument,
                "cron \"{}\" has {} field(s), not 5: minute, hour, day of month, month, day of week", text,
                parts.size());
  }
  Cron cron;
  cron.text_ = text;
  WEIR_TRY(parse_field(kFields[0], text, parts[0], cron.minutes_));
  WEIR_TRY(parse_field(kFields[1], text, parts[1], cron.hours_));
  WEIR_TRY(parse_field(kFields[2], text, parts[2], cron.days_));
  WEIR_TRY(parse_field(kFields[3], text, parts[3], cron.months_));
  WEIR_TRY(parse_field(kFields[4], text, parts[4], cron.weekdays_));
  cron.any_day_ = parts[2].starts_with('*');
  cron.any_weekday_ = parts[4].starts_with('*');
  // Every eight years hold every date there is.
  constexpr TimePoint kSomeDay{sys_days{std::chrono::January / 1 / 2000}};
  if (!cron.next(kSomeDay)) return fail(Code::kInvalidArgument, "cron \"{}\" never comes: no month has that day", text);
  return cron;
}

bool Cron::day_matches(year_month_day date) const {
  if (!months_.test(static_cast<unsigned>(date.month()))) return false;
  const bool day = days_.test(static_cast<unsigned>(date.day()));
  const bool weekday = weekdays_.test(std::chrono::weekday{sys_days{date}}.c_encoding());
  return any_day_ || any_weekday_ ? day && weekday : day || weekday;
}

bool Cron::matches(TimePoint time) const {
  const auto day = std::chrono::floor<days>(time);
  const auto minutes = std::chrono::floor<std::chrono::minutes>(time - day).count();
  return minutes_.test(static_cast<std::size_t>(minutes % 60)) && hours_.test(static_cast<std::size_t>(minutes / 60)) &&
         day_matches(year_month_day{day});
}

std::optional<TimePoint> Cron::next(TimePoint after) const {
  const auto start = std::chrono::floor<std::chrono::minutes>(after) + std::chrono::minutes{1};
  auto day = std::chrono::floor<days>(start);
  auto first = static_cast<std::size_t>((start - day).count());
  for (int i = 0; i <= kHorizonDays; ++i, day += days{1}, first = 0) {
    if (!day_matches(year_month_day{day})) continue;
    for (std::size_t minute = first; minute < kMinutesOfDay; ++minute) {
      if (!hours_.test(minute / 60)) {
        minute += 59 - minute % 60;
      } else if (minutes_.test(minute % 60)) {
        return TimePoint{day} + std::chrono::minutes{minute};
      }
    }
  }
  return std::nullopt;
}

std::optional<TimePoint> Cron::next(TimePoint after, const TimeZone& zone) const {
  constexpr int kTriesMax = 1'000;  // more than the minutes of all hours that are repeated at once
  constexpr int kRepeatedMinutes = 180;
  if (hours_.all()) {
    auto instant = std::chrono::floor<std::chrono::minutes>(after);
    for (int i = 0; i < kRepeatedMinutes; ++i) {
      instant += std::chrono::minutes{1};
      if (matches(instant + zone.offset_at(instant))) return instant;
    }
  }
  TimePoint local = after + zone.offset_at(after);
  for (int i = 0; i < kTriesMax; ++i) {
    const auto found = next(local);
    if (!found) return std::nullopt;
    if (const auto instant = zone.instant_of(*found); instant > after) return instant;
    local = *found;
  }
  return std::nullopt;
}

}  // namespace weir::workflow
