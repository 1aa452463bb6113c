#include "monitor/captured_rows.h"

#include <cmath>

#include "base/hash.h"
#include "data/csv.h"
#include "data/table.h"

namespace weir::monitor {
namespace {

constexpr std::size_t kTextBytesMax = 256;  // longer texts are not kept
constexpr std::size_t kColumnsMax = 2'000;

// Rows of a request before key, time and redaction are looked at.
struct Grid {
  std::vector<std::string> columns;
  std::vector<std::vector<json::value>> rows;
};

bool is_scalar(const json::value& value) {
  return !value.is_array() && !value.is_object();
}

double number_of(const json::value& value) {
  return value.is_double()  ? value.get_double()
         : value.is_int64() ? static_cast<double>(value.get_int64())
                            : static_cast<double>(value.get_uint64());
}

std::unexpected<Error> too_large() {
  return fail(Code::kInvalidArgument, "more than {} rows or {} columns", kRowsMax, kColumnsMax);
}

Result<Grid> grid_of_split(const json::value& split) {
  const auto* columns = json_find(split, "columns");
  const auto* data = json_find(split, "data");
  if (data == nullptr || !data->is_array()) return fail(Code::kInvalidArgument, "dataframe_split has no data");
  Grid grid;
  if (columns != nullptr && columns->is_array()) {
    for (const auto& name : columns->get_array()) grid.columns.push_back(comparable_text(name));
  }
  for (const auto& row : data->get_array()) {
    if (!row.is_array()) return fail(Code::kInvalidArgument, "a row of dataframe_split is no list");
    if (grid.rows.size() == kRowsMax || row.get_array().size() > kColumnsMax) return too_large();
    auto& values = grid.rows.emplace_back(row.get_array().begin(), row.get_array().end());
    while (grid.columns.size() < values.size()) grid.columns.push_back(std::to_string(grid.columns.size()));
  }
  return grid;
}

// A list of objects, of lists, or of values of the only column.
Result<Grid> grid_of_list(const json::array& list) {
  Grid grid;
  std::map<std::string, std::size_t, std::less<>> places;
  const auto place = [&](std::string_view name) {
    const auto [entry, added] = places.try_emplace(std::string(name), grid.columns.size());
    if (added) grid.columns.emplace_back(name);
    return entry->second;
  };
  for (const auto& row : list) {
    if (grid.rows.size() == kRowsMax) return too_large();
    auto& values = grid.rows.emplace_back();
    const auto put = [&](std::size_t column, const json::value& value) {
      if (values.size() <= column) values.resize(column + 1);
      values[column] = value;
    };
    if (row.is_object()) {
      for (const auto& member : row.get_object()) put(place(member.key()), member.value());
    } else if (row.is_array()) {
      std::size_t column = 0;
      for (const auto& value : row.get_array()) put(place(std::to_string(column++)), value);
    } else {
      put(place("0"), row);
    }
    if (grid.columns.size() > kColumnsMax) return too_large();
  }
  return grid;
}

// Columns of values: {"temp": [1, 2], "carrier": ["UA", "AA"]}, or one row of plain values.
Result<Grid> grid_of_columns(const json::object& columns) {
  Grid grid;
  if (columns.size() > kColumnsMax) return too_large();
  std::size_t rows = 0;
  for (const auto& column : columns) {
    rows = std::max(rows, column.value().is_array() ? column.value().get_array().size() : std::size_t{1});
  }
  if (rows > kRowsMax) return too_large();
  grid.rows.assign(rows, std::vector<json::value>(columns.size()));
  for (const auto& column : columns) {
    const std::size_t place = grid.columns.size();
    grid.columns.emplace_back(column.key());
    if (!column.value().is_array()) {
      grid.rows[0][place] = column.value();
      continue;
    }
    std::size_t row = 0;
    for (const auto& value : column.value().get_array()) {
      // A tensor of one value a row.
      const bool wrapped = value.is_array() && value.get_array().size() == 1;
      grid.rows[row++][place] = wrapped ? value.get_array().front() : value;
    }
  }
  return grid;
}

Result<Grid> grid_of_csv(std::string_view text) {
  Grid grid;
  bool too_many = false;
  data::CsvReader reader(
      [&](const std::vector<std::string>& fields) {
        if (grid.columns.empty()) {
          grid.columns = fields;
          return true;
        }
        too_many = grid.rows.size() == kRowsMax;
        if (too_many) return false;
        auto& values = grid.rows.emplace_back();
        for (const std::string& field : fields) {
          if (const auto number = data::parse_number(field)) {
            values.emplace_back(*number);
          } else if (data::is_missing_text(field)) {
            values.emplace_back(nullptr);
          } else {
            values.emplace_back(field);
          }
        }
        return true;
      },
      {.record_bytes_max = 1U << 20, .fields_max = kColumnsMax});
  WEIR_TRY(reader.feed(text));
  WEIR_TRY(reader.finish());
  if (too_many) return too_large();
  return grid;
}

void flatten(const json::value& value, std::vector<json::value>& flat) {
  if (!value.is_array()) {
    flat.push_back(value);
    return;
  }
  for (const auto& part : value.get_array()) flatten(part, flat);
}

// The rows of a tensor {"shape": [n, …], "data": …}: a value each, or a list where there are several.
Result<std::vector<json::value>> tensor_rows(const json::value& tensor) {
  const auto* shape = json_find(tensor, "shape");
  const auto* data = json_find(tensor, "data");
  if (shape == nullptr || !shape->is_array() || shape->get_array().empty() || data == nullptr) {
    return fail(Code::kInvalidArgument, "a tensor has no shape or no data in JSON");
  }
  std::vector<json::value> flat;
  flatten(*data, flat);
  const auto& first = shape->get_array().front();
  const auto rows = first.is_int64() && first.get_int64() > 0 ? static_cast<std::size_t>(first.get_int64()) : 0;
  if (rows == 0 || rows > kRowsMax || flat.size() % rows != 0) {
    return fail(Code::kInvalidArgument, "a tensor's data do not fit its shape");
  }
  const std::size_t width = flat.size() / rows;
  std::vector<json::value> values;
  for (std::size_t row = 0; row < rows; ++row) {
    if (width == 1) {
      values.push_back(std::move(flat[row]));
      continue;
    }
    json::array list;
    for (std::size_t i = 0; i < width; ++i) list.push_back(std::move(flat[row * width + i]));
    values.emplace_back(std::move(list));
  }
  return values;
}

Result<Grid> grid_of_tensors(const json::array& inputs) {
  Grid grid;
  for (const auto& input : inputs) {
    const std::vector<json::value> values = WEIR_TRY(tensor_rows(input));
    if (grid.rows.empty()) grid.rows.resize(values.size());
    if (grid.rows.size() != values.size()) return fail(Code::kInvalidArgument, "the tensors' numbers of rows differ");
    const std::string name = json_string_or(input, "name", "");
    const bool wide = values.front().is_array();
    const std::size_t width = wide ? values.front().get_array().size() : 1;
    if (grid.columns.size() + width > kColumnsMax) return too_large();
    for (std::size_t i = 0; i < width; ++i) {
      grid.columns.push_back(!wide ? name : inputs.size() == 1 ? std::to_string(i) : fmt::format("{}.{}", name, i));
      for (std::size_t row = 0; row < values.size(); ++row) {
        grid.rows[row].push_back(wide ? values[row].get_array()[i] : values[row]);
      }
    }
  }
  return grid;
}

Result<Grid> read_request(const serve::Capture& capture) {
  const std::string_view text = capture.request_body;
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first != std::string_view::npos && text[first] != '{' && text[first] != '[') return grid_of_csv(text);
  const json::value body = WEIR_TRY(parse_json(text, "request"));
  if (body.is_array()) return grid_of_list(body.get_array());
  if (capture.protocol == serve::Protocol::kOpenInference) {
    const auto* inputs = json_find(body, "inputs");
    if (inputs == nullptr || !inputs->is_array()) return fail(Code::kInvalidArgument, "the request has no inputs");
    return grid_of_tensors(inputs->get_array());
  }
  if (const auto* split = json_find(body, "dataframe_split")) return grid_of_split(*split);
  for (const std::string_view member : {"dataframe_records", "instances", "inputs"}) {
    const auto* rows = json_find(body, member);
    if (rows == nullptr) continue;
    if (rows->is_array()) return grid_of_list(rows->get_array());
    if (rows->is_object()) return grid_of_columns(rows->get_object());
  }
  return fail(Code::kInvalidArgument, "the request has none of dataframe_split, dataframe_records, instances, inputs");
}

Result<std::vector<json::value>> read_answer(const serve::Capture& capture) {
  const json::value body = WEIR_TRY(parse_json(capture.response_body, "answer"));
  if (capture.protocol == serve::Protocol::kOpenInference) {
    const auto* outputs = json_find(body, "outputs");
    if (outputs == nullptr || !outputs->is_array() || outputs->get_array().empty()) {
      return fail(Code::kInvalidArgument, "the answer has no outputs");
    }
    return tensor_rows(outputs->get_array().front());
  }
  const auto* predictions = body.is_array() ? &body : json_find(body, "predictions");
  if (predictions == nullptr) return fail(Code::kInvalidArgument, "the answer has no predictions");
  if (predictions->is_array())
    return std::vector<json::value>(predictions->get_array().begin(), predictions->get_array().end());
  return std::vector<json::value>{*predictions};
}

const json::value& main_member(const json::object& prediction) {
  for (const std::string_view name : {"prediction", "label", "class"}) {
    if (const auto* found = prediction.if_contains(name)) return *found;
  }
  return prediction.begin()->value();
}

std::optional<double> score_of(const json::value& prediction) {
  if (prediction.is_number()) return number_of(prediction);
  if (prediction.is_bool()) return prediction.get_bool() ? 1.0 : 0.0;
  if (prediction.is_array()) {
    // Of two classes the second is the one that is asked about; of more, how sure the model is.
    double largest = -std::numeric_limits<double>::infinity();
    const auto& values = prediction.get_array();
    for (const auto& value : values) {
      if (!value.is_number()) return std::nullopt;
      largest = std::max(largest, number_of(value));
    }
    if (values.empty()) return std::nullopt;
    return values.size() == 2 ? number_of(values[1]) : largest;
  }
  if (prediction.is_object() && !prediction.get_object().empty()) {
    for (const std::string_view name : {"score", "probability"}) {
      if (const auto score = json_double(prediction, name)) return score;
    }
    const json::value& member = main_member(prediction.get_object());
    return member.is_object() ? std::nullopt : score_of(member);
  }
  return std::nullopt;
}

std::optional<TimePoint> time_of(const json::value& value) {
  if (value.is_string()) return data::parse_event_time(std::string_view(value.get_string()));
  if (value.is_number()) return data::parse_event_time(number_of(value));
  return std::nullopt;
}

}  // namespace

std::string comparable_text(const json::value& value) {
  if (value.is_bool()) return value.get_bool() ? "1" : "0";
  if (value.is_number()) {
    const double number = number_of(value);
    // Whole numbers without an exponent, whatever their type.
    if (std::abs(number) < 1e15 && number == std::trunc(number))
      return std::to_string(static_cast<std::int64_t>(number));
    return data::number_text(number);
  }
  if (value.is_string()) {
    const std::string_view text = value.get_string();
    if (text == "true" || text == "True") return "1";
    if (text == "false" || text == "False") return "0";
    if (const auto number = data::parse_number(text)) return comparable_text(json::value(*number));
    return std::string(text);
  }
  return json::serialize(value);
}

std::string join_key(std::string_view key, bool redacted) {
  std::string text(key);
  if (text.ends_with(".0") && data::parse_number(text)) text.resize(text.size() - 2);
  return redacted && !text.empty() ? sha256_hex(text) : text;
}

std::optional<bool> is_correct(const json::value& prediction, const json::value& label) {
  if (label.is_null() || !is_scalar(label)) return std::nullopt;
  if (prediction.is_object()) {
    if (prediction.get_object().empty()) return std::nullopt;
    const json::value& member = main_member(prediction.get_object());
    return member.is_object() ? std::nullopt : is_correct(member, label);
  }
  const std::string truth = comparable_text(label);
  if (prediction.is_array()) {
    const auto& values = prediction.get_array();
    std::size_t largest = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (!values[i].is_number()) return std::nullopt;
      if (number_of(values[i]) > number_of(values[largest])) largest = i;
    }
    if (values.empty()) return std::nullopt;
    // One number is the probability of the class 1, several are those of 0, 1, 2, …; names of classes are not known
    // here.
    if (values.size() == 1) return is_correct(values[0], label);
    if (truth.find_first_not_of("0123456789") != std::string::npos) return std::nullopt;
    return std::to_string(largest) == truth;
  }
  if (prediction.is_null()) return std::nullopt;
  if (prediction.is_double() && number_of(prediction) != std::trunc(number_of(prediction))) {
    const double number = number_of(prediction);
    if ((truth != "0" && truth != "1") || number < 0.0 || number > 1.0) return std::nullopt;
    return (number >= 0.5) == (truth == "1");
  }
  if (label.is_double() && label.get_double() != std::trunc(label.get_double())) return std::nullopt;
  return comparable_text(prediction) == truth;
}

Result<std::vector<CapturedRow>> read_rows(const serve::Capture& capture, const RowSettings& settings) {
  Grid grid = WEIR_TRY(read_request(capture));
  std::vector<json::value> predictions = WEIR_TRY(read_answer(capture));
  if (predictions.size() != grid.rows.size()) {
    return fail(Code::kInvalidArgument, "the request has {} rows, the answer {}", grid.rows.size(), predictions.size());
  }
  const auto is_redacted = [&](std::string_view column) {
    return std::ranges::find(settings.redact, column) != settings.redact.end();
  };
  std::vector<CapturedRow> rows;
  rows.reserve(grid.rows.size());
  for (std::size_t i = 0; i < grid.rows.size(); ++i) {
    CapturedRow& row = rows.emplace_back();
    if (settings.time_column.empty()) row.event_time = capture.time;
    for (std::size_t column = 0; column < std::min(grid.columns.size(), grid.rows[i].size()); ++column) {
      const std::string& name = grid.columns[column];
      json::value& value = grid.rows[i][column];
      if (!is_scalar(value)) continue;
      if (!settings.key_column.empty() && name == settings.key_column && !value.is_null()) {
        const std::string key = value.is_string() ? std::string(value.get_string()) : comparable_text(value);
        row.key = join_key(key, is_redacted(name));
      }
      if (!settings.time_column.empty() && name == settings.time_column) row.event_time = time_of(value);
      if (is_redacted(name)) continue;
      if (value.is_string() && value.get_string().size() > kTextBytesMax) continue;
      row.features.insert_or_assign(name, std::move(value));
    }
    row.score = score_of(predictions[i]);
    row.prediction = std::move(predictions[i]);
  }
  return rows;
}

}  // namespace weir::monitor
