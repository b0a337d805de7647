#include "voxloom/image/polyline_mask.h"

#include <algorithm>
#include <cmath>

#include "voxloom/core/error.h"

namespace voxloom::image {
namespace {

constexpr double kMaxCoordinate = 1e6;
constexpr double kMaxRadius = 1000.0;

/// Columns whose centre lies between `low` and `high`, within the image.
std::array<int64_t, 2> centres(double low, double high, int64_t size) {
  return {std::max<int64_t>(0, static_cast<int64_t>(std::ceil(low - 0.5))),
          std::min<int64_t>(size - 1, static_cast<int64_t>(std::floor(high - 0.5)))};
}

void draw_segment(const Point2& a,
                  const Point2& b,
                  double radius,
                  int64_t width,
                  int64_t height,
                  std::vector<uint8_t>& mask) {
  const double dx = b[0] - a[0], dy = b[1] - a[1];
  const double squared = dx * dx + dy * dy;
  const auto rows = centres(std::min(a[1], b[1]) - radius, std::max(a[1], b[1]) + radius, height);
  for (int64_t y = rows[0]; y <= rows[1]; ++y) {
    const double py = static_cast<double>(y) + 0.5;
    // The part of the segment that this row can reach bounds its columns: a long slanted segment
    // must not cost its whole box.
    double from = 0.0, to = 1.0;
    if (dy != 0.0) {
      const double t0 = (py - radius - a[1]) / dy, t1 = (py + radius - a[1]) / dy;
      from = std::clamp(std::min(t0, t1), 0.0, 1.0);
      to = std::clamp(std::max(t0, t1), 0.0, 1.0);
    }
    const double x0 = a[0] + from * dx, x1 = a[0] + to * dx;
    const auto columns = centres(std::min(x0, x1) - radius, std::max(x0, x1) + radius, width);
    for (int64_t x = columns[0]; x <= columns[1]; ++x) {
      const double px = static_cast<double>(x) + 0.5;
      const double t = squared == 0.0
                           ? 0.0
                           : std::clamp(((px - a[0]) * dx + (py - a[1]) * dy) / squared, 0.0, 1.0);
      const double ex = a[0] + t * dx - px, ey = a[1] + t * dy - py;
      if (ex * ex + ey * ey <= radius * radius) mask[static_cast<size_t>(y * width + x)] = 1;
    }
  }
}

}  // namespace

std::vector<uint8_t> polyline_mask(std::span<const Point2> line,
                                   double radius,
                                   int64_t width,
                                   int64_t height) {
  VOXLOOM_CHECK(width > 0 && height > 0 && width <= kMaxRlePixels && height <= kMaxRlePixels &&
                    width * height <= kMaxRlePixels,
                ErrorCode::kInvalidArgument,
                "line: size must be positive and hold at most {} pixels, got {}x{}",
                kMaxRlePixels,
                width,
                height);
  VOXLOOM_CHECK(radius > 0.0 && radius <= kMaxRadius,
                ErrorCode::kInvalidArgument,
                "line: radius must be within (0, {}], got {}",
                kMaxRadius,
                radius);
  for (const auto& point : line) {
    VOXLOOM_CHECK(std::abs(point[0]) <= kMaxCoordinate && std::abs(point[1]) <= kMaxCoordinate,
                  ErrorCode::kInvalidArgument,
                  "line: coordinates must be finite and within +-{}, got ({}, {})",
                  kMaxCoordinate,
                  point[0],
                  point[1]);
  }
  std::vector<uint8_t> mask(static_cast<size_t>(width * height));
  for (size_t i = 0; i < line.size(); ++i) {
    draw_segment(line[i], line[std::min(i + 1, line.size() - 1)], radius, width, height, mask);
  }
  return mask;
}

}  // namespace voxloom::image
