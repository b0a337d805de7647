#include "voxloom/metrics/surface.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include <gtest/gtest.h>

#include "voxloom/core/error.h"
#include "voxloom/core/random.h"

namespace voxloom::metrics {
namespace {

using image::Index3;
using image::Vec3;
using Mask = std::vector<uint8_t>;

Mask box(const Index3& size, const Index3& lo, const Index3& hi) {
  Mask mask(static_cast<size_t>(size[0] * size[1] * size[2]), 0);
  for (int64_t z = lo[2]; z <= hi[2]; ++z) {
    for (int64_t y = lo[1]; y <= hi[1]; ++y) {
      for (int64_t x = lo[0]; x <= hi[0]; ++x) {
        mask[static_cast<size_t>((z * size[1] + y) * size[0] + x)] = 1;
      }
    }
  }
  return mask;
}

Mask ball(int64_t edge, const Vec3& mm, double radius_mm, const Vec3& centre_mm) {
  Mask mask(static_cast<size_t>(edge * edge * edge));
  for (size_t i = 0; i < mask.size(); ++i) {
    const auto n = static_cast<int64_t>(i);
    const Index3 at{n % edge, n / edge % edge, n / edge / edge};
    double d = 0;
    for (size_t k = 0; k < 3; ++k) {
      d += std::pow(static_cast<double>(at[k]) * mm[k] - centre_mm[k], 2);
    }
    mask[i] = d <= radius_mm * radius_mm;
  }
  return mask;
}

TEST(SurfaceAreaTest, FlatAndCornerCellsHaveTheirPlaneArea) {
  const Vec3 mm{2, 3, 5};
  const auto area = surface_element_area(mm);
  EXPECT_EQ(area[0], 0);
  EXPECT_EQ(area[255], 0);
  EXPECT_NEAR(area[0b01010101], 15, 1e-9);  // Inside at x = 0: a plane of y times z.
  EXPECT_NEAR(area[0b00110011], 10, 1e-9);
  EXPECT_NEAR(area[0b00001111], 6, 1e-9);
  // One corner: half the cross product of (-1, 1.5, 0) and (-1, 0, 2.5).
  EXPECT_NEAR(area[1], 0.5 * std::hypot(3.75, 2.5, 1.5), 1e-9);
}

TEST(SurfaceAreaTest, InsideAndOutsideCanBeExchangedAndAxesToo) {
  const auto area = surface_element_area({1, 1, 1});
  for (size_t code = 0; code < 256; ++code) {
    EXPECT_NEAR(area[code], area[255 - code], 1e-9) << code;
    size_t turned = 0;  // x <-> y
    for (size_t bit = 0; bit < 8; ++bit) {
      const size_t to = (bit >> 1 & 1) | (bit & 1) << 1 | (bit & 4);
      turned |= (code >> bit & 1) << to;
    }
    EXPECT_NEAR(area[code], area[turned], 1e-9) << code;
  }
}

TEST(SurfaceDistancesTest, ABallHasNearlyItsArea) {
  const Vec3 mm{1, 1, 1};
  const Mask a = ball(50, mm, 20, {24.5, 24.5, 24.5});
  const auto d = surface_distances(a, a, {50, 50, 50}, mm);
  // Marching cubes on a binary mask overestimates by about 9 %.
  EXPECT_NEAR(d.truth.total_area_mm2() / (4 * M_PI * 400), 1.08, 0.04);
  EXPECT_EQ(d.surface_dice(0), 1.0);
  EXPECT_EQ(d.hausdorff_mm(), 0.0);
  EXPECT_EQ(d.average_mm(), 0.0);
}

TEST(SurfaceDistancesTest, ASlabMovedByOneSliceIsOneSpacingAway) {
  const Index3 size{12, 12, 12};
  const Vec3 mm{1, 1, 2.5};
  const Mask a = box(size, {0, 0, 3}, {11, 11, 6}), b = box(size, {0, 0, 4}, {11, 11, 7});
  const auto d = surface_distances(a, b, size, mm);
  EXPECT_FLOAT_EQ(static_cast<float>(d.hausdorff_mm(100)), 2.5F);
  EXPECT_GT(d.surface_dice(2.5), 0.9999);
  EXPECT_LT(d.surface_dice(2.4), 0.7);  // The sides still meet, top and bottom do not.
  // Fits the definition: swapping the masks swaps the sides.
  const auto swapped = surface_distances(b, a, size, mm);
  EXPECT_EQ(swapped.truth.distance_mm, d.predicted.distance_mm);
  EXPECT_DOUBLE_EQ(swapped.average_mm(), d.average_mm());
}

TEST(SurfaceDistancesTest, ConcentricBallsAreTheirRadiiApart) {
  const Vec3 mm{1, 0.8, 2};
  const Vec3 centre{24, 20, 48};
  const auto d =
      surface_distances(ball(49, mm, 18, centre), ball(49, mm, 14, centre), {49, 49, 49}, mm);
  // Elements sit on voxel corners, and the nearest of several is taken: less than 4, by under half
  // the coarsest spacing.
  EXPECT_NEAR(d.average_mm(), 3.5, 0.5);
  EXPECT_NEAR(d.hausdorff_mm(95), 4.0, 1.0);
  EXPECT_EQ(d.surface_dice(1.0), 0.0);
  EXPECT_EQ(d.surface_dice(6.5), 1.0);
}

TEST(SurfaceDistancesTest, ObjectsAtTheVolumeBorderAreClosed) {
  const Index3 size{4, 4, 4};
  const Mask all(64, 1);
  const auto d = surface_distances(all, all, size, {1, 1, 1});
  EXPECT_GT(d.truth.total_area_mm2(), 80.0);  // Six sides of nearly 16.
}

TEST(SurfaceDistancesTest, EmptyMasksAreDefined) {
  const Index3 size{5, 5, 5};
  const Mask empty(125, 0), some = box(size, {1, 1, 1}, {2, 2, 2});
  const auto none = surface_distances(empty, empty, size, {1, 1, 1});
  EXPECT_EQ(none.surface_dice(1), 1.0);
  EXPECT_EQ(none.hausdorff_mm(), 0.0);
  EXPECT_EQ(none.average_mm(), 0.0);
  for (const auto& d : {surface_distances(some, empty, size, {1, 1, 1}),
                        surface_distances(empty, some, size, {1, 1, 1})}) {
    EXPECT_EQ(d.surface_dice(100), 0.0);
    EXPECT_TRUE(std::isinf(d.hausdorff_mm()));
    EXPECT_TRUE(std::isinf(d.average_mm()));
  }
}

// All pairs of elements, no distance map, no cropping.
TEST(SurfaceDistancesTest, EqualsAllPairsOnRandomMasks) {
  const Index3 size{7, 6, 5};
  const Vec3 mm{0.7, 1.1, 3.0};
  for (uint64_t seed = 0; seed < 10; ++seed) {
    Rng rng(seed);
    Mask masks[2] = {Mask(210), Mask(210)};
    for (auto& m : masks) {
      for (auto& v : m) v = rng.uniform() < 0.15;
    }
    std::vector<Vec3> elements[2];
    for (int m = 0; m < 2; ++m) {
      for (int64_t z = 0; z <= size[2]; ++z) {
        for (int64_t y = 0; y <= size[1]; ++y) {
          for (int64_t x = 0; x <= size[0]; ++x) {
            int inside = 0;
            for (int c = 0; c < 8; ++c) {
              const int64_t u = x - (c & 1), v = y - (c >> 1 & 1), w = z - (c >> 2);
              if (u < 0 || v < 0 || w < 0 || u >= size[0] || v >= size[1] || w >= size[2]) continue;
              inside += masks[m][static_cast<size_t>((w * size[1] + v) * size[0] + u)] != 0;
            }
            if (inside == 0 || inside == 8) continue;
            elements[m].push_back({static_cast<double>(x) * mm[0],
                                   static_cast<double>(y) * mm[1],
                                   static_cast<double>(z) * mm[2]});
          }
        }
      }
    }
    const auto nearest = [&](int from, int to) {
      std::vector<double> out;
      for (const auto& a : elements[from]) {
        double best = std::numeric_limits<double>::infinity();
        for (const auto& b : elements[to]) {
          best = std::min(best, std::hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]));
        }
        out.push_back(best);
      }
      std::sort(out.begin(), out.end());
      return out;
    };
    const auto d = surface_distances(masks[0], masks[1], size, mm);
    const auto forth = nearest(0, 1), back = nearest(1, 0);
    ASSERT_EQ(d.truth.distance_mm.size(), forth.size());
    ASSERT_EQ(d.predicted.distance_mm.size(), back.size());
    for (size_t i = 0; i < forth.size(); ++i) {
      EXPECT_NEAR(d.truth.distance_mm[i], forth[i], 1e-5);
    }
    EXPECT_NEAR(d.hausdorff_mm(100), std::max(forth.back(), back.back()), 1e-5);
  }
}

TEST(SurfaceDistancesTest, BadInputIsAnError) {
  EXPECT_THROW(static_cast<void>(surface_distances(Mask(7), Mask(8), {2, 2, 2}, {1, 1, 1})), Error);
  EXPECT_THROW(static_cast<void>(surface_distances(Mask(8), Mask(8), {2, 2, 2}, {1, 1, -1})),
               Error);
}

}  // namespace
}  // namespace voxloom::metrics
