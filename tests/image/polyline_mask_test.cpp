#include "voxloom/image/polyline_mask.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "voxloom/core/error.h"

namespace voxloom::image {
namespace {

/// The definition, pixel by pixel.
std::vector<uint8_t> by_distance(const std::vector<Point2>& line, double r, int64_t w, int64_t h) {
  std::vector<uint8_t> mask;
  for (int64_t y = 0; y < h; ++y) {
    for (int64_t x = 0; x < w; ++x) {
      const double px = static_cast<double>(x) + 0.5, py = static_cast<double>(y) + 0.5;
      double least = std::numeric_limits<double>::infinity();
      for (size_t i = 0; i < line.size(); ++i) {
        const auto& a = line[i];
        const auto& b = line[std::min(i + 1, line.size() - 1)];
        const double dx = b[0] - a[0], dy = b[1] - a[1], l = dx * dx + dy * dy;
        const double t =
            l > 0.0 ? std::clamp(((px - a[0]) * dx + (py - a[1]) * dy) / l, 0.0, 1.0) : 0.0;
        least = std::min(least, std::hypot(a[0] + t * dx - px, a[1] + t * dy - py));
      }
      mask.push_back(least <= r ? 1 : 0);
    }
  }
  return mask;
}

TEST(PolylineMaskTest, MarksThePixelsNearTheLine) {
  const std::vector<std::vector<Point2>> lines = {
      {{2.2, 3.1}, {17.9, 9.4}},
      {{10.3, -5.0}, {10.3, 40.0}},
      {{-3.0, 7.5}, {30.0, 7.5}},
      {{1.0, 1.0}, {5.3, 12.9}, {16.0, 12.0}, {19.5, 2.0}, {19.5, 2.0}},
      {{8.25, 6.75}},
      {{-50.0, -50.0}, {-40.0, 3.0}},
      {}};
  for (size_t i = 0; i < lines.size(); ++i) {
    for (const double radius : {0.4, 1.0, 3.3}) {
      EXPECT_EQ(polyline_mask(lines[i], radius, 21, 15), by_distance(lines[i], radius, 21, 15))
          << "line " << i << " radius " << radius;
    }
  }
}

TEST(PolylineMaskTest, RefusesWhatIsNoLine) {
  const std::vector<Point2> bad = {{0.0, std::nan("")}}, far = {{0.0, 1e7}}, good = {{1.0, 1.0}};
  EXPECT_THROW(static_cast<void>(polyline_mask(bad, 1.0, 4, 4)), Error);
  EXPECT_THROW(static_cast<void>(polyline_mask(far, 1.0, 4, 4)), Error);
  EXPECT_THROW(static_cast<void>(polyline_mask(good, 0.0, 4, 4)), Error);
  EXPECT_THROW(static_cast<void>(polyline_mask(good, 1.0, 0, 4)), Error);
  EXPECT_THROW(static_cast<void>(polyline_mask(good, 1.0, 1 << 20, 1 << 20)), Error);
}

}  // namespace
}  // namespace voxloom::image
