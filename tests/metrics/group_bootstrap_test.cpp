#include "voxloom/metrics/group_bootstrap.h"

#include <cmath>
#include <numeric>
#include <vector>

#include <gtest/gtest.h>

#include "voxloom/core/error.h"
#include "voxloom/core/random.h"

namespace voxloom::metrics {
namespace {

using Values = std::vector<double>;
using Groups = std::vector<int64_t>;

// Frames of a sequence that say the same thing: 40 sequences of 25 frames.
struct Repeated {
  Values cases;
  Groups groups;
  Values one_each;

  Repeated() {
    Rng rng(1);
    for (int64_t g = 0; g < 40; ++g) {
      const double v = rng.normal(0.8, 0.05);
      one_each.push_back(v);
      for (int k = 0; k < 25; ++k) {
        cases.push_back(v);
        groups.push_back(g);
      }
    }
  }
};

TEST(GroupBootstrapTest, RepeatedFramesDontNarrowTheInterval) {
  const Repeated r;
  const Interval by_group = group_bootstrap_mean(r.cases, r.groups);
  const Interval by_frame = bootstrap_mean(r.cases, kGroupBootstrap);
  const Interval of_one = bootstrap_mean(r.one_each, kGroupBootstrap);
  EXPECT_NEAR(by_group.value, of_one.value, 1e-12);
  EXPECT_NEAR(by_group.low, of_one.low, 1e-12);
  EXPECT_NEAR(by_group.high, of_one.high, 1e-12);
  EXPECT_GT(by_group.high - by_group.low, 4 * (by_frame.high - by_frame.low));  // sqrt(25) = 5.
}

TEST(GroupBootstrapTest, IntervalComesCloseToTheory) {
  const Repeated r;
  double squares = 0;
  const Interval i = group_bootstrap_mean(r.cases, r.groups);
  for (const double v : r.one_each) squares += (v - i.value) * (v - i.value);
  const double half = 1.96 * std::sqrt(squares / 40) / std::sqrt(40.0);
  EXPECT_NEAR(i.low, i.value - half, 0.1 * half);
  EXPECT_NEAR(i.high, i.value + half, 0.1 * half);
}

TEST(GroupBootstrapTest, MeanRatioAndAnyStatisticAgree) {
  Rng rng(2);
  Values cases, ones;
  Groups groups;
  for (int64_t g = 0; g < 7; ++g) {
    for (uint64_t k = 0; k < 1 + rng.below(6); ++k) {
      cases.push_back(rng.uniform());
      groups.push_back(100 - g);
    }
  }
  ones.assign(cases.size(), 1.0);
  const Interval a = group_bootstrap_mean(cases, groups, {.resamples = 500, .seed = 4});
  const Interval b = group_bootstrap_ratio(cases, ones, groups, 0, {.resamples = 500, .seed = 4});
  const Interval c = group_bootstrap(cases, groups, mean, {.resamples = 500, .seed = 4});
  EXPECT_EQ(a.low, b.low);
  EXPECT_EQ(a.high, b.high);
  EXPECT_NEAR(a.value, c.value, 1e-12);
  EXPECT_NEAR(a.low, c.low, 1e-12);
  EXPECT_NEAR(a.high, c.high, 1e-12);
}

TEST(GroupBootstrapTest, PooledRatioWeighsByPixelsAndTheMeanDoesNot) {
  // A large image at 0.9 and a small one at 0.1.
  const Values parts{900, 1}, wholes{1000, 10}, each{0.9, 0.1};
  const Groups groups{0, 1};
  EXPECT_DOUBLE_EQ(group_bootstrap_ratio(parts, wholes, groups, 1).value, 901.0 / 1010.0);
  EXPECT_DOUBLE_EQ(group_bootstrap_mean(each, groups).value, 0.5);
  const Values nothing{0, 0};
  EXPECT_EQ(group_bootstrap_ratio(nothing, nothing, groups, 1.0).value, 1.0);
}

TEST(GroupBootstrapTest, OneGroupIsItsOwnInterval) {
  const Values cases{0.2, 0.4};
  const Groups groups{3, 3};
  const Interval i = group_bootstrap_mean(cases, groups);
  EXPECT_DOUBLE_EQ(i.low, 0.3);
  EXPECT_DOUBLE_EQ(i.high, 0.3);
  const auto d = group_bootstrap_difference(cases, Values{0.1, 0.1}, groups);
  EXPECT_EQ(d.p, 1.0);
  EXPECT_EQ(d.groups, 1);
  EXPECT_DOUBLE_EQ(d.difference.value, 0.2);
}

TEST(GroupBootstrapTest, PairedDifferenceSeesWhatUnpairedSpreadHides) {
  Rng rng(3);
  Values a, b;
  Groups groups;
  for (int64_t g = 0; g < 12; ++g) {
    const double level = rng.uniform(0.3, 0.9);  // Sequences differ much,
    for (int k = 0; k < 10; ++k) {
      b.push_back(level + 0.01 * rng.normal());
      a.push_back(b.back() + 0.02 + 0.005 * rng.normal());  // methods little.
      groups.push_back(g);
    }
  }
  const auto d = group_bootstrap_difference(a, b, groups);
  EXPECT_NEAR(d.difference.value, 0.02, 0.002);
  EXPECT_GT(d.difference.low, 0.017);
  EXPECT_LT(d.difference.high, 0.023);
  EXPECT_DOUBLE_EQ(d.p, 2.0 / 10001.0);
  EXPECT_EQ(d.cases, 120);
  EXPECT_EQ(d.groups, 12);
  const auto back = group_bootstrap_difference(b, a, groups);
  EXPECT_DOUBLE_EQ(back.difference.value, -d.difference.value);
  EXPECT_DOUBLE_EQ(back.p, d.p);
}

TEST(GroupBootstrapTest, NoDifferenceGivesLargePAndEqualMethodsGiveOne) {
  const Values a{0.1, -0.1, 0.2, -0.2, 0.05, -0.05}, zero(6, 0.0);
  const Groups groups{0, 1, 2, 3, 4, 5};
  EXPECT_GT(group_bootstrap_difference(a, zero, groups).p, 0.5);
  EXPECT_EQ(group_bootstrap_difference(a, a, groups).p, 1.0);
}

// Under "no difference" p should be below 0.05 about one time in twenty.
TEST(GroupBootstrapTest, PValuesHoldTheirLevelRoughly) {
  Rng rng(5);
  int small = 0;
  for (int trial = 0; trial < 300; ++trial) {
    Values a, b;
    Groups groups;
    for (int64_t g = 0; g < 20; ++g) {
      const double offset = rng.normal();
      for (int k = 0; k < 4; ++k) {
        a.push_back(offset + 0.2 * rng.normal());
        b.push_back(0.0);
        groups.push_back(g);
      }
    }
    small += group_bootstrap_difference(a, b, groups, {.resamples = 400, .seed = 9}).p < 0.05;
  }
  EXPECT_GE(small, 6);
  EXPECT_LE(small, 40);
}

TEST(GroupBootstrapTest, BadInputIsAnError) {
  const Values two{1, 2}, nan{1, std::nan("")}, inf{1, INFINITY}, negative{1, -1};
  const Groups groups{0, 1}, one{0};
  EXPECT_THROW(static_cast<void>(group_bootstrap_mean({}, {})), Error);
  EXPECT_THROW(static_cast<void>(group_bootstrap_mean(two, one)), Error);
  EXPECT_THROW(static_cast<void>(group_bootstrap_mean(nan, groups)), Error);
  EXPECT_THROW(static_cast<void>(group_bootstrap_mean(two, groups, {.confidence = 0})), Error);
  EXPECT_THROW(static_cast<void>(group_bootstrap_mean(two, groups, {.resamples = -1})), Error);
  EXPECT_THROW(static_cast<void>(group_bootstrap_ratio(two, negative, groups, 0)), Error);
  EXPECT_THROW(static_cast<void>(group_bootstrap_difference(inf, inf, groups)), Error);
}

}  // namespace
}  // namespace voxloom::metrics
