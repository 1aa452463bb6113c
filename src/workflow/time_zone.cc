#include "workflow/time_zone.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>

namespace weir::workflow {
namespace {

using std::chrono::seconds;

constexpr std::size_t kHeaderBytes = 44;
constexpr std::size_t kChangesMax = 10'000;
constexpr seconds kOffsetMax{26 * 3'600};

std::unexpected<Error> no_zone(std::string_view why) {
  return fail(Code::kInvalidArgument, "this is no time zone file: {}", why);
}

}  // namespace

// Numbers of a TZif file, most significant byte first.
class TimeZone::FileReader {
 public:
  explicit FileReader(std::string_view file) : file_(file) {}

  Result<TimeZone> read() {
    auto header = read_header(0);
    if (!header) return std::unexpected(header.error());
    std::size_t at = kHeaderBytes;
    std::size_t width = 4;
    if (header->version >= '2') {
      // The first block is for readers of old; the one with 64 bits follows it.
      at += header->block_bytes(4);
      header = read_header(at);
      if (!header) return std::unexpected(header.error());
      at += kHeaderBytes;
      width = 8;
    }
    if (at + header->block_bytes(width) > file_.size()) return no_zone("it ends too early");
    WEIR_TRY(read_block(*header, at, width));
    if (width == 8) WEIR_TRY(read_rule(at + header->block_bytes(width)));
    return std::move(zone_);
  }

 private:
  struct Header {
    char version = 0;
    std::size_t utc_marks = 0;
    std::size_t standard_marks = 0;
    std::size_t leaps = 0;
    std::size_t changes = 0;
    std::size_t types = 0;
    std::size_t letters = 0;

    [[nodiscard]] std::size_t block_bytes(std::size_t width) const {
      return changes * (width + 1) + types * 6 + letters + leaps * (width + 4) + standard_marks + utc_marks;
    }
  };

  [[nodiscard]] std::int64_t number(std::size_t at, std::size_t width) const {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < width; ++i) value = (value << 8U) | static_cast<unsigned char>(file_[at + i]);
    return width == 4 ? static_cast<std::int32_t>(value) : static_cast<std::int64_t>(value);
  }

  [[nodiscard]] Result<Header> read_header(std::size_t at) const {
    if (at + kHeaderBytes > file_.size() || file_.substr(at, 4) != "TZif") return no_zone("its header is missing");
    Header header{.version = file_[at + 4]};
    std::size_t* const counts[] = {&header.utc_marks, &header.standard_marks, &header.leaps,
                                   &header.changes,   &header.types,          &header.letters};
    for (std::size_t i = 0; i < std::size(counts); ++i) {
      *counts[i] = static_cast<std::size_t>(static_cast<std::uint32_t>(number(at + 20 + 4 * i, 4)));
      if (*counts[i] > kChangesMax) return no_zone("it holds too much");
    }
    if (header.types == 0) return no_zone("it has no offset");
    return header;
  }

  Result<void> read_block(const Header& header, std::size_t at, std::size_t width) {
    const std::size_t indices = at + header.changes * width;
    const std::size_t types = indices + header.changes;
    const auto offset = [&](std::size_t type) { return seconds{number(types + type * 6, 4)}; };
    for (std::size_t type = 0; type < header.types; ++type) {
      if (offset(type) > kOffsetMax || offset(type) < -kOffsetMax) return no_zone("an offset is out of range");
    }
    zone_.first_offset_ = offset(0);
    for (std::size_t i = 0; i < header.changes; ++i) {
      const auto type = static_cast<unsigned char>(file_[indices + i]);
      if (type >= header.types) return no_zone("it names an offset that it lacks");
      // Files begin with the big bang; nothing is scheduled then.
      const auto from = std::clamp<std::int64_t>(number(at + i * width, width), -10'000'000'000, 100'000'000'000);
      zone_.changes_.push_back({TimePoint{seconds{from}}, offset(type)});
    }
    if (!std::ranges::is_sorted(zone_.changes_, {}, &Change::from)) return no_zone("its changes are not in order");
    return {};
  }

  Result<void> read_rule(std::size_t at);

  std::string_view file_;
  TimeZone zone_;
};

// The POSIX form of a zone.
class TimeZone::RuleReader {
 public:
  explicit RuleReader(std::string_view text) : text_(text) {}

  std::optional<YearlyRule> read() {
    YearlyRule rule;
    skip_name();
    const auto standard = read_time();
    if (!standard) return std::nullopt;
    rule.standard = -*standard;  // POSIX counts to the west
    if (text_.empty()) return rule;
    skip_name();
    rule.has_summer = true;
    rule.summer = rule.standard + std::chrono::hours{1};
    if (!text_.starts_with(',')) {
      const auto summer = read_time();
      if (!summer) return std::nullopt;
      rule.summer = -*summer;
    }
    const auto begins = read_change();
    const auto ends = read_change();
    if (!begins || !ends || !text_.empty()) return std::nullopt;
    rule.summer_begins = *begins;
    rule.summer_ends = *ends;
    return rule;
  }

 private:
  bool take(char c) {
    if (!text_.starts_with(c)) return false;
    text_.remove_prefix(1);
    return true;
  }

  void skip_name() {
    if (take('<')) {
      const auto end = text_.find('>');
      text_.remove_prefix(end == std::string_view::npos ? text_.size() : end + 1);
      return;
    }
    while (!text_.empty() && ((text_[0] | 0x20) >= 'a' && (text_[0] | 0x20) <= 'z')) text_.remove_prefix(1);
  }

  std::optional<int> read_number(int most) {
    int value = 0;
    const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), value);
    if (error != std::errc{} || value < 0 || value > most) return std::nullopt;
    text_.remove_prefix(static_cast<std::size_t>(end - text_.data()));
    return value;
  }

  std::optional<seconds> read_time() {
    const bool negative = take('-');
    if (!negative) take('+');
    const auto hours = read_number(167);
    if (!hours) return std::nullopt;
    seconds time = std::chrono::hours{*hours};
    for (const seconds unit : {seconds{60}, seconds{1}}) {
      if (!take(':')) break;
      const auto part = read_number(59);
      if (!part) return std::nullopt;
      time += *part * unit;
    }
    return negative ? -time : time;
  }

  std::optional<YearlyChange> read_change() {
    if (!take(',')) return std::nullopt;
    YearlyChange change;
    std::optional<int> day;
    if (take('M')) {
      const auto month = read_number(12);
      const auto week = take('.') ? read_number(5) : std::nullopt;
      day = take('.') ? read_number(6) : std::nullopt;
      if (!month || !week || *month < 1 || *week < 1) return std::nullopt;
      change.month = *month;
      change.week = *week;
    } else {
      change.kind = take('J') ? YearlyChange::Kind::kJulian : YearlyChange::Kind::kDayOfYear;
      day = read_number(365);
    }
    if (!day) return std::nullopt;
    change.day = *day;
    if (take('/')) {
      const auto time = read_time();
      if (!time) return std::nullopt;
      change.time = *time;
    }
    return change;
  }

  std::string_view text_;
};

Result<void> TimeZone::FileReader::read_rule(std::size_t at) {
  std::string_view text = file_.substr(at);
  if (!text.starts_with('\n')) return no_zone("its last line is missing");
  text.remove_prefix(1);
  text = text.substr(0, text.find('\n'));
  if (text.empty()) return {};
  const auto rule = RuleReader(text).read();
  if (!rule) return no_zone("its last line is no rule");
  zone_.rule_ = *rule;
  zone_.has_rule_ = true;
  return {};
}

Result<TimeZone> TimeZone::parse(std::string_view file) {
  return FileReader(file).read();
}

TimePoint TimeZone::change_in(int year, const YearlyChange& change) {
  using namespace std::chrono;
  sys_days day{std::chrono::year{year} / January / 1};
  switch (change.kind) {
    case YearlyChange::Kind::kMonthWeekDay: {
      const auto month = std::chrono::year{year} / std::chrono::month{static_cast<unsigned>(change.month)};
      const weekday wanted{static_cast<unsigned>(change.day)};
      day = change.week == 5 ? sys_days{month / wanted[last]}
                             : sys_days{month / wanted[static_cast<unsigned>(change.week)]};
      break;
    }
    case YearlyChange::Kind::kJulian:  // 29 February is not counted
      day += days{change.day - 1 + (std::chrono::year{year}.is_leap() && change.day > 59 ? 1 : 0)};
      break;
    case YearlyChange::Kind::kDayOfYear: day += days{change.day}; break;
  }
  return TimePoint{day} + change.time;
}

seconds TimeZone::yearly_offset(TimePoint instant) const {
  if (!rule_.has_summer) return rule_.standard;
  const auto local = instant + rule_.standard;
  const int year = static_cast<int>(std::chrono::year_month_day{std::chrono::floor<std::chrono::days>(local)}.year());
  const TimePoint begins = change_in(year, rule_.summer_begins) - rule_.standard;
  const TimePoint ends = change_in(year, rule_.summer_ends) - rule_.summer;
  // In the south summer spans the turn of the year.
  const bool summer = begins < ends ? instant >= begins && instant < ends : instant >= begins || instant < ends;
  return summer ? rule_.summer : rule_.standard;
}

Duration TimeZone::offset_at(TimePoint instant) const {
  const auto after = std::ranges::upper_bound(changes_, instant, {}, &Change::from);
  if (after == changes_.end() && has_rule_) return yearly_offset(instant);
  return after == changes_.begin() ? first_offset_ : std::prev(after)->offset;
}

TimePoint TimeZone::instant_of(TimePoint local) const {
  constexpr std::chrono::hours kAround{27};  // more than any offset
  const auto shows = [&](TimePoint instant) { return instant + offset_at(instant); };
  const TimePoint early = local - offset_at(local - kAround);
  const TimePoint late = local - offset_at(local + kAround);
  const bool early_fits = shows(early) == local;
  const bool late_fits = shows(late) == local;
  if (early_fits && late_fits) return std::min(early, late);  // the hour is repeated
  if (early_fits || late_fits) return early_fits ? early : late;
  // Skipped: the moment from which clocks show later times. One change lies between the two.
  TimePoint before = std::min(early, late) - std::chrono::hours{3};
  TimePoint after = std::max(early, late) + std::chrono::hours{3};
  while (after - before > seconds{1}) {
    const TimePoint middle = before + std::chrono::floor<seconds>((after - before) / 2);
    (shows(middle) < local ? before : after) = middle;
  }
  return after;
}

}  // namespace weir::workflow
