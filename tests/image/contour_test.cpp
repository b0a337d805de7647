#include "voxloom/image/contour.h"

#include <algorithm>
#include <cstdlib>
#include <numeric>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "voxloom/core/error.h"
#include "voxloom/core/random.h"

namespace voxloom::image {
namespace {

using testing::ElementsAre;
using Mask = std::vector<uint8_t>;
using Point = std::array<int32_t, 2>;

Mask random_mask(int64_t width, int64_t height, double density, uint64_t seed) {
  Rng rng(seed);
  Mask mask(static_cast<size_t>(width * height));
  for (auto& v : mask) v = rng.uniform() < density;
  return mask;
}

TEST(TraceContoursTest, OnePixelIsASquareClockwise) {
  const auto contours = trace_contours(Mask{0, 0, 0, 0, 1, 0}, 3, 2);
  ASSERT_EQ(contours.size(), 1U);
  EXPECT_THAT(contours[0], ElementsAre(Point{1, 1}, Point{2, 1}, Point{2, 2}, Point{1, 2}));
  EXPECT_EQ(contour_area(contours[0]), 1.0);
}

TEST(TraceContoursTest, AHoleRunsTheOtherWay) {
  Mask ring(9, 1);
  ring[4] = 0;
  const auto contours = trace_contours(ring, 3, 3);
  ASSERT_EQ(contours.size(), 2U);
  EXPECT_EQ(contour_area(contours[0]), 9.0);
  EXPECT_EQ(contour_area(contours[1]), -1.0);
}

TEST(TraceContoursTest, PixelsThatTouchAtACornerStayApart) {
  EXPECT_EQ(trace_contours(Mask{1, 0, 0, 1}, 2, 2).size(), 2U);
  EXPECT_EQ(trace_contours(Mask{0, 1, 1, 0}, 2, 2).size(), 2U);
}

// The signed areas add up to the mask, and filling by the even-odd rule gives it back.
TEST(TraceContoursTest, PolygonsRebuildAnyMask) {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    const int64_t width = 3 + static_cast<int64_t>(seed % 17), height = 11;
    const Mask mask = random_mask(width, height, 0.1 + 0.8 * static_cast<double>(seed) / 60, seed);
    const auto contours = trace_contours(mask, width, height);
    double area = 0;
    Mask rebuilt(mask.size(), 0);
    for (const auto& contour : contours) {
      area += contour_area(contour);
      for (size_t i = 0; i < contour.size(); ++i) {
        const auto& a = contour[i];
        const auto& b = contour[(i + 1) % contour.size()];
        ASSERT_TRUE((a[0] == b[0]) != (a[1] == b[1])) << "edges run along one axis";
        if (a[0] != b[0]) continue;
        for (int32_t y = std::min(a[1], b[1]); y < std::max(a[1], b[1]); ++y) {
          for (int64_t x = a[0]; x < width; ++x) rebuilt[static_cast<size_t>(y * width + x)] ^= 1;
        }
      }
    }
    ASSERT_EQ(area, std::accumulate(mask.begin(), mask.end(), 0)) << "seed " << seed;
    ASSERT_EQ(rebuilt, mask) << "seed " << seed;
  }
}

TEST(InnerBoundaryTest, EqualsItsDefinition) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const int64_t width = 14, height = 9, thickness = 1 + static_cast<int64_t>(seed % 3);
    const Mask mask = random_mask(width, height, 0.93, seed);
    Mask expected(mask.size(), 0);
    for (int64_t y = 0; y < height; ++y) {
      for (int64_t x = 0; x < width; ++x) {
        bool near = false;
        for (int64_t v = y - thickness; v <= y + thickness; ++v) {
          for (int64_t u = x - thickness; u <= x + thickness; ++u) {
            near = near || u < 0 || v < 0 || u >= width || v >= height ||
                   mask[static_cast<size_t>(v * width + u)] == 0;
          }
        }
        const auto i = static_cast<size_t>(y * width + x);
        expected[i] = mask[i] != 0 && near;
      }
    }
    ASSERT_EQ(inner_boundary(mask, width, height, thickness), expected) << "seed " << seed;
  }
}

TEST(ContourTest, WrongLengthIsAnError) {
  EXPECT_THROW(static_cast<void>(trace_contours(Mask(5), 2, 2)), Error);
}

}  // namespace
}  // namespace voxloom::image
