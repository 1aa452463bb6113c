#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "data/csv.h"

namespace weir::data {

enum class Kind : std::uint8_t { kNumber = 1, kCategory = 2 };
std::string_view kind_name(Kind kind);  // "number", "category"

inline constexpr std::uint32_t kMissing = 0xFFFF'FFFF;

// One column of a table, in one of two forms.
struct Column {
  std::string name;
  Kind kind = Kind::kNumber;
  std::vector<double> numbers;          // kNumber: one a row, NaN where missing or not finite
  std::vector<std::uint32_t> codes;     // kCategory: one a row, an index into `categories` or kMissing
  std::vector<std::string> categories;  // in the order of their appearance
};

struct Table {
  std::size_t rows = 0;        // held
  std::int64_t rows_read = 0;  // of the text; more than `rows` if only a sample is held
  std::vector<Column> columns;

  [[nodiscard]] const Column* find(std::string_view name) const;
};

struct TableLimits {
  std::size_t rows_max = 20'000;      // more rows are sampled, every one with the same chance
  std::size_t cells_max = 1'000'000;  // rows times columns
  CsvLimits csv;
};

// A number as CSV and JSON write it ("12", "-0.5", "1e3"), whole text. Nothing for another text; NaN and infinities are
// nothing too.
std::optional<double> parse_number(std::string_view text);
// Empty, or one of the words that pandas reads as missing: NA, N/A, NaN, nan, null, NULL, None, …
bool is_missing_text(std::string_view text);
// When something happened: ISO 8601, or seconds or milliseconds since 1970 as a number of that size. Nothing for
// another text or number.
std::optional<TimePoint> parse_event_time(std::string_view text);
std::optional<TimePoint> parse_event_time(double number);
// The text of a number that is used as a category: "3" for 3.0, shortest form that reads back.
std::string number_text(double value);

// Makes a table of CSV with a header, in memory bounded by the limits. A column is of numbers if every value that is
// not missing is one, else of categories. The sample depends on the text alone. One thread.
class TableReader {
 public:
  explicit TableReader(TableLimits limits = {});

  // Errors as CsvReader's; also a record whose length is not the header's, and a name that is missing or there twice.
  Result<void> feed(std::string_view bytes);
  Result<Table> finish();

 private:
  bool take(const std::vector<std::string>& fields);

  TableLimits limits_;
  CsvReader csv_;
  std::vector<std::string> names_;
  std::vector<std::vector<std::string>> rows_;
  std::int64_t rows_read_ = 0;
  std::size_t rows_max_ = 0;
  std::uint64_t random_ = 0x9E37'79B9'7F4A'7C15ULL;
  std::optional<Error> error_;
};

// Reads a whole text.
Result<Table> read_table(std::string_view csv, TableLimits limits = {});

}  // namespace weir::data
