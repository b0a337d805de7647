#pragma once

#include <array>
#include <string>
#include <string_view>

#include "voxloom/image/geometry.h"

namespace voxloom::io {

/// Geometry from the world steps of one voxel along x, y and z (LPS, mm): spacing is their
/// length, direction their unit vectors. Throws kDataCorrupt naming `file` when a step has no
/// length, is not finite, or the three are dependent.
[[nodiscard]] image::Geometry geometry_from_steps(const image::Index3& size,
                                                  const std::array<image::Vec3, 3>& steps_mm,
                                                  const image::Vec3& origin_mm,
                                                  std::string_view file);

/// True when the axes are at right angles within 1e-4 (what ITK calls orthonormal).
[[nodiscard]] bool is_orthogonal(const image::Geometry& geometry);

/// The anatomical directions that the axes point to, nearest first: "LPS" for identity.
[[nodiscard]] std::string orientation_code(const image::Geometry& geometry);

}  // namespace voxloom::io
