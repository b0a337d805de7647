#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace voxloom::filters {

struct HullPoint {
  double x = 0.0, y = 0.0;
};

/// Corners of the convex hull, without repeated or straight ones (Andrew's monotone chain).
[[nodiscard]] std::vector<HullPoint> convex_hull(std::vector<HullPoint> points);
[[nodiscard]] double polygon_area(std::span<const HullPoint> corners);

struct Circle {
  double x = 0.0, y = 0.0, radius = 0.0;
};
/// The smallest circle around all points (Welzl's algorithm, in the order given).
[[nodiscard]] Circle smallest_circle(std::span<const HullPoint> points);

}  // namespace voxloom::filters
