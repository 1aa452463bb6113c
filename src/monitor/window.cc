#include "monitor/window.h"

#include <cmath>

#include "data/statistics.h"
#include "data/table.h"

namespace weir::monitor {
namespace {

// Evidence stops growing here, in units of what is needed, so that a column which returns is soon believed.
constexpr double kEvidenceMax = 10.0;

void add_value(data::Sample& sample, std::size_t column, data::Kind kind, const json::value& value) {
  if (value.is_null()) {
    sample.add_missing(column);
  } else if (kind == data::Kind::kNumber) {
    double number = std::nan("");
    if (value.is_double()) number = value.get_double();
    if (value.is_int64()) number = static_cast<double>(value.get_int64());
    if (value.is_uint64()) number = static_cast<double>(value.get_uint64());
    if (value.is_bool()) number = value.get_bool() ? 1.0 : 0.0;
    if (value.is_string()) number = data::parse_number(std::string_view(value.get_string())).value_or(number);
    sample.add_number(column, number);
  } else if (value.is_string()) {
    const std::string_view text = value.get_string();
    if (data::is_missing_text(text)) {
      sample.add_missing(column);
    } else {
      sample.add_category(column, text);
    }
  } else if (value.is_bool()) {
    sample.add_category(column, value.get_bool() ? "True" : "False");  // as pandas writes them
  } else {
    sample.add_category(column, comparable_text(value));
  }
}

data::Sample collect(const Window& window, const data::Reference& reference, std::span<const StoredRow> rows) {
  data::Sample sample = reference.sample();
  const auto& columns = reference.columns();
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (!columns[i].compared) continue;
    if (columns[i].prediction) {
      for (const StoredRow& row : rows) {
        // Another version's predictions say nothing about this one.
        if (row.version != window.version) continue;
        if (columns[i].kind == data::Kind::kNumber && row.score) {
          sample.add_number(i, *row.score);
        } else {
          add_value(sample, i, columns[i].kind, row.prediction.is_string() ? row.prediction : json::value(nullptr));
        }
      }
      continue;
    }
    // A column that no row has is not what the endpoint takes (a label beside the features, say), so it is left out.
    const bool sent =
        std::ranges::any_of(rows, [&](const StoredRow& row) { return row.features.contains(columns[i].name); });
    if (!sent) continue;
    for (const StoredRow& row : rows) {
      const auto* value = row.features.if_contains(columns[i].name);
      add_value(sample, i, columns[i].kind, value != nullptr ? *value : json::value(nullptr));
    }
  }
  return sample;
}

const WindowColumn* find_column(const Window* window, const data::ColumnDrift& drift, bool prediction) {
  if (window == nullptr) return nullptr;
  if (prediction) return window->prediction ? &*window->prediction : nullptr;
  for (const WindowColumn& column : window->columns) {
    if (column.drift.name == drift.name) return &column;
  }
  return nullptr;
}

WindowColumn judge_column(data::ColumnDrift drift, const WindowColumn* before, double columns) {
  WindowColumn column{.drift = std::move(drift)};
  const double needed = columns / kFalseAlarms;
  const double carried = before != nullptr ? std::max(1.0, before->evidence) : 1.0;
  column.evidence = std::min(kEvidenceMax * needed, carried * data::evidence(column.drift.p));
  column.drifted = column.evidence >= needed && column.drift.psi >= kPsiMin;
  return column;
}

json::object column_to_json(const WindowColumn& column) {
  const data::ColumnDrift& drift = column.drift;
  json::object object{{"name", drift.name},
                      {"kind", data::kind_name(drift.kind)},
                      {"count", drift.count},
                      {"missing", drift.missing},
                      {"unseen", drift.unseen},
                      {"psi", drift.psi},
                      {"psi_raw", drift.psi_raw},
                      {"psi_expected", drift.psi_expected},
                      {"clustered", drift.clustered},
                      {"p", drift.p},
                      {"p_adjusted", drift.p_adjusted},
                      {"evidence", column.evidence},
                      {"drifted", column.drifted}};
  object["ks"] = drift.ks ? json::value(*drift.ks) : json::value(nullptr);
  object["chi2"] = drift.chi2 ? json::value(*drift.chi2) : json::value(nullptr);
  return object;
}

WindowColumn column_from_json(const json::value& object) {
  WindowColumn column;
  data::ColumnDrift& drift = column.drift;
  drift.name = json_string_or(object, "name", "");
  drift.kind = json_string_or(object, "kind", "") == "category" ? data::Kind::kCategory : data::Kind::kNumber;
  drift.count = json_double(object, "count").value_or(0.0);
  drift.missing = json_double(object, "missing").value_or(0.0);
  drift.unseen = json_double(object, "unseen").value_or(0.0);
  drift.ks = json_double(object, "ks");
  drift.chi2 = json_double(object, "chi2");
  drift.psi = json_double(object, "psi").value_or(0.0);
  drift.psi_raw = json_double(object, "psi_raw").value_or(0.0);
  drift.psi_expected = json_double(object, "psi_expected").value_or(0.0);
  drift.clustered = json_bool_or(object, "clustered", false);
  drift.p = json_double(object, "p").value_or(1.0);
  drift.p_adjusted = json_double(object, "p_adjusted").value_or(1.0);
  column.evidence = json_double(object, "evidence").value_or(0.0);
  column.drifted = json_bool_or(object, "drifted", false);
  return column;
}

}  // namespace

std::vector<std::string> Window::drifted_columns() const {
  std::vector<std::string> names;
  for (const WindowColumn& column : columns) {
    if (column.drifted) names.push_back(column.drift.name);
  }
  return names;
}

TimePoint window_start(TimePoint time, Duration window) {
  const auto since = (time - kWindowOrigin).count();
  const auto length = window.count();
  const auto number = since / length - (since % length < 0 ? 1 : 0);
  return kWindowOrigin + Duration{number * length};
}

void judge_window(Window& window, const data::Reference& reference, std::span<const StoredRow> rows,
                  const Window* previous) {
  std::vector<data::ColumnDrift> drifts = reference.compare(collect(window, reference, rows), kWindowRowsMin);
  const auto is_prediction = [&](const data::ColumnDrift& drift) {
    return reference.columns()[*reference.find(drift.name)].prediction;
  };
  const auto features = static_cast<double>(std::ranges::count_if(drifts, std::not_fn(is_prediction)));
  for (data::ColumnDrift& drift : drifts) {
    const bool prediction = is_prediction(drift);
    const WindowColumn* before = find_column(previous, drift, prediction);
    WindowColumn column = judge_column(std::move(drift), before, prediction ? 1.0 : features);
    if (prediction) {
      window.prediction_drift = column.drifted ? column.drift.psi : 0.0;
      window.prediction = std::move(column);
    } else {
      window.drift = std::max(window.drift.value_or(0.0), column.drifted ? column.drift.psi : 0.0);
      window.columns.push_back(std::move(column));
    }
  }
  std::ranges::sort(window.columns, [](const WindowColumn& a, const WindowColumn& b) {
    return std::pair(b.drifted, b.drift.psi) < std::pair(a.drifted, a.drift.psi);
  });
  if (window.columns.empty()) {
    window.note = rows.size() < static_cast<std::size_t>(kWindowRowsMin)
                      ? fmt::format("{} rows, at least {} are needed", rows.size(), kWindowRowsMin)
                      : "the rows and the reference share no column";
  }
}

json::object detail_to_json(const Window& window) {
  json::array columns;
  for (const WindowColumn& column : window.columns) columns.push_back(column_to_json(column));
  json::object detail{{"columns", std::move(columns)}, {"note", window.note}};
  detail["prediction"] = window.prediction ? json::value(column_to_json(*window.prediction)) : json::value(nullptr);
  return detail;
}

void detail_from_json(const json::value& detail, Window& window) {
  window.note = json_string_or(detail, "note", "");
  if (const auto* columns = json_find(detail, "columns"); columns != nullptr && columns->is_array()) {
    for (const auto& column : columns->get_array()) window.columns.push_back(column_from_json(column));
  }
  if (const auto* prediction = json_find(detail, "prediction")) window.prediction = column_from_json(*prediction);
}

Result<void> store_window(store::Transaction& tx, const Window& window, TimePoint now) {
  WEIR_TRY(tx.execute(
      "INSERT INTO monitor_windows(endpoint, environment, start_time, end_time, model, version, row_count, drift, "
      "prediction_drift, detail, closed_at) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
      "ON CONFLICT(endpoint, environment, start_time) DO NOTHING",
      {window.place.endpoint, window.place.environment, window.start, window.end, window.model, window.version,
       window.rows, window.drift, window.prediction_drift, json::serialize(detail_to_json(window)), now}));
  return {};
}

Result<std::vector<Window>> load_windows(store::Reader& reader, const Place& place, std::int64_t limit,
                                         std::optional<TimePoint> before) {
  constexpr TimePoint kFarFuture{std::chrono::days{3'000'000}};
  return reader.all<Window>(
      "SELECT start_time, end_time, model, version, row_count, drift, prediction_drift, detail FROM monitor_windows "
      "WHERE "
      "endpoint = ? AND environment = ? AND end_time <= ? ORDER BY start_time DESC LIMIT ?",
      {place.endpoint, place.environment, before.value_or(kFarFuture), limit}, [&](const store::Row& row) {
        Window window{.place = place,
                      .start = row.time(0),
                      .end = row.time(1),
                      .model = row.string(2),
                      .version = row.string(3),
                      .rows = row.integer(4)};
        if (!row.is_null(5)) window.drift = row.real(5);
        if (!row.is_null(6)) window.prediction_drift = row.real(6);
        if (const auto detail = parse_json(row.text(7), "window")) detail_from_json(*detail, window);
        return window;
      });
}

}  // namespace weir::monitor
