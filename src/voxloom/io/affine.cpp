#include "voxloom/io/affine.h"

#include <cmath>

#include "voxloom/core/error.h"

namespace voxloom::io {

using image::Geometry;

Geometry geometry_from_steps(const image::Index3& size,
                             const std::array<image::Vec3, 3>& steps_mm,
                             const image::Vec3& origin_mm,
                             std::string_view file) {
  Geometry g;
  g.size = size;
  g.origin_mm = origin_mm;
  for (size_t axis = 0; axis < 3; ++axis) {
    const auto& step = steps_mm[axis];
    const double length = std::hypot(step[0], step[1], step[2]);
    VOXLOOM_CHECK(std::isfinite(length) && length > 0,
                  ErrorCode::kDataCorrupt,
                  "'{}': the world step of axis {} must be finite and not zero, got {} mm",
                  file,
                  axis,
                  step);
    g.spacing_mm[axis] = length;
    for (size_t row = 0; row < 3; ++row) g.direction[3 * row + axis] = step[row] / length;
  }
  try {
    g.validate();
  } catch (const Error& error) {
    throw error.with_context(format("'{}'", file));
  }
  return g;
}

bool is_orthogonal(const Geometry& geometry) {
  const auto& d = geometry.direction;
  for (size_t a = 0; a < 3; ++a) {
    for (size_t b = a + 1; b < 3; ++b) {
      const double dot = d[a] * d[b] + d[a + 3] * d[b + 3] + d[a + 6] * d[b + 6];
      if (std::abs(dot) > 1e-4) return false;
    }
  }
  return true;
}

std::string orientation_code(const Geometry& geometry) {
  // The assignment of world rows to axes with the largest sum of |cosines|, so that no letter is
  // used twice even at 45 degrees.
  constexpr size_t kOrders[6][3] = {
      {0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
  const auto cosine = [&](size_t row, size_t axis) { return geometry.direction[3 * row + axis]; };
  size_t best = 0;
  double best_sum = -1;
  for (size_t i = 0; i < 6; ++i) {
    double sum = 0;
    for (size_t axis = 0; axis < 3; ++axis) sum += std::abs(cosine(kOrders[i][axis], axis));
    if (sum > best_sum + 1e-12) {
      best_sum = sum;
      best = i;
    }
  }
  std::string code;
  for (size_t axis = 0; axis < 3; ++axis) {
    const size_t row = kOrders[best][axis];
    code += cosine(row, axis) >= 0 ? "LPS"[row] : "RAI"[row];
  }
  return code;
}

}  // namespace voxloom::io
