#include "data/csv.h"

namespace weir::data {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

}  // namespace

CsvReader::CsvReader(OnRecord on_record, CsvLimits limits) : on_record_(std::move(on_record)), limits_(limits) {}

Result<void> CsvReader::append(char c) {
  if (++record_bytes_ > limits_.record_bytes_max) {
    return fail(Code::kInvalidArgument, "CSV line {}: a record of more than {} bytes; is a closing quote missing?",
                record_line_, limits_.record_bytes_max);
  }
  field_.push_back(c);
  return {};
}

Result<void> CsvReader::end_field() {
  if (field_count_ == limits_.fields_max) {
    return fail(Code::kInvalidArgument, "CSV line {}: more than {} fields", record_line_, limits_.fields_max);
  }
  if (field_count_ == fields_.size()) fields_.emplace_back();
  fields_[field_count_++].swap(field_);
  field_.clear();
  // Separators count too, so that a record of empty fields is bounded like any other.
  ++record_bytes_;
  state_ = State::kFieldStart;
  return {};
}

Result<void> CsvReader::end_record() {
  WEIR_TRY(end_field());
  fields_.resize(field_count_);
  field_count_ = 0;
  record_bytes_ = 0;
  if (!on_record_(fields_)) stopped_ = true;
  return {};
}

Result<void> CsvReader::take(char c) {
  if (c == '\0') return fail(Code::kInvalidArgument, "CSV line {}: a NUL byte; is this a text file?", line_);
  const bool line_end = c == '\n' || c == '\r';
  switch (state_) {
    case State::kFieldStart:
      if (line_end && field_count_ == 0) return {};  // an empty line
      if (field_count_ == 0) record_line_ = line_;
      if (c == '"') {
        state_ = State::kQuoted;
        return {};
      }
      state_ = State::kPlain;
      [[fallthrough]];
    case State::kPlain:
      if (line_end) return end_record();
      if (c == ',') return end_field();
      if (c == '"') {
        return fail(Code::kInvalidArgument, "CSV line {}: a quote inside an unquoted field; quote the whole field",
                    line_);
      }
      return append(c);
    case State::kQuoted:
      if (c == '"') {
        state_ = State::kQuoteInQuoted;
        return {};
      }
      return append(c);
    case State::kQuoteInQuoted:
      if (c == '"') {
        state_ = State::kQuoted;
        return append(c);
      }
      if (line_end) return end_record();
      if (c == ',') return end_field();
      return fail(Code::kInvalidArgument, "CSV line {}: '{}' after a closing quote, expected a comma or the line's end",
                  line_, c);
  }
  return {};
}

Result<void> CsvReader::feed(std::string_view bytes) {
  for (const char c : bytes) {
    if (stopped_) return {};
    if (mark_bytes_ < kByteOrderMark.size()) {
      if (c == kByteOrderMark[mark_bytes_]) {
        ++mark_bytes_;
        continue;
      }
      // Not a mark after all: what was held back is text.
      const std::size_t held = std::exchange(mark_bytes_, kByteOrderMark.size());
      for (std::size_t i = 0; i < held; ++i) WEIR_TRY(take(kByteOrderMark[i]));
    }
    if (c == '\n' && after_carriage_return_ && state_ != State::kQuoted) {
      after_carriage_return_ = false;  // second half of a CRLF that has ended its record
      continue;
    }
    const bool quoted = state_ == State::kQuoted;
    WEIR_TRY(take(c));
    if (c == '\r' || (c == '\n' && !(quoted && after_carriage_return_))) ++line_;
    after_carriage_return_ = c == '\r';
  }
  return {};
}

Result<void> CsvReader::finish() {
  if (stopped_) return {};
  if (mark_bytes_ < kByteOrderMark.size()) {
    const std::size_t held = std::exchange(mark_bytes_, kByteOrderMark.size());
    for (std::size_t i = 0; i < held; ++i) WEIR_TRY(take(kByteOrderMark[i]));
  }
  if (state_ == State::kQuoted) {
    return fail(Code::kInvalidArgument, "CSV line {}: the text ends inside a quoted field of this record",
                record_line_);
  }
  if (state_ == State::kFieldStart && field_count_ == 0) return {};
  return end_record();
}

Result<std::vector<std::vector<std::string>>> read_csv(std::string_view text, CsvLimits limits) {
  std::vector<std::vector<std::string>> records;
  CsvReader reader(
      [&](const std::vector<std::string>& fields) {
        records.push_back(fields);
        return true;
      },
      limits);
  WEIR_TRY(reader.feed(text));
  WEIR_TRY(reader.finish());
  return records;
}

}  // namespace weir::data
