#include "voxloom/metrics/pixel_distances.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "voxloom/core/error.h"
#include "voxloom/metrics/bootstrap.h"

#include "guidewire_golden.h"
#include "random_masks.h"

namespace voxloom::metrics {
namespace {

using test::SmallMask;
using Percentile = PixelSetDistances::Percentile;
using Average = PixelSetDistances::Average;

TEST(PixelDistancesTest, EqualsTheGoldenExample) {
  const test::WireExample example;
  const auto& hard = example.golden.at("hard");
  const auto d = surface_pixel_distances(example.truth, example.predicted, 32, 32);
  const auto expect = [&](double value, const char* name) {
    EXPECT_NEAR(value, hard.at(name).get<double>(), 1e-12) << name;
  };
  expect(d.hausdorff(), "hd");
  expect(d.hausdorff95(), "hd95_max_of_directed_linear");
  expect(d.hausdorff95(Percentile::kPooled), "hd95_pooled");
  expect(d.average(), "assd_pooled");
  expect(d.average(Average::kMeanOfDirected), "assd_mean_of_means");
}

std::vector<double> naive_distances(const SmallMask& from, const SmallMask& to) {
  std::vector<double> out;
  for (int64_t y = 0; y < from.height; ++y) {
    for (int64_t x = 0; x < from.width; ++x) {
      if (from.at(x, y) == 0) continue;
      double best = std::numeric_limits<double>::infinity();
      for (int64_t v = 0; v < to.height; ++v) {
        for (int64_t u = 0; u < to.width; ++u) {
          if (to.at(u, v) == 0) continue;
          best = std::min(best, std::hypot(static_cast<double>(x - u), static_cast<double>(y - v)));
        }
      }
      out.push_back(best);
    }
  }
  return out;
}

TEST(PixelDistancesTest, EqualsAllPairsOnSmallMasks) {
  Rng rng(1);
  for (int i = 0; i < 150; ++i) {
    const auto w = static_cast<int64_t>(1 + rng.below(15)),
               h = static_cast<int64_t>(1 + rng.below(15));
    const auto a = i % 2 == 0 ? test::random_mask(rng, w, h) : test::random_wires(rng, w, h);
    const auto b = test::random_mask(rng, w, h);
    const auto got = pixel_distances(a.pixels, b.pixels, w, h);
    const auto want = naive_distances(a, b);
    ASSERT_EQ(got.size(), want.size());
    for (size_t k = 0; k < got.size(); ++k) {
      if (std::isinf(want[k])) {
        ASSERT_TRUE(std::isinf(got[k]));
      } else {
        ASSERT_NEAR(got[k], want[k], 1e-12);
      }
    }
  }
}

TEST(PixelDistancesTest, SurfaceIsTheMaskLessItsErosionByTheCross) {
  Rng rng(2);
  for (int i = 0; i < 60; ++i) {
    const auto m = test::random_mask(rng, 9, 6);
    const auto surface = surface_pixels(m.pixels, 9, 6);
    for (int64_t y = 0; y < 6; ++y) {
      for (int64_t x = 0; x < 9; ++x) {
        const bool inner = m.at(x - 1, y) != 0 && m.at(x + 1, y) != 0 && m.at(x, y - 1) != 0 &&
                           m.at(x, y + 1) != 0;
        ASSERT_EQ(surface[static_cast<size_t>(y * 9 + x)], m.at(x, y) != 0 && !inner);
      }
    }
  }
}

TEST(PixelDistancesTest, NumbersStayUnderFlipsTurnsAndMoves) {
  Rng rng(3);
  for (int i = 0; i < 40; ++i) {
    const auto a = test::random_wires(rng, 22, 17), b = test::random_wires(rng, 22, 17);
    const auto base = surface_pixel_distances(a.pixels, b.pixels, 22, 17);
    for (int symmetry = 1; symmetry < 8; ++symmetry) {
      const auto ta = test::turned(a, symmetry), tb = test::turned(b, symmetry);
      const auto d = surface_pixel_distances(ta.pixels, tb.pixels, ta.width, ta.height);
      ASSERT_EQ(d.from_truth, base.from_truth);
      ASSERT_EQ(d.from_predicted, base.from_predicted);
      ASSERT_EQ(d.diagonal, base.diagonal);
    }
    const auto pa = test::moved(a, 5, 2, 40, 30), pb = test::moved(b, 5, 2, 40, 30);
    const auto d = surface_pixel_distances(pa.pixels, pb.pixels, 40, 30);
    ASSERT_EQ(d.from_truth, base.from_truth);
    ASSERT_EQ(d.from_predicted, base.from_predicted);
    const auto swapped = surface_pixel_distances(b.pixels, a.pixels, 22, 17);
    ASSERT_EQ(swapped.from_truth, base.from_predicted);
    ASSERT_EQ(swapped.hausdorff95(), base.hausdorff95());
  }
}

TEST(PixelDistancesTest, ToleranceCountsWhatLiesWithinTheRadius) {
  // A line of five, and four pixels of it two rows below with one far away.
  std::vector<uint8_t> truth(10 * 10, 0), predicted(10 * 10, 0);
  for (size_t x = 1; x <= 5; ++x) truth[10 + x] = 1;
  for (size_t x = 1; x <= 4; ++x) predicted[30 + x] = 1;
  predicted[99] = 1;
  const auto d = compare_pixel_sets(truth, predicted, 10, 10);
  const auto at1 = d.within(1.0), at2 = d.within(2.0), at3 = d.within(3.0);
  EXPECT_EQ(at1.f1, 0.0);
  EXPECT_DOUBLE_EQ(at2.precision, 0.8);
  EXPECT_DOUBLE_EQ(at2.recall, 0.8);
  EXPECT_DOUBLE_EQ(at2.f1, 0.8);
  EXPECT_DOUBLE_EQ(at3.recall, 1.0);
  EXPECT_DOUBLE_EQ(at3.f1, 2 * 0.8 / 1.8);
  EXPECT_EQ(compare_pixel_sets(truth, truth, 10, 10).within(0.0).f1, 1.0);
}

TEST(PixelDistancesTest, EmptyMasksGiveZeroOrTheDiagonal) {
  const std::vector<uint8_t> empty(4 * 5, 0);
  std::vector<uint8_t> dot = empty;
  dot[7] = 1;
  const auto none = surface_pixel_distances(empty, empty, 4, 5);
  EXPECT_FALSE(none.one_empty);
  for (const double v : {none.hausdorff(),
                         none.hausdorff95(),
                         none.hausdorff95(Percentile::kPooled),
                         none.average(),
                         none.average(Average::kMeanOfDirected)}) {
    EXPECT_EQ(v, 0.0);
  }
  EXPECT_EQ(none.within(2).f1, 1.0);
  for (const auto& d :
       {surface_pixel_distances(empty, dot, 4, 5), surface_pixel_distances(dot, empty, 4, 5)}) {
    EXPECT_TRUE(d.one_empty);
    for (const double v : {d.hausdorff(),
                           d.hausdorff95(),
                           d.hausdorff95(Percentile::kPooled),
                           d.average(),
                           d.mean_from_truth(),
                           d.mean_from_predicted()}) {
      EXPECT_EQ(v, 5.0);  // 3 by 4.
    }
    EXPECT_EQ(d.within(100).f1, 0.0);
  }
}

TEST(PixelDistancesTest, WrongLengthsAreErrors) {
  const std::vector<uint8_t> a(6, 1), b(5, 1);
  EXPECT_THROW(static_cast<void>(compare_pixel_sets(a, b, 2, 3)), Error);
  EXPECT_THROW(static_cast<void>(surface_pixels(a, 0, 6)), Error);
}

}  // namespace
}  // namespace voxloom::metrics
