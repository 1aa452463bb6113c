#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "serve/capture.h"

namespace weir::monitor {

// One row of a captured request, with what the model said about it.
struct CapturedRow {
  json::object features;                // column to number, text, boolean or null; without redacted columns
  std::string key;                      // value of the endpoint's key column as text; "" if absent
  std::optional<TimePoint> event_time;  // nothing if the endpoint has a time column and the row lacks a value in it
  json::value prediction;               // as answered
  std::optional<double> score;          // the prediction as one number, if it is or holds one
};

// What of the rows is kept and how they are read.
struct RowSettings {
  std::string key_column;
  std::string time_column;          // "": a row's event time is its arrival
  std::vector<std::string> redact;  // columns that are not kept; a redacted key is kept as its SHA-256
};

// Reads MLflow's scoring requests (dataframe_split, dataframe_records, instances, inputs, CSV) and those of the Open
// Inference Protocol v2 in JSON, with their answers. Columns without names get their number ("0", "1", …). Values that
// are neither number, text nor boolean are left out, and so are texts above 256 bytes. At most kRowsMax rows.
// kInvalidArgument for what is neither, and when the answer has another number of rows than the request. Pure.
inline constexpr std::size_t kRowsMax = 10'000;
Result<std::vector<CapturedRow>> read_rows(const serve::Capture& capture, const RowSettings& settings);

// A key as rows and feedback are joined by it: the text of a number without ".0"; hashed if the key column is redacted.
std::string join_key(std::string_view key, bool redacted);

// A label or prediction as the text by which they are compared: 1, 1.0, true and "1" are all "1".
std::string comparable_text(const json::value& value);

// Whether the prediction is the label. A list of probabilities stands for the index of the largest; a number between 0
// and 1 beside a label 0 or 1 for 1 if it is at least one half; an object for its member "prediction", "label" or
// "class", else its first. Nothing where it cannot be said, as for a regression.
std::optional<bool> is_correct(const json::value& prediction, const json::value& label);

}  // namespace weir::monitor
