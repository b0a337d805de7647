#include "voxloom/image/geometry.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "voxloom/core/error.h"

namespace voxloom::image {
namespace {

double determinant(const std::array<double, 9>& m) {
  return m[0] * (m[4] * m[8] - m[5] * m[7]) - m[1] * (m[3] * m[8] - m[5] * m[6]) +
         m[2] * (m[3] * m[7] - m[4] * m[6]);
}

std::array<double, 9> inverse(const std::array<double, 9>& m) {
  const double d = determinant(m);
  return {(m[4] * m[8] - m[5] * m[7]) / d,
          (m[2] * m[7] - m[1] * m[8]) / d,
          (m[1] * m[5] - m[2] * m[4]) / d,
          (m[5] * m[6] - m[3] * m[8]) / d,
          (m[0] * m[8] - m[2] * m[6]) / d,
          (m[2] * m[3] - m[0] * m[5]) / d,
          (m[3] * m[7] - m[4] * m[6]) / d,
          (m[1] * m[6] - m[0] * m[7]) / d,
          (m[0] * m[4] - m[1] * m[3]) / d};
}

/// The farthest that a corner of `b` lies from the same corner of `a` along one axis; sizes equal.
/// NaN where a position is.
double corner_shift_mm(const Geometry& a, const Geometry& b) {
  double farthest = 0.0;
  for (int corner = 0; corner < 8; ++corner) {
    Vec3 voxel{};
    for (size_t axis = 0; axis < 3; ++axis) {
      voxel[axis] = (corner >> axis) & 1 ? static_cast<double>(a.size[axis] - 1) : 0.0;
    }
    const Vec3 wa = world_from_voxel(a, voxel), wb = world_from_voxel(b, voxel);
    for (size_t i = 0; i < 3; ++i) {
      const double shift = std::abs(wa[i] - wb[i]);
      if (std::isnan(shift)) return shift;
      farthest = std::max(farthest, shift);
    }
  }
  return farthest;
}

}  // namespace

bool Geometry::contains(const Index3& voxel) const {
  for (size_t a = 0; a < 3; ++a) {
    if (voxel[a] < 0 || voxel[a] >= size[a]) return false;
  }
  return true;
}

void Geometry::validate() const {
  constexpr int64_t kMaxVoxels = int64_t{1} << 40;
  int64_t count = 1;
  for (size_t a = 0; a < 3; ++a) {
    VOXLOOM_CHECK(size[a] > 0 && size[a] <= kMaxVoxels / count,
                  ErrorCode::kDataCorrupt,
                  "geometry: sizes must be positive with at most 2^40 voxels, got {}",
                  size);
    count *= size[a];
    VOXLOOM_CHECK(std::isfinite(spacing_mm[a]) && spacing_mm[a] > 0,
                  ErrorCode::kDataCorrupt,
                  "geometry: spacing must be positive, got {} mm",
                  spacing_mm);
    VOXLOOM_CHECK(std::isfinite(origin_mm[a]),
                  ErrorCode::kDataCorrupt,
                  "geometry: origin must be finite, got {} mm",
                  origin_mm);
    const double length = std::hypot(direction[a], direction[a + 3], direction[a + 6]);
    VOXLOOM_CHECK(std::abs(length - 1.0) < 1e-3,
                  ErrorCode::kDataCorrupt,
                  "geometry: direction columns must have unit length, got {}",
                  direction);
  }
  VOXLOOM_CHECK(std::abs(determinant(direction)) > 1e-3,
                ErrorCode::kDataCorrupt,
                "geometry: direction columns must be independent, got {}",
                direction);
}

Vec3 world_from_voxel(const Geometry& g, const Vec3& voxel) {
  Vec3 world = g.origin_mm;
  for (size_t row = 0; row < 3; ++row) {
    for (size_t axis = 0; axis < 3; ++axis) {
      world[row] += g.direction[3 * row + axis] * g.spacing_mm[axis] * voxel[axis];
    }
  }
  return world;
}

Vec3 voxel_from_world(const Geometry& g, const Vec3& world_mm) {
  const auto inv = inverse(g.direction);
  Vec3 voxel{};
  for (size_t axis = 0; axis < 3; ++axis) {
    for (size_t row = 0; row < 3; ++row) {
      voxel[axis] += inv[3 * axis + row] * (world_mm[row] - g.origin_mm[row]);
    }
    voxel[axis] /= g.spacing_mm[axis];
  }
  return voxel;
}

bool same_grid(const Geometry& a, const Geometry& b, double tolerance_mm) {
  return a.size == b.size && corner_shift_mm(a, b) <= tolerance_mm;
}

std::string grid_difference(const Geometry& got, const Geometry& wanted, double tolerance_mm) {
  if (same_grid(got, wanted, tolerance_mm)) return {};
  std::string out;
  const auto add = [&](std::string_view what, const auto& must, const auto& is) {
    out += format("{}{} {}, got {}", out.empty() ? "" : "; ", what, must, is);
  };
  if (got.size != wanted.size) add("size", wanted.size, got.size);
  bool spacing = false, origin = false, direction = false;
  for (size_t axis = 0; axis < 3; ++axis) {
    const double steps = static_cast<double>(std::max<int64_t>(wanted.size[axis] - 1, 1));
    const double stretch = std::abs(got.spacing_mm[axis] - wanted.spacing_mm[axis]) * steps;
    spacing = spacing || !(stretch <= tolerance_mm);
    origin = origin || !(std::abs(got.origin_mm[axis] - wanted.origin_mm[axis]) <= tolerance_mm);
  }
  for (size_t i = 0; i < 9; ++i) {
    direction = direction || !(std::abs(got.direction[i] - wanted.direction[i]) <= 1e-3);
  }
  if (spacing) add("spacing in mm", wanted.spacing_mm, got.spacing_mm);
  if (origin) add("origin in mm (LPS)", wanted.origin_mm, got.origin_mm);
  if (direction) add("direction", wanted.direction, got.direction);
  if (out.empty()) {
    out = format("corners within {:.3g} mm, got them up to {:.3g} mm away",
                 tolerance_mm,
                 corner_shift_mm(got, wanted));
  }
  return out;
}

std::string describe(const Geometry& g) {
  return format("{}x{}x{}, {:.4g}x{:.4g}x{:.4g} mm",
                g.size[0],
                g.size[1],
                g.size[2],
                g.spacing_mm[0],
                g.spacing_mm[1],
                g.spacing_mm[2]);
}

}  // namespace voxloom::image
