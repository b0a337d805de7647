#include "voxloom/metrics/bootstrap.h"

#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "voxloom/core/error.h"
#include "voxloom/core/random.h"

namespace voxloom::metrics {
namespace {

TEST(QuantileTest, InterpolatesLikeNumpy) {
  const std::vector<double> v{4, 1, 3, 2};
  EXPECT_DOUBLE_EQ(quantile(v, 0), 1);
  EXPECT_DOUBLE_EQ(quantile(v, 0.5), 2.5);
  EXPECT_DOUBLE_EQ(quantile(v, 0.1), 1.3);
  EXPECT_DOUBLE_EQ(quantile(v, 1), 4);
}

TEST(BootstrapTest, IntervalOfTheMeanComesCloseToTheory) {
  Rng rng(1);
  std::vector<double> cases(200);
  for (double& v : cases) v = rng.normal(5, 2);
  const Interval i = bootstrap_mean(cases, {.confidence = 0.95, .resamples = 4000, .seed = 3});
  double squares = 0;
  for (const double v : cases) squares += (v - i.value) * (v - i.value);
  const double half = 1.96 * std::sqrt(squares / 200) / std::sqrt(200.0);
  EXPECT_NEAR(i.low, i.value - half, 0.1 * half);
  EXPECT_NEAR(i.high, i.value + half, 0.1 * half);
}

TEST(BootstrapTest, SameSeedSameIntervalOtherSeedAnother) {
  const std::vector<double> cases{0.1, 0.9, 0.4, 0.7, 0.75, 0.2};
  const Interval a = bootstrap_median(cases, {.seed = 5}), b = bootstrap_median(cases, {.seed = 5});
  EXPECT_EQ(a.low, b.low);
  EXPECT_EQ(a.high, b.high);
  EXPECT_DOUBLE_EQ(a.value, 0.55);
  const Interval c = bootstrap_mean(cases, {.seed = 5}), d = bootstrap_mean(cases, {.seed = 6});
  EXPECT_NE(c.low, d.low);
  EXPECT_LT(c.low, c.value);
  EXPECT_GT(c.high, c.value);
}

TEST(BootstrapTest, OneCaseIsItsOwnInterval) {
  const std::vector<double> one{0.25};
  const Interval i = bootstrap_mean(one);
  EXPECT_EQ(i.low, 0.25);
  EXPECT_EQ(i.high, 0.25);
}

TEST(BootstrapTest, InfiniteCasesStayInfiniteInsteadOfNan) {
  const double inf = std::numeric_limits<double>::infinity();
  const std::vector<double> cases{1, inf, inf, inf};
  const Interval i = bootstrap_median(cases);
  EXPECT_EQ(i.high, inf);
  EXPECT_FALSE(std::isnan(i.low));
}

TEST(BootstrapTest, BadInputIsAnError) {
  const std::vector<double> none, nan{1, std::nan("")}, fine{1, 2};
  EXPECT_THROW(static_cast<void>(bootstrap_mean(none)), Error);
  EXPECT_THROW(static_cast<void>(bootstrap_mean(nan)), Error);
  EXPECT_THROW(static_cast<void>(bootstrap_mean(fine, {.confidence = 1.0})), Error);
  EXPECT_THROW(static_cast<void>(bootstrap_mean(fine, {.resamples = 0})), Error);
}

}  // namespace
}  // namespace voxloom::metrics
