// The CSV parser gives the same records however the text is cut, within its limits, and tables are rectangular.
#include <cstdint>
#include <cstdlib>

#include "data/csv.h"
#include "data/table.h"

namespace {

using Records = std::vector<std::vector<std::string>>;

constexpr weir::data::CsvLimits kLimits{.record_bytes_max = 256, .fields_max = 16};

bool read_in_pieces(std::string_view text, std::size_t piece, Records& records) {
  weir::data::CsvReader reader(
      [&](const std::vector<std::string>& fields) {
        records.push_back(fields);
        return true;
      },
      kLimits);
  for (std::size_t at = 0; at < text.size(); at += piece) {
    if (!reader.feed(text.substr(at, piece))) return false;
  }
  return reader.finish().has_value();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Records whole;
  Records pieces;
  const bool read_whole = read_in_pieces(text, size + 1, whole);
  const bool read_pieces = read_in_pieces(text, 1 + (size > 0 ? data[0] % 7 : 0), pieces);
  if (read_whole != read_pieces || whole != pieces) std::abort();
  for (const auto& record : whole) {
    if (record.empty() || record.size() > kLimits.fields_max) std::abort();
  }
  if (const auto table = weir::data::read_table(text, {.rows_max = 8, .cells_max = 64, .csv = kLimits})) {
    if (table->rows > 8 || table->rows > static_cast<std::size_t>(table->rows_read)) std::abort();
    for (const auto& column : table->columns) {
      if (column.numbers.size() + column.codes.size() != table->rows) std::abort();
    }
  }
  return 0;
}
