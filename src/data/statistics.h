#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/error.h"

// Statistics of two samples: a reference and what came later. All functions are pure; any thread may call them.
namespace weir::data {

struct TestResult {
  double statistic = 0.0;
  double p = 1.0;  // how likely a statistic at least as large is if both samples come from one distribution
};

// Two-sided Kolmogorov-Smirnov test of two samples without NaN: the largest distance between their empirical
// distribution functions (0 to 1). With ties the p-value is conservative, as everywhere. It is exact, counted over
// lattice paths, where that takes at most kExactPathsMax steps; beyond, Kolmogorov's limit with Stephens' correction
// (1970). kInvalidArgument if a sample is empty or holds a NaN.
inline constexpr std::size_t kExactPathsMax = 4'000'000;
Result<TestResult> kolmogorov_smirnov(std::span<const double> a, std::span<const double> b);
// The same for samples that are sorted already.
Result<TestResult> kolmogorov_smirnov_sorted(std::span<const double> a, std::span<const double> b);

// Pearson's chi-squared test of homogeneity: do two rows of counts over the same categories come from one distribution?
// Categories that are empty in both rows are left out, so that one unseen in either row is welcome. No continuity
// correction. kInvalidArgument if the rows differ in length, a count is negative or a row is empty.
Result<TestResult> chi_squared(std::span<const double> a, std::span<const double> b);

// Population stability index, sum of (b - a) ln(b / a) over the bins' shares (the symmetrised Kullback-Leibler
// divergence). Half a count is added to every bin that either row uses, so that an empty one stays finite.
struct Psi {
  double value = 0.0;
  // What `value` is on average without any drift, from the noise of small counts alone: about
  // (bins - 1) (1/n + 1/m), as n * PSI is then nearly chi-squared. Yurdakul and Naranjo (2020).
  double expected = 0.0;
  int freedom = 0;  // bins - 1, at least 1
};
Result<Psi> population_stability(std::span<const double> reference, std::span<const double> live);

// P(X >= x) of the chi-squared distribution with `freedom` degrees, and of the gamma distribution with the given mean
// and variance. 1 for x <= 0.
double chi_squared_tail(double x, double freedom);
double gamma_tail(double x, double mean, double variance);
// P(X >= count) of the Poisson distribution with mean `expected`.
double poisson_tail(double count, double expected);

// Holm's step-down correction (1979): p-values, multiplied so that calling those below alpha has a chance of at most
// alpha to call any by mistake, whatever their dependence. In the order given.
std::vector<double> holm(std::span<const double> p);

// What a p-value is worth as evidence: an e-value, of mean at most 1 without an effect, so that the values of
// successive looks may be multiplied. The calibrator of Vovk and Wang (2021), (1 - p + p ln p) / (p ln(p)^2); 1/2 for p
// = 1.
double evidence(double p);

// Wilson's score interval (1927) for a share of `hits` among `count`, at `z` standard errors; {0, 1} for no count.
struct Interval {
  double low = 0.0;
  double high = 1.0;
};
Interval wilson_interval(double hits, double count, double z);

// The value below which a share `q` of the sorted values lies, interpolated as numpy does it by default. NaN if empty.
double quantile_sorted(std::span<const double> sorted, double q);

}  // namespace weir::data
