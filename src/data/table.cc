#include "data/table.h"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <unordered_map>

namespace weir::data {
namespace {

constexpr std::array<std::string_view, 14> kMissingTexts = {"",    "NA",   "N/A",  "n/a",  "<NA>", "#N/A", "NaN",
                                                            "nan", "-nan", "-NaN", "null", "NULL", "None", "NaT"};

// The next number of a xorshift64* generator (Vigna, 2016): the sample must be the same on every machine.
std::uint64_t next_random(std::uint64_t& state) {
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return state * 0x2545'F491'4F6C'DD1DULL;
}

Column make_column(std::string name, std::vector<std::vector<std::string>>& rows, std::size_t index) {
  Column column;
  column.name = std::move(name);
  std::vector<double> numbers;
  numbers.reserve(rows.size());
  bool any_number = false;
  bool all_numbers = true;
  for (const auto& row : rows) {
    const auto number = parse_number(row[index]);
    if (!number && !is_missing_text(row[index])) {
      all_numbers = false;
      break;
    }
    any_number = any_number || number.has_value();
    numbers.push_back(number.value_or(std::numeric_limits<double>::quiet_NaN()));
  }
  if (all_numbers && any_number) {
    column.numbers = std::move(numbers);
    return column;
  }
  column.kind = Kind::kCategory;
  column.codes.reserve(rows.size());
  std::unordered_map<std::string, std::uint32_t> codes;
  for (auto& row : rows) {
    if (is_missing_text(row[index])) {
      column.codes.push_back(kMissing);
      continue;
    }
    const auto [entry, added] = codes.try_emplace(row[index], static_cast<std::uint32_t>(column.categories.size()));
    if (added) column.categories.push_back(std::move(row[index]));
    column.codes.push_back(entry->second);
  }
  return column;
}

}  // namespace

std::string_view kind_name(Kind kind) {
  return kind == Kind::kNumber ? "number" : "category";
}

const Column* Table::find(std::string_view name) const {
  for (const Column& column : columns) {
    if (column.name == name) return &column;
  }
  return nullptr;
}

std::optional<double> parse_number(std::string_view text) {
  double value = 0.0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

bool is_missing_text(std::string_view text) {
  return std::ranges::find(kMissingTexts, text) != kMissingTexts.end();
}

std::optional<TimePoint> parse_event_time(double number) {
  // Seconds until the year 5138, from 1973 on; milliseconds from there to the year 5138. What is smaller is no time.
  constexpr double kSecondsMin = 1e8;
  constexpr double kSecondsMax = 1e11;
  if (!(number >= kSecondsMin) || number >= kSecondsMax * 1e3) return std::nullopt;
  const double micros = number < kSecondsMax ? number * 1e6 : number * 1e3;
  return from_micros(static_cast<std::int64_t>(micros));
}

std::optional<TimePoint> parse_event_time(std::string_view text) {
  if (const auto number = parse_number(text)) return parse_event_time(*number);
  const auto time = parse_iso8601(text);
  if (!time) return std::nullopt;
  return *time;
}

std::string number_text(double value) {
  return fmt::format("{}", value);
}

TableReader::TableReader(TableLimits limits)
    : limits_(limits), csv_([this](const std::vector<std::string>& fields) { return take(fields); }, limits.csv) {}

bool TableReader::take(const std::vector<std::string>& fields) {
  if (names_.empty()) {
    names_ = fields;
    for (std::size_t i = 0; i < names_.size(); ++i) {
      const bool twice = std::find(names_.begin(), names_.begin() + static_cast<std::ptrdiff_t>(i), names_[i]) !=
                         names_.begin() + static_cast<std::ptrdiff_t>(i);
      if (!names_[i].empty() && !twice) continue;
      error_ = Error{Code::kInvalidArgument, twice ? fmt::format("CSV header: column \"{}\" is there twice", names_[i])
                                                   : fmt::format("CSV header: column {} has no name", i + 1)};
      return false;
    }
    rows_max_ = std::max<std::size_t>(1, std::min(limits_.rows_max, limits_.cells_max / names_.size()));
    return true;
  }
  if (fields.size() != names_.size()) {
    error_ = Error{Code::kInvalidArgument, fmt::format("CSV record {}: {} fields, the header has {}", rows_read_ + 2,
                                                       fields.size(), names_.size())};
    return false;
  }
  ++rows_read_;
  if (rows_.size() < rows_max_) {
    rows_.push_back(fields);
    return true;
  }
  // Reservoir sampling: the k-th row replaces one of those held with chance rows_max / k.
  const std::uint64_t place = next_random(random_) % static_cast<std::uint64_t>(rows_read_);
  if (place < rows_max_) rows_[place] = fields;
  return true;
}

Result<void> TableReader::feed(std::string_view bytes) {
  WEIR_TRY(csv_.feed(bytes));
  if (error_) return std::unexpected(*error_);
  return {};
}

Result<Table> TableReader::finish() {
  WEIR_TRY(csv_.finish());
  if (error_) return std::unexpected(*error_);
  if (names_.empty()) return fail(Code::kInvalidArgument, "the CSV text is empty, expected a header");
  Table table;
  table.rows = rows_.size();
  table.rows_read = rows_read_;
  for (std::size_t i = 0; i < names_.size(); ++i) table.columns.push_back(make_column(names_[i], rows_, i));
  return table;
}

Result<Table> read_table(std::string_view csv, TableLimits limits) {
  TableReader reader(limits);
  WEIR_TRY(reader.feed(csv));
  return reader.finish();
}

}  // namespace weir::data
