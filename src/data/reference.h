#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "data/table.h"

namespace weir::data {

// What is known of the reference before anything is compared with it.
struct ReferenceOptions {
  std::string time_column;  // event times of the rows; "" or absent from the table: none are known
  std::string prediction_column = "prediction";
  std::vector<std::string> leave_out;  // columns that are never compared: key, ignored and redacted ones
  Duration window{std::chrono::days{1}};
};

// How one column of a window differs from the reference.
struct ColumnDrift {
  std::string name;
  Kind kind = Kind::kNumber;
  double count = 0.0;          // values in the window, missing ones included
  double missing = 0.0;        // share of them, 0 to 1
  double unseen = 0.0;         // share outside of what the reference holds: its range, or its categories
  std::optional<double> ks;    // Kolmogorov-Smirnov statistic; numbers only
  std::optional<double> chi2;  // chi-squared statistic; categories only
  double psi_raw = 0.0;        // population stability index over ten bins of the reference's quantiles, or categories
  double psi_expected = 0.0;   // what psi_raw is on average without drift
  double psi = 0.0;            // effect size: psi_raw - psi_expected, at least 0
  bool clustered = false;      // rows of one window are alike, so the reference's own windows are the yardstick
  double p = 1.0;              // of no drift in this column, corrected for clustering
  double p_adjusted = 1.0;     // the same, corrected for the number of columns as well (Holm)
};

// The rows of one window, collected for a comparison with a Reference.
class Sample {
 public:
  void add_number(std::size_t column, double value);  // NaN counts as missing
  void add_category(std::size_t column, std::string_view value);
  void add_missing(std::size_t column);

 private:
  friend class Reference;
  struct Values {
    std::vector<double> numbers;
    std::map<std::string, double, std::less<>> categories;
    double missing = 0.0;
  };
  explicit Sample(std::size_t columns) : columns_(columns) {}
  std::vector<Values> columns_;
};

// What a model was trained on, in a form with which windows of live rows are compared.
//
// Rows of one window are seldom independent: one day has one weather. Any day of the training months then differs from
// all of them together, and a test that takes its rows for independent calls drift every day. Where the reference holds
// event times, it is cut into pieces of the live windows' length (or a k-th of it where that gives too few), each of
// which is compared with the rest. Columns in which they differ by more than chance are `clustered`: a live window's
// PSI is then judged by the mean and variance of theirs (a gamma distribution by moments, as Rao and Scott's
// second-order correction does for cluster samples, 1984). Other columns are judged by the Kolmogorov-Smirnov and
// chi-squared tests as they stand.
//
// Values beyond the reference's range, and unseen categories, are bins of their own when there are more of them than
// chance explains: "hotter than ever" is not the same as "a hot day".
//
// Immutable after create(); any thread.
class Reference {
 public:
  // A column of the table, in its order.
  struct ColumnInfo {
    std::string name;
    Kind kind = Kind::kNumber;
    bool compared = true;
    std::string reason;  // why not compared, for people
    bool clustered = false;
    bool prediction = false;
  };

  // kInvalidArgument with fewer than kRowsMin rows.
  static constexpr std::size_t kRowsMin = 50;
  static Result<Reference> create(Table table, const ReferenceOptions& options);

  [[nodiscard]] const std::vector<ColumnInfo>& columns() const { return infos_; }
  [[nodiscard]] std::optional<std::size_t> find(std::string_view name) const;
  [[nodiscard]] std::size_t rows() const { return rows_; }
  // Into how many pieces of time it is cut, and how many of them make a window; 0 without event times.
  [[nodiscard]] std::size_t pieces() const { return pieces_; }
  [[nodiscard]] std::int64_t pieces_per_window() const { return pieces_per_window_; }
  // The last event time; nothing without event times.
  [[nodiscard]] std::optional<TimePoint> data_end() const { return data_end_; }

  [[nodiscard]] Sample sample() const { return Sample(infos_.size()); }

  // The compared columns that hold at least `rows_min` values, in the table's order; p_adjusted is over the features
  // among them. The prediction column comes last.
  [[nodiscard]] std::vector<ColumnDrift> compare(const Sample& sample, double rows_min) const;

 private:
  struct Bins;
  struct Pieces;
  Pieces cut(const Table& table, const ReferenceOptions& options);

  std::vector<ColumnInfo> infos_;
  std::vector<Bins> bins_;  // one a column; empty where not compared
  std::size_t rows_ = 0;
  std::size_t pieces_ = 0;
  std::int64_t pieces_per_window_ = 1;
  std::optional<TimePoint> data_end_;

 public:
  Reference();
  Reference(Reference&&) noexcept;
  Reference& operator=(Reference&&) noexcept;
  ~Reference();
};

// True for names of columns that follow the calendar by nature ("month", "day_of_year", "date", "event_time", …).
bool is_calendar_name(std::string_view name);

}  // namespace weir::data
