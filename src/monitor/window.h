#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/reference.h"
#include "monitor/row_store.h"

namespace weir::monitor {

// A column of a window, and what is known of it from this and the windows before.
struct WindowColumn {
  data::ColumnDrift drift;
  double evidence = 0.0;  // for drift, over the windows of this version; see judge_window
  bool drifted = false;
};

// A closed window of a live version's traffic.
struct Window {
  Place place;
  TimePoint start;
  TimePoint end;
  std::string model;
  std::string version;
  std::int64_t rows = 0;
  // The headline: the largest PSI of the features that drifted, 0 if none did; nothing where nothing could be compared.
  std::optional<double> drift;
  std::optional<double> prediction_drift;  // the same of the predictions
  std::vector<WindowColumn> columns;       // features, the most drifted first
  std::optional<WindowColumn> prediction;
  std::string note;  // why something is missing, for people

  [[nodiscard]] std::vector<std::string> drifted_columns() const;
};

// Smallest window that says anything.
inline constexpr double kWindowRowsMin = 50;
// The smallest effect that is called drift: below a PSI of 0.1 a distribution counts as unchanged by the common rule.
inline constexpr double kPsiMin = 0.1;
// Without any drift, windows in a thousand (on average, over all columns) whose verdict may be wrong.
inline constexpr double kFalseAlarms = 0.001;

// Where window number 0 begins: a Monday, so that windows of weeks hold whole ones.
inline constexpr TimePoint kWindowOrigin{std::chrono::days{4}};  // 1970-01-05
TimePoint window_start(TimePoint time, Duration window);

// Compares the rows with the reference of `version`.
//
// Windows are looked at one after another for as long as a version is live, and each look is a chance to be wrong. A
// column therefore collects evidence: its p-value as an e-value (data::evidence), multiplied over the windows, starting
// anew where the product falls below one (the e-detector of Shin, Ramdas and Rinaldo, 2022). It drifts when the product
// reaches (number of columns) / kFalseAlarms, so that false verdicts come at most once in 1/kFalseAlarms windows on
// average, whatever the number of looks. A column that breaks is found in one window, a slow change in several.
// `previous`: the window before, if it is of the same version. Pure.
void judge_window(Window& window, const data::Reference& reference, std::span<const StoredRow> rows,
                  const Window* previous);

json::object detail_to_json(const Window& window);
void detail_from_json(const json::value& detail, Window& window);

Result<void> store_window(store::Transaction& tx, const Window& window, TimePoint now);
// Newest first; `before`: windows whose end is at most that.
Result<std::vector<Window>> load_windows(store::Reader& reader, const Place& place, std::int64_t limit,
                                         std::optional<TimePoint> before = std::nullopt);

}  // namespace weir::monitor
