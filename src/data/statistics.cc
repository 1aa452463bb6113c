#include "data/statistics.h"

#include <algorithm>
#include <boost/math/special_functions/gamma.hpp>
#include <cmath>
#include <limits>
#include <numeric>

namespace weir::data {
namespace {

// Errors of arguments cannot happen here (they are checked before), and under- and overflow are fine as 0 and infinity.
using MathPolicy =
    boost::math::policies::policy<boost::math::policies::domain_error<boost::math::policies::ignore_error>,
                                  boost::math::policies::overflow_error<boost::math::policies::ignore_error>,
                                  boost::math::policies::underflow_error<boost::math::policies::ignore_error>,
                                  boost::math::policies::evaluation_error<boost::math::policies::ignore_error>>;

// P(a path of `m` steps right and `n` steps up, all equally likely, comes at some point as far as `reach` from the
// diagonal, in units of 1/(mn)). The share of paths to (i, j) that were outside is a mean over the two last steps: of
// the C(i+j, i) paths, i/(i+j) come from the left. Nothing cancels, so small values are exact to rounding.
double outside_share(std::size_t m, std::size_t n, std::int64_t reach) {
  if (m < n) std::swap(m, n);
  std::vector<double> outside(n + 1, 0.0);
  const auto is_out = [&](std::size_t i, std::size_t j) {
    const auto distance = static_cast<std::int64_t>(i * n) - static_cast<std::int64_t>(j * m);
    return std::abs(distance) >= reach;
  };
  for (std::size_t j = 0; j <= n; ++j) outside[j] = is_out(0, j) ? 1.0 : (j == 0 ? 0.0 : outside[j - 1]);
  for (std::size_t i = 1; i <= m; ++i) {
    if (is_out(i, 0)) outside[0] = 1.0;
    for (std::size_t j = 1; j <= n; ++j) {
      const auto right = static_cast<double>(i);
      const auto up = static_cast<double>(j);
      outside[j] = is_out(i, j) ? 1.0 : (right * outside[j] + up * outside[j - 1]) / (right + up);
    }
  }
  return outside[n];
}

// Kolmogorov's distribution: 2 sum of (-1)^(k-1) exp(-2 k^2 x^2).
double kolmogorov_tail(double x) {
  if (x < 0.2) return 1.0;
  double sum = 0.0;
  for (int k = 1; k <= 100; ++k) {
    const double term = std::exp(-2.0 * k * k * x * x);
    sum += k % 2 == 1 ? term : -term;
    if (term < 1e-17) break;
  }
  return std::clamp(2.0 * sum, 0.0, 1.0);
}

double sum_of(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

Result<void> check_counts(std::span<const double> a, std::span<const double> b) {
  if (a.size() != b.size()) {
    return fail(Code::kInvalidArgument, "counts of {} and of {} categories cannot be compared", a.size(), b.size());
  }
  for (const auto row : {a, b}) {
    if (std::ranges::any_of(row, [](double count) { return !(count >= 0.0) || std::isinf(count); })) {
      return fail(Code::kInvalidArgument, "a count is negative or not finite");
    }
    if (sum_of(row) <= 0.0) return fail(Code::kInvalidArgument, "a sample without values cannot be compared");
  }
  return {};
}

}  // namespace

Result<TestResult> kolmogorov_smirnov_sorted(std::span<const double> a, std::span<const double> b) {
  if (a.empty() || b.empty()) return fail(Code::kInvalidArgument, "a sample without values cannot be compared");
  const auto m = static_cast<std::int64_t>(a.size());
  const auto n = static_cast<std::int64_t>(b.size());
  // In whole numbers of 1/(mn), so that ties and the exact count see no rounding.
  std::int64_t reach = 0;
  std::size_t i = 0;
  std::size_t j = 0;
  while (i < a.size() && j < b.size()) {
    const double x = std::min(a[i], b[j]);
    while (i < a.size() && a[i] <= x) ++i;
    while (j < b.size() && b[j] <= x) ++j;
    reach = std::max(reach, std::abs(static_cast<std::int64_t>(i) * n - static_cast<std::int64_t>(j) * m));
  }
  TestResult result;
  result.statistic = static_cast<double>(reach) / (static_cast<double>(m) * static_cast<double>(n));
  if (reach == 0) return result;
  if (a.size() * b.size() <= kExactPathsMax) {
    result.p = outside_share(a.size(), b.size(), reach);
  } else {
    const double size = std::sqrt(static_cast<double>(m) * static_cast<double>(n) / static_cast<double>(m + n));
    result.p = kolmogorov_tail((size + 0.12 + 0.11 / size) * result.statistic);
  }
  return result;
}

Result<TestResult> kolmogorov_smirnov(std::span<const double> a, std::span<const double> b) {
  std::vector<double> first(a.begin(), a.end());
  std::vector<double> second(b.begin(), b.end());
  for (auto* sample : {&first, &second}) {
    if (std::ranges::any_of(*sample, [](double x) { return std::isnan(x); })) {
      return fail(Code::kInvalidArgument, "a sample holds a value that is not a number");
    }
    std::ranges::sort(*sample);
  }
  return kolmogorov_smirnov_sorted(first, second);
}

Result<TestResult> chi_squared(std::span<const double> a, std::span<const double> b) {
  WEIR_TRY(check_counts(a, b));
  const double sum_a = sum_of(a);
  const double sum_b = sum_of(b);
  TestResult result;
  int used = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double both = a[i] + b[i];
    if (both <= 0.0) continue;
    ++used;
    const double expected_a = both * sum_a / (sum_a + sum_b);
    const double expected_b = both * sum_b / (sum_a + sum_b);
    result.statistic += (a[i] - expected_a) * (a[i] - expected_a) / expected_a;
    result.statistic += (b[i] - expected_b) * (b[i] - expected_b) / expected_b;
  }
  if (used > 1) result.p = chi_squared_tail(result.statistic, used - 1);
  return result;
}

Result<Psi> population_stability(std::span<const double> reference, std::span<const double> live) {
  WEIR_TRY(check_counts(reference, live));
  constexpr double kAdded = 0.5;
  int used = 0;
  int reference_used = 0;
  for (std::size_t i = 0; i < reference.size(); ++i) {
    if (reference[i] + live[i] > 0.0) ++used;
    if (reference[i] > 0.0) ++reference_used;
  }
  const double sum_reference = sum_of(reference);
  const double sum_live = sum_of(live);
  Psi psi;
  for (std::size_t i = 0; i < reference.size(); ++i) {
    if (reference[i] + live[i] <= 0.0) continue;
    const double share_reference = (reference[i] + kAdded) / (sum_reference + kAdded * used);
    const double share_live = (live[i] + kAdded) / (sum_live + kAdded * used);
    psi.value += (share_live - share_reference) * std::log(share_live / share_reference);
  }
  // A bin that only drift fills has no part in the noise.
  psi.freedom = std::max(1, reference_used - 1);
  psi.expected = psi.freedom * (1.0 / sum_live + 1.0 / sum_reference);
  return psi;
}

double chi_squared_tail(double x, double freedom) {
  if (!(x > 0.0)) return 1.0;
  return boost::math::gamma_q(freedom / 2.0, x / 2.0, MathPolicy());
}

double gamma_tail(double x, double mean, double variance) {
  if (!(x > 0.0)) return 1.0;
  if (!(mean > 0.0) || !(variance > 0.0)) return x > mean ? 0.0 : 1.0;
  return boost::math::gamma_q(mean * mean / variance, x * mean / variance, MathPolicy());
}

double poisson_tail(double count, double expected) {
  if (!(count > 0.0)) return 1.0;
  if (!(expected > 0.0)) return 0.0;
  return boost::math::gamma_p(count, expected, MathPolicy());
}

std::vector<double> holm(std::span<const double> p) {
  std::vector<std::size_t> order(p.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, {}, [&](std::size_t i) { return std::pair(p[i], i); });
  std::vector<double> adjusted(p.size(), 1.0);
  double largest = 0.0;
  for (std::size_t rank = 0; rank < order.size(); ++rank) {
    const double scaled = std::min(1.0, p[order[rank]] * static_cast<double>(p.size() - rank));
    largest = std::max(largest, scaled);
    adjusted[order[rank]] = largest;
  }
  return adjusted;
}

double evidence(double p) {
  // Close to 1 the formula is 0/0; its limit is 1/2. Below 1e-100 it would overflow what is multiplied later.
  if (p > 0.9999) return 0.5;
  const double q = std::max(p, 1e-100);
  const double log_q = std::log(q);
  return (1.0 - q + q * log_q) / (q * log_q * log_q);
}

Interval wilson_interval(double hits, double count, double z) {
  if (!(count > 0.0)) return {};
  const double share = hits / count;
  const double z2 = z * z;
  const double centre = (share + z2 / (2.0 * count)) / (1.0 + z2 / count);
  const double half = z / (1.0 + z2 / count) * std::sqrt(share * (1.0 - share) / count + z2 / (4.0 * count * count));
  return {.low = std::max(0.0, centre - half), .high = std::min(1.0, centre + half)};
}

double quantile_sorted(std::span<const double> sorted, double q) {
  if (sorted.empty()) return std::numeric_limits<double>::quiet_NaN();
  const double place = std::clamp(q, 0.0, 1.0) * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (sorted[above] - sorted[below]) * (place - static_cast<double>(below));
}

}  // namespace weir::data
