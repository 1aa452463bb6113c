#include "data/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

// Numbers called golden come from scipy 1.17.1: ks_2samp, chi2_contingency(correction=False), gamma.sf, chi2.sf.
namespace weir::data {
namespace {

std::vector<double> residues(int count, int step, int modulus, double factor = 1.0, double offset = 0.0) {
  std::vector<double> values;
  for (int i = 1; i <= count; ++i) {
    values.push_back(static_cast<double>(i * step % modulus) / static_cast<double>(modulus) * factor + offset);
  }
  return values;
}

TEST(KolmogorovSmirnov, AgreesWithScipyOnSmallSamplesWithTies) {
  const std::vector<double> a = {0.1, 0.4, 0.4, 1.2, 2.5, 3.0, 3.3};
  const std::vector<double> b = {0.4, 2.0, 2.5, 3.5, 4.0};
  const auto result = kolmogorov_smirnov(a, b);
  ASSERT_TRUE(result.has_value());
  EXPECT_DOUBLE_EQ(result->statistic, 0.4);
  EXPECT_NEAR(result->p, 0.6388888888888888, 1e-12);
}

TEST(KolmogorovSmirnov, AgreesWithScipysExactPValue) {
  const auto a = residues(200, 37, 211);
  const auto far = kolmogorov_smirnov(a, residues(80, 53, 199, 0.9, 0.2));
  const auto near = kolmogorov_smirnov(a, residues(20, 53, 199, 0.9, 0.2));
  ASSERT_TRUE(far.has_value() && near.has_value());
  EXPECT_NEAR(far->statistic, 0.24, 1e-12);
  EXPECT_NEAR(far->p, 0.002331408398001488, 1e-12);
  EXPECT_NEAR(near->statistic, 0.255, 1e-12);
  EXPECT_NEAR(near->p, 0.16305626365149908, 1e-12);
}

TEST(KolmogorovSmirnov, KeepsItsDigitsWhereThePValueIsTiny) {
  std::vector<double> a(100);
  std::vector<double> b(60);
  for (int i = 0; i < 100; ++i) a[static_cast<std::size_t>(i)] = i;
  for (int i = 0; i < 60; ++i) b[static_cast<std::size_t>(i)] = 90 + i;
  const auto result = kolmogorov_smirnov(a, b);
  ASSERT_TRUE(result.has_value());
  EXPECT_DOUBLE_EQ(result->statistic, 0.9);
  EXPECT_NEAR(result->p / 7.741760416273535e-33, 1.0, 1e-9);
}

TEST(KolmogorovSmirnov, ApproximatesLargeSamples) {
  const auto result = kolmogorov_smirnov(residues(5000, 37, 5003), residues(3000, 53, 3001, 1.0, 0.02));
  ASSERT_TRUE(result.has_value());
  EXPECT_NEAR(result->statistic, 0.0206, 1e-12);
  EXPECT_NEAR(result->p, 0.39851015382843713, 0.005);
}

TEST(KolmogorovSmirnov, EqualSamplesShowNothing) {
  const std::vector<double> a = {1, 2, 3};
  const auto result = kolmogorov_smirnov(a, a);
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->statistic, 0.0);
  EXPECT_EQ(result->p, 1.0);
}

TEST(KolmogorovSmirnov, RefusesAnEmptySampleAndNaN) {
  const std::vector<double> a = {1, 2, 3};
  EXPECT_FALSE(kolmogorov_smirnov(a, {}).has_value());
  const std::vector<double> broken = {1.0, std::nan("")};
  EXPECT_FALSE(kolmogorov_smirnov(a, broken).has_value());
}

TEST(ChiSquared, AgreesWithScipyAlsoForUnseenCategories) {
  const std::vector<double> a1 = {10, 20, 30}, b1 = {15, 15, 30};
  const std::vector<double> a2 = {100, 50, 25, 0}, b2 = {30, 40, 20, 10};
  const std::vector<double> a3 = {500, 3}, b3 = {480, 25};
  EXPECT_NEAR(chi_squared(a1, b1)->statistic, 1.7142857142857144, 1e-12);
  EXPECT_NEAR(chi_squared(a1, b1)->p, 0.42437284567695, 1e-12);
  EXPECT_NEAR(chi_squared(a2, b2)->statistic, 31.227106227106226, 1e-12);
  EXPECT_NEAR(chi_squared(a2, b2)->p / 7.614121441777966e-07, 1.0, 1e-9);
  EXPECT_NEAR(chi_squared(a3, b3)->statistic, 17.689978938251674, 1e-12);
  EXPECT_NEAR(chi_squared(a3, b3)->p / 2.5999269710558855e-05, 1.0, 1e-9);
}

TEST(ChiSquared, LeavesOutCategoriesThatNobodyHas) {
  const std::vector<double> a = {10, 0, 20, 30}, b = {15, 0, 15, 30};
  EXPECT_NEAR(chi_squared(a, b)->p, 0.42437284567695, 1e-12);
}

TEST(ChiSquared, RefusesEmptyRowsNegativeCountsAndDifferentLengths) {
  const std::vector<double> a = {1, 2}, none = {0, 0}, negative = {3, -1}, longer = {1, 2, 3};
  EXPECT_FALSE(chi_squared(a, none).has_value());
  EXPECT_FALSE(chi_squared(a, negative).has_value());
  EXPECT_FALSE(chi_squared(a, longer).has_value());
}

TEST(PopulationStability, IsTheSumOverTheSharesOfTheBins) {
  const std::vector<double> reference = {50, 30, 20}, live = {20, 30, 50};
  double expected = 0.0;
  for (std::size_t i = 0; i < 3; ++i) {
    const double a = (reference[i] + 0.5) / 101.5;
    const double b = (live[i] + 0.5) / 101.5;
    expected += (b - a) * std::log(b / a);
  }
  const auto psi = population_stability(reference, live);
  ASSERT_TRUE(psi.has_value());
  EXPECT_NEAR(psi->value, expected, 1e-12);
  EXPECT_EQ(psi->freedom, 2);
  EXPECT_NEAR(psi->expected, 2.0 * (1.0 / 100 + 1.0 / 100), 1e-12);
}

TEST(PopulationStability, StaysFiniteForAnEmptyBin) {
  const std::vector<double> reference = {50, 50, 0}, live = {0, 50, 50};
  const auto psi = population_stability(reference, live);
  ASSERT_TRUE(psi.has_value());
  EXPECT_TRUE(std::isfinite(psi->value));
  EXPECT_GT(psi->value, 3.0);
}

TEST(PopulationStability, ItsNoiseIsWhatItSaysItIs) {
  std::mt19937_64 random(7);
  std::vector<double> reference(10, 500.0);
  for (const int rows : {50, 100, 200, 1000}) {
    double sum = 0.0;
    double expected = 0.0;
    constexpr int kRounds = 2000;
    for (int round = 0; round < kRounds; ++round) {
      std::vector<double> live(10, 0.0);
      for (int i = 0; i < rows; ++i) live[std::uniform_int_distribution<std::size_t>(0, 9)(random)] += 1.0;
      const auto psi = population_stability(reference, live);
      sum += psi->value;
      expected += psi->expected;
    }
    // The reference is exact here, so its own share of the noise, 9/5000, is missing.
    EXPECT_NEAR(sum / kRounds, expected / kRounds - 9.0 / 5000.0, 0.1 * expected / kRounds) << rows;
  }
}

TEST(Tails, AgreeWithScipy) {
  EXPECT_NEAR(gamma_tail(4.3, 2.1, 0.7), 0.01513908271637768, 1e-12);
  EXPECT_NEAR(chi_squared_tail(25, 9), 0.002971180485917624, 1e-12);
  EXPECT_NEAR(poisson_tail(2, 0.1), 1.0 - std::exp(-0.1) * 1.1, 1e-12);
  EXPECT_EQ(poisson_tail(0, 0.1), 1.0);
  EXPECT_EQ(chi_squared_tail(0, 9), 1.0);
  EXPECT_EQ(gamma_tail(1.0, 0.0, 0.0), 0.0);
}

TEST(Holm, MultipliesByWhatIsLeftAndNeverFalls) {
  const std::vector<double> p = {0.01, 0.04, 0.03, 0.005};
  const auto adjusted = holm(p);
  EXPECT_NEAR(adjusted[3], 0.02, 1e-15);
  EXPECT_NEAR(adjusted[0], 0.03, 1e-15);
  EXPECT_NEAR(adjusted[2], 0.06, 1e-15);
  EXPECT_NEAR(adjusted[1], 0.06, 1e-15);
  EXPECT_TRUE(holm({}).empty());
}

TEST(Evidence, IsWorthNothingOnAverageWithoutAnEffect) {
  // The mean over uniform p-values, by the midpoint rule in ln p, is 1.
  double mean = 0.0;
  constexpr int kSteps = 200'000;
  constexpr double kLowest = -230.0;
  for (int i = 0; i < kSteps; ++i) {
    const double log_p = kLowest * (i + 0.5) / kSteps;
    mean += evidence(std::exp(log_p)) * std::exp(log_p) * -kLowest / kSteps;
  }
  EXPECT_LE(mean, 1.0);
  EXPECT_GT(mean, 0.98);
  EXPECT_DOUBLE_EQ(evidence(1.0), 0.5);
  EXPECT_GT(evidence(1e-10), 1e7);
}

TEST(WilsonInterval, HoldsTheShareAndIsWideForFew) {
  const auto interval = wilson_interval(70, 100, 1.96);
  EXPECT_NEAR(interval.low, 0.6042, 1e-4);
  EXPECT_NEAR(interval.high, 0.7811, 1e-4);
  EXPECT_EQ(wilson_interval(0, 0, 1.96).high, 1.0);
}

TEST(Quantile, InterpolatesAsNumpyDoes) {
  const std::vector<double> values = {1, 2, 4, 8};
  EXPECT_DOUBLE_EQ(quantile_sorted(values, 0.5), 3.0);
  EXPECT_DOUBLE_EQ(quantile_sorted(values, 0.1), 1.3);
  EXPECT_TRUE(std::isnan(quantile_sorted({}, 0.5)));
}

}  // namespace
}  // namespace weir::data
