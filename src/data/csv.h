#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace weir::data {

struct CsvLimits {
  std::size_t record_bytes_max = 1U << 20;  // one record, quotes included
  std::size_t fields_max = 10'000;          // of one record
};

// Reads comma-separated values as RFC 4180 has them, piece by piece, holding one record at a time: fields in quotes may
// hold commas, line ends and doubled quotes; lines end with LF, CRLF or CR; a byte order mark is skipped and a line
// without a byte is no record. One thread.
class CsvReader {
 public:
  // One record's fields, valid during the call. `false` ends the reading without an error.
  using OnRecord = std::function<bool(const std::vector<std::string>& fields)>;

  explicit CsvReader(OnRecord on_record, CsvLimits limits = {});

  // Takes the next bytes of the text. kInvalidArgument names the line of a quote in the wrong place, a NUL byte or a
  // record past the limits; what follows an error is not read.
  Result<void> feed(std::string_view bytes);
  // The text has ended: gives out the last record. kInvalidArgument if a quote is still open.
  Result<void> finish();

  [[nodiscard]] bool stopped() const { return stopped_; }
  [[nodiscard]] std::size_t line() const { return line_; }  // of the record given out last or being read, from 1

 private:
  enum class State { kFieldStart, kPlain, kQuoted, kQuoteInQuoted };

  Result<void> take(char c);
  Result<void> append(char c);
  Result<void> end_field();
  Result<void> end_record();

  OnRecord on_record_;
  CsvLimits limits_;
  State state_ = State::kFieldStart;
  std::vector<std::string> fields_;
  std::size_t field_count_ = 0;  // of `fields_` in use, whose strings are kept for their capacity
  std::string field_;
  std::size_t record_bytes_ = 0;
  std::size_t line_ = 1;         // of the byte at hand
  std::size_t record_line_ = 1;  // where the record began
  std::size_t mark_bytes_ = 0;   // of a byte order mark seen so far; past 3: no longer looked for
  bool after_carriage_return_ = false;
  bool stopped_ = false;
};

// The records of a whole text, the header among them.
Result<std::vector<std::vector<std::string>>> read_csv(std::string_view text, CsvLimits limits = {});

}  // namespace weir::data
