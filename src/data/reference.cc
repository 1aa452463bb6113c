#include "data/reference.h"

#include <array>
#include <cmath>
#include <limits>
#include <unordered_map>

#include "data/statistics.h"

namespace weir::data {
namespace {

constexpr std::size_t kBins = 10;
constexpr double kExpectedMin = 5.0;        // expected counts below it are pooled: the usual rule for chi-squared tests
constexpr double kUnlikely = 0.001;         // when rare values get a bin of their own
constexpr std::size_t kPieceRowsMin = 10;   // a smaller piece of the reference tells nothing
constexpr std::size_t kPiecesMin = 12;      // fewer cannot show how they differ
constexpr std::int64_t kPiecesMax = 1'000;  // of one window
constexpr double kRounding = 1e-6;          // relative; a 32-bit number is off by 6e-8
constexpr std::size_t kCategoriesMin = 50;  // above it, a column of mostly different values is an identifier

// Counts of some rows over a column's bins; what is rare by nature apart.
struct Counts {
  std::vector<double> bins;
  double below = 0.0;   // numbers under the reference's range
  double above = 0.0;   // numbers over it
  double unseen = 0.0;  // categories that the reference lacks
  double missing = 0.0;

  [[nodiscard]] double total() const {
    double sum = below + above + unseen + missing;
    for (const double count : bins) sum += count;
    return sum;
  }
};

// Both rows of counts, in the form in which they are compared.
struct Aligned {
  std::vector<double> reference;
  std::vector<double> live;
  double tail = 1.0;  // the least p-value of the rare counts
  int tails = 0;      // of how many
};

bool unlikely(double count, double expected) {
  return count >= 2.0 && poisson_tail(count, expected) < kUnlikely;
}

// `singles`: categories that the reference holds once, which say how often a new one turns up (Good, 1953).
Aligned align(const Counts& reference, const Counts& live, double singles) {
  Aligned aligned;
  const double m = reference.total();
  const double n = live.total();
  double pooled_reference = 0.0;
  double pooled_live = 0.0;
  const auto rare = [&](double live_count, double reference_count, double expected) {
    if (live_count <= 0.0) return;
    aligned.tail = std::min(aligned.tail, poisson_tail(live_count, expected));
    ++aligned.tails;
    if (unlikely(live_count, expected)) {
      aligned.reference.push_back(reference_count);
      aligned.live.push_back(live_count);
    } else {
      pooled_reference += reference_count;
      pooled_live += live_count;
    }
  };
  for (std::size_t i = 0; i < reference.bins.size(); ++i) {
    if (n * reference.bins[i] / m >= kExpectedMin) {
      aligned.reference.push_back(reference.bins[i]);
      aligned.live.push_back(live.bins[i]);
    } else {
      pooled_reference += reference.bins[i];
      pooled_live += live.bins[i];
    }
  }
  if (n * reference.missing / m >= kExpectedMin) {
    aligned.reference.push_back(reference.missing);
    aligned.live.push_back(live.missing);
  } else {
    rare(live.missing, reference.missing, n * (reference.missing + 1.0) / m);
  }
  rare(live.below, 0.0, n / m);
  rare(live.above, 0.0, n / m);
  rare(live.unseen, 0.0, n * (singles + 1.0) / m);
  if (pooled_reference + pooled_live > 0.0) {
    aligned.reference.push_back(pooled_reference);
    aligned.live.push_back(pooled_live);
  }
  return aligned;
}

}  // namespace

// The reference cut into pieces of time: each is a live window's length divided by `per_window`.
struct Reference::Pieces {
  std::vector<std::vector<std::size_t>> rows;
  std::int64_t per_window = 1;
};

struct Reference::Bins {
  Kind kind = Kind::kNumber;
  std::vector<double> sorted;  // numbers of the reference
  std::vector<double> edges;   // upper bounds, included, of all bins but the last
  std::unordered_map<std::string, std::size_t> categories;
  double singles = 0.0;
  Counts counts;
  bool clustered = false;
  double between_mean = 0.0;  // of PSI between windows, beyond the noise of counts
  double between_variance = 0.0;

  // The reference's own value where `value` is that up to rounding: a number that went through 32 bits or through text
  // must not leave its bin, nor count as larger than itself.
  [[nodiscard]] double snapped(double value) const {
    const auto above = std::ranges::lower_bound(sorted, value);
    const double tolerance = std::abs(value) * kRounding;
    if (above != sorted.end() && *above - value <= tolerance) return *above;
    if (above != sorted.begin() && value - *std::prev(above) <= tolerance) return *std::prev(above);
    return value;
  }

  [[nodiscard]] std::size_t bin_of(double value) const {
    return static_cast<std::size_t>(std::ranges::lower_bound(edges, value) - edges.begin());
  }

  void set_up(const Column& column);
  void measure_pieces(const Column& column, const Pieces& pieces);
  [[nodiscard]] Counts count(std::span<const double> numbers, const Sample::Values& values) const;
  [[nodiscard]] ColumnDrift compare(const Sample::Values& values) const;

 private:
  void measure_piece(const Column& column, const std::vector<std::size_t>& rows, double low, double high,
                     std::vector<double>& excess, double& noise) const;
};

void Reference::Bins::set_up(const Column& column) {
  kind = column.kind;
  if (kind == Kind::kNumber) {
    for (const double value : column.numbers) {
      if (std::isnan(value)) {
        counts.missing += 1.0;
      } else {
        sorted.push_back(value);
      }
    }
    std::ranges::sort(sorted);
    for (std::size_t i = 1; i < kBins; ++i) {
      edges.push_back(quantile_sorted(sorted, static_cast<double>(i) / static_cast<double>(kBins)));
    }
    edges.erase(std::unique(edges.begin(), edges.end()), edges.end());
    // Where the highest value is itself a quantile, nothing lies above it.
    while (!edges.empty() && edges.back() >= sorted.back()) edges.pop_back();
    counts.bins.resize(edges.size() + 1);
    for (const double value : sorted) counts.bins[bin_of(value)] += 1.0;
    return;
  }
  counts.bins.resize(column.categories.size());
  for (std::size_t i = 0; i < column.categories.size(); ++i) categories.emplace(column.categories[i], i);
  for (const std::uint32_t code : column.codes) (code == kMissing ? counts.missing : counts.bins[code]) += 1.0;
  singles = static_cast<double>(std::ranges::count(counts.bins, 1.0));
}

Counts Reference::Bins::count(std::span<const double> numbers, const Sample::Values& values) const {
  Counts live;
  live.bins.resize(counts.bins.size());
  live.missing = values.missing;
  for (const double value : numbers) {
    if (value < sorted.front()) {
      live.below += 1.0;
    } else if (value > sorted.back()) {
      live.above += 1.0;
    } else {
      live.bins[bin_of(value)] += 1.0;
    }
  }
  for (const auto& [category, times] : values.categories) {
    const auto known = categories.find(category);
    (known == categories.end() ? live.unseen : live.bins[known->second]) += times;
  }
  return live;
}

// Compares one piece of the reference, `rows`, with the rest, whose range is `low` to `high`.
void Reference::Bins::measure_piece(const Column& column, const std::vector<std::size_t>& rows, double low, double high,
                                    std::vector<double>& excess, double& noise) const {
  Counts piece;
  piece.bins.resize(counts.bins.size());
  Counts rest = counts;
  for (const std::size_t row : rows) {
    if (kind == Kind::kCategory) {
      const std::uint32_t code = column.codes[row];
      (code == kMissing ? piece.missing : piece.bins[code]) += 1.0;
      (code == kMissing ? rest.missing : rest.bins[code]) -= 1.0;
      continue;
    }
    const double value = column.numbers[row];
    if (std::isnan(value)) {
      piece.missing += 1.0;
      rest.missing -= 1.0;
      continue;
    }
    const std::size_t bin = bin_of(value);
    rest.bins[bin] -= 1.0;
    (value < low ? piece.below : value > high ? piece.above : piece.bins[bin]) += 1.0;
  }
  if (kind == Kind::kCategory) {
    for (std::size_t i = 0; i < rest.bins.size(); ++i) {
      if (rest.bins[i] <= 0.0) piece.unseen += std::exchange(piece.bins[i], 0.0);
    }
  }
  const Aligned aligned = align(rest, piece, singles);
  const auto psi = population_stability(aligned.reference, aligned.live);
  if (!psi) return;
  excess.push_back(psi->value - psi->expected);
  noise += 2.0 * psi->expected * psi->expected / psi->freedom;
}

void Reference::Bins::measure_pieces(const Column& column, const Pieces& pieces) {
  if (pieces.rows.size() < kPiecesMin) return;
  // The range without one piece is another piece's: the two lowest and highest tell all.
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  std::vector<std::pair<double, double>> ranges;
  if (kind == Kind::kNumber) {
    for (const auto& rows : pieces.rows) {
      std::pair<double, double> range{kInfinity, -kInfinity};
      for (const std::size_t row : rows) {
        const double value = column.numbers[row];
        if (std::isnan(value)) continue;
        range = {std::min(range.first, value), std::max(range.second, value)};
      }
      ranges.push_back(range);
    }
  }
  std::array<double, 2> lows{kInfinity, kInfinity};
  std::array<double, 2> highs{-kInfinity, -kInfinity};
  for (const auto& [low, high] : ranges) {
    if (low < lows[1]) lows = low < lows[0] ? std::array{low, lows[0]} : std::array{lows[0], low};
    if (high > highs[1]) highs = high > highs[0] ? std::array{high, highs[0]} : std::array{highs[0], high};
  }

  std::vector<double> excess;
  double noise = 0.0;
  for (std::size_t i = 0; i < pieces.rows.size(); ++i) {
    const bool number = kind == Kind::kNumber;
    const double low = number && ranges[i].first <= lows[0] ? lows[1] : lows[0];
    const double high = number && ranges[i].second >= highs[0] ? highs[1] : highs[0];
    measure_piece(column, pieces.rows[i], low, high, excess, noise);
  }
  const auto count = static_cast<double>(excess.size());
  if (count < static_cast<double>(kPiecesMin)) return;
  double mean = 0.0;
  for (const double value : excess) mean += value / count;
  double variance = 0.0;
  for (const double value : excess) variance += (value - mean) * (value - mean) / (count - 1.0);
  // Four deviations of what the mean would have if rows were independent.
  if (mean <= 4.0 * std::sqrt(noise) / count) return;
  clustered = true;
  // A window of k pieces that are independent of each other deviates a k-th as much: PSI goes with the square of the
  // deviation. The factor adds the estimate's own variance, as in a prediction interval.
  const auto per_window = static_cast<double>(pieces.per_window);
  between_mean = mean / per_window;
  between_variance =
      std::max(0.0, variance - noise / count) / (per_window * per_window) * (count + 1.0) / (count - 1.0);
}

ColumnDrift Reference::Bins::compare(const Sample::Values& values) const {
  std::vector<double> numbers;
  if (kind == Kind::kNumber) {
    for (const double value : values.numbers) numbers.push_back(snapped(value));
    std::ranges::sort(numbers);
  }
  const Counts live = count(numbers, values);
  ColumnDrift drift;
  drift.kind = kind;
  drift.clustered = clustered;
  drift.count = live.total();
  drift.missing = live.missing / drift.count;
  drift.unseen = (live.below + live.above + live.unseen) / drift.count;

  const Aligned aligned = align(counts, live, singles);
  const Psi psi = population_stability(aligned.reference, aligned.live).value_or(Psi{});
  drift.psi_raw = psi.value;
  drift.psi_expected = psi.expected + between_mean;
  drift.psi = std::max(0.0, psi.value - drift.psi_expected);

  double least = aligned.tail;
  int tests = aligned.tails;
  if (!numbers.empty()) {
    if (const auto ks = kolmogorov_smirnov_sorted(sorted, numbers)) {
      drift.ks = ks->statistic;
      least = std::min(least, ks->p);
      ++tests;
    }
  }
  if (const auto chi2 = chi_squared(aligned.reference, aligned.live)) {
    if (kind == Kind::kCategory) drift.chi2 = chi2->statistic;
    // Bins of rare values have their exact tail above; the approximation holds for the rest alone.
    std::vector<double> common_reference;
    std::vector<double> common_live;
    for (std::size_t i = 0; i < aligned.reference.size(); ++i) {
      if (drift.count * aligned.reference[i] / counts.total() < kExpectedMin) continue;
      common_reference.push_back(aligned.reference[i]);
      common_live.push_back(aligned.live[i]);
    }
    if (const auto common = chi_squared(common_reference, common_live)) {
      least = std::min(least, common->p);
      ++tests;
    }
  }
  drift.p = std::min(1.0, least * std::max(1, tests));
  if (clustered) {
    const double noise = 2.0 * psi.expected * psi.expected / psi.freedom;
    drift.p = gamma_tail(psi.value, drift.psi_expected, between_variance + noise);
  }
  return drift;
}

void Sample::add_number(std::size_t column, double value) {
  if (std::isfinite(value)) {
    columns_[column].numbers.push_back(value);
  } else {
    columns_[column].missing += 1.0;
  }
}

void Sample::add_category(std::size_t column, std::string_view value) {
  auto& categories = columns_[column].categories;
  const auto place = categories.lower_bound(value);
  if (place != categories.end() && place->first == value) {
    place->second += 1.0;
  } else {
    categories.emplace_hint(place, value, 1.0);
  }
}

void Sample::add_missing(std::size_t column) {
  columns_[column].missing += 1.0;
}

Reference::Reference() = default;
Reference::Reference(Reference&&) noexcept = default;
Reference& Reference::operator=(Reference&&) noexcept = default;
Reference::~Reference() = default;

std::optional<std::size_t> Reference::find(std::string_view name) const {
  for (std::size_t i = 0; i < infos_.size(); ++i) {
    if (infos_[i].name == name) return i;
  }
  return std::nullopt;
}

namespace {

std::string reason_to_leave_out(const Column& column, std::size_t rows, const ReferenceOptions& options) {
  if (column.name == options.time_column) return "event time";
  if (std::ranges::find(options.leave_out, column.name) != options.leave_out.end()) return "left out";
  if (is_calendar_name(column.name)) return "calendar";
  if (column.kind == Kind::kNumber) {
    const bool any = std::ranges::any_of(column.numbers, [](double value) { return !std::isnan(value); });
    return any ? "" : "no values";
  }
  if (column.categories.empty()) return "no values";
  if (column.categories.size() > std::max<std::size_t>(kCategoriesMin, rows / 2))
    return "nearly every value is different";
  const bool times =
      std::ranges::all_of(column.categories, [](const std::string& text) { return parse_iso8601(text).has_value(); });
  return times ? "calendar" : "";
}

std::optional<TimePoint> time_of(const Column& column, std::size_t row) {
  if (column.kind == Kind::kNumber) return parse_event_time(column.numbers[row]);
  if (column.codes[row] == kMissing) return std::nullopt;
  return parse_event_time(column.categories[column.codes[row]]);
}

}  // namespace

// As long pieces as there may be, up to a window's length, so that few rows of different pieces are alike.
Reference::Pieces Reference::cut(const Table& table, const ReferenceOptions& options) {
  const Column* column = options.time_column.empty() ? nullptr : table.find(options.time_column);
  if (column == nullptr) return {};
  std::vector<std::pair<std::int64_t, std::size_t>> times;
  for (std::size_t row = 0; row < table.rows; ++row) {
    if (const auto time = time_of(*column, row)) times.emplace_back(to_micros(*time), row);
  }
  if (times.empty()) return {};
  std::ranges::sort(times);
  const std::int64_t first = times.front().first;
  data_end_ = from_micros(times.back().first);

  const std::int64_t span = times.back().first - first + 1;
  const std::int64_t window = std::max<std::int64_t>(1, options.window.count());
  Pieces pieces;
  pieces.per_window = std::max<std::int64_t>(1, (window * static_cast<std::int64_t>(kPiecesMin) + span - 1) / span);
  if (pieces.per_window > kPiecesMax) return {};
  const std::int64_t length = std::max<std::int64_t>(1, window / pieces.per_window);
  std::int64_t current = -1;
  for (const auto& [time, row] : times) {
    const std::int64_t piece = (time - first) / length;
    if (piece != current && (pieces.rows.empty() || pieces.rows.back().size() >= kPieceRowsMin))
      pieces.rows.emplace_back();
    if (piece != current && pieces.rows.back().size() < kPieceRowsMin) pieces.rows.back().clear();
    current = piece;
    pieces.rows.back().push_back(row);
  }
  if (pieces.rows.back().size() < kPieceRowsMin) pieces.rows.pop_back();
  return pieces;
}

Result<Reference> Reference::create(Table table, const ReferenceOptions& options) {
  if (table.rows < kRowsMin) {
    return fail(Code::kInvalidArgument, "the reference has {} rows, at least {} are needed", table.rows, kRowsMin);
  }
  Reference reference;
  reference.rows_ = table.rows;

  const Pieces pieces = reference.cut(table, options);
  reference.pieces_ = pieces.rows.size();
  reference.pieces_per_window_ = pieces.per_window;

  for (Column& column : table.columns) {
    ColumnInfo info{.name = column.name, .kind = column.kind};
    info.prediction = column.name == options.prediction_column;
    info.reason = reason_to_leave_out(column, table.rows, options);
    info.compared = info.reason.empty();
    Bins& bins = reference.bins_.emplace_back();
    if (info.compared) {
      bins.set_up(column);
      bins.measure_pieces(column, pieces);
      info.clustered = bins.clustered;
    }
    reference.infos_.push_back(std::move(info));
  }
  return reference;
}

std::vector<ColumnDrift> Reference::compare(const Sample& sample, double rows_min) const {
  std::vector<ColumnDrift> features;
  std::vector<ColumnDrift> predictions;
  for (std::size_t i = 0; i < infos_.size(); ++i) {
    if (!infos_[i].compared) continue;
    const auto& values = sample.columns_[i];
    double count = values.missing + static_cast<double>(values.numbers.size());
    for (const auto& [category, times] : values.categories) count += times;
    if (count < rows_min || count <= 0.0) continue;
    ColumnDrift drift = bins_[i].compare(values);
    drift.name = infos_[i].name;
    drift.p_adjusted = drift.p;
    (infos_[i].prediction ? predictions : features).push_back(std::move(drift));
  }
  std::vector<double> p;
  p.reserve(features.size());
  for (const ColumnDrift& drift : features) p.push_back(drift.p);
  const std::vector<double> adjusted = holm(p);
  for (std::size_t i = 0; i < features.size(); ++i) features[i].p_adjusted = adjusted[i];
  std::ranges::move(predictions, std::back_inserter(features));
  return features;
}

bool is_calendar_name(std::string_view name) {
  constexpr std::array<std::string_view, 27> kNames = {
      "date",          "datetime",   "timestamp",   "time",      "event_time",   "ts",           "year",
      "quarter",       "month",      "week",        "day",       "weekday",      "dow",          "doy",
      "day_of_week",   "dayofweek",  "day_of_year", "dayofyear", "day_of_month", "week_of_year", "weekofyear",
      "month_of_year", "is_weekend", "weekend",     "season",    "is_holiday",   "holiday"};
  std::string lower(name);
  for (char& c : lower) c = c == '-' || c == ' ' ? '_' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return std::ranges::find(kNames, lower) != kNames.end() || lower.ends_with("_date") || lower.ends_with("_timestamp");
}

}  // namespace weir::data
