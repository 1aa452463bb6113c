#include "base/clock.h"

#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <utility>

namespace weir {
namespace {

// Reads exactly `digits` decimal digits at `pos` and moves past them.
bool read_number(std::string_view text, std::size_t& pos, std::size_t digits, int& out) {
  if (pos + digits > text.size()) return false;
  out = 0;
  for (std::size_t i = 0; i < digits; ++i) {
    const char c = text[pos + i];
    if (c < '0' || c > '9') return false;
    out = out * 10 + (c - '0');
  }
  pos += digits;
  return true;
}

bool skip(std::string_view text, std::size_t& pos, char c) {
  if (pos >= text.size() || text[pos] != c) return false;
  ++pos;
  return true;
}

}  // namespace

std::string to_iso8601(TimePoint time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss clock{time - day};
  std::string text = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", static_cast<int>(date.year()),
                                 static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                                 clock.hours().count(), clock.minutes().count(), clock.seconds().count());
  if (const auto fraction = clock.subseconds().count(); fraction != 0) {
    text += fraction % 1000 == 0 ? fmt::format(".{:03}", fraction / 1000) : fmt::format(".{:06}", fraction);
  }
  return text + "Z";
}

Result<TimePoint> parse_iso8601(std::string_view text) {
  const auto bad = [&] {
    return fail(Code::kInvalidArgument, "\"{}\" is not a time; write it like 2013-07-04T05:06:07Z", text.substr(0, 64));
  };
  std::size_t pos = 0;
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  if (!read_number(text, pos, 4, year) || !skip(text, pos, '-') || !read_number(text, pos, 2, month) ||
      !skip(text, pos, '-') || !read_number(text, pos, 2, day)) {
    return bad();
  }
  Duration fraction{0};
  std::chrono::minutes offset{0};
  if (pos < text.size()) {
    if (!skip(text, pos, 'T') && !skip(text, pos, ' ')) return bad();
    if (!read_number(text, pos, 2, hour) || !skip(text, pos, ':') || !read_number(text, pos, 2, minute)) return bad();
    if (skip(text, pos, ':')) {
      if (!read_number(text, pos, 2, second)) return bad();
      if (skip(text, pos, '.')) {
        std::int64_t scale = 100'000;
        const std::size_t start = pos;
        while (pos < text.size() && text[pos] >= '0' && text[pos] <= '9') {
          fraction += Duration{(text[pos] - '0') * scale};
          scale /= 10;
          ++pos;
        }
        if (pos == start) return bad();
      }
    }
    if (!skip(text, pos, 'Z') && pos < text.size()) {
      const bool minus = text[pos] == '-';
      int offset_hour = 0, offset_minute = 0;
      if (!minus && text[pos] != '+') return bad();
      ++pos;
      if (!read_number(text, pos, 2, offset_hour)) return bad();
      skip(text, pos, ':');
      if (!read_number(text, pos, 2, offset_minute)) return bad();
      offset = std::chrono::hours{offset_hour} + std::chrono::minutes{offset_minute};
      if (minus) offset = -offset;
    }
  }
  const std::chrono::year_month_day date{std::chrono::year{year}, std::chrono::month{static_cast<unsigned>(month)},
                                         std::chrono::day{static_cast<unsigned>(day)}};
  if (pos != text.size() || !date.ok() || hour > 23 || minute > 59 || second > 60) return bad();
  return TimePoint{std::chrono::sys_days{date} + std::chrono::hours{hour} + std::chrono::minutes{minute} +
                   std::chrono::seconds{second} + fraction - offset};
}

Result<Duration> parse_duration(std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, std::int64_t>, 6> kUnits{{{"ms", 1'000},
                                                                                    {"s", 1'000'000},
                                                                                    {"m", 60'000'000},
                                                                                    {"h", 3'600'000'000},
                                                                                    {"d", 86'400'000'000},
                                                                                    {"w", 604'800'000'000}}};
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  if (error == std::errc{} && number >= 0) {
    for (const auto& [name, micros] : kUnits) {
      if (unit != name) continue;
      const double total = number * static_cast<double>(micros);
      if (total < 9e17) return Duration{std::llround(total)};
    }
  }
  return fail(Code::kInvalidArgument, "\"{}\" is not a duration; write a number and one of ms, s, m, h, d, w, like 12h",
              text.substr(0, 64));
}

std::string format_duration(Duration duration) {
  std::int64_t micros = duration.count();
  if (micros < 0) return "-" + format_duration(-duration);
  if (micros < 1'000) return fmt::format("{}us", micros);
  if (micros < 1'000'000) return fmt::format("{}ms", micros / 1'000);
  if (micros < 10'000'000) return fmt::format("{:.1f}s", static_cast<double>(micros) / 1e6);
  const std::int64_t seconds = micros / 1'000'000;
  if (seconds < 60) return fmt::format("{}s", seconds);
  if (seconds < 3'600) return fmt::format("{}m {}s", seconds / 60, seconds % 60);
  if (seconds < 86'400) return fmt::format("{}h {}m", seconds / 3'600, seconds % 3'600 / 60);
  return fmt::format("{}d {}h", seconds / 86'400, seconds % 86'400 / 3'600);
}

}  // namespace weir
