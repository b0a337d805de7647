#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace voxloom::image {

using Vec3 = std::array<double, 3>;
using Index3 = std::array<int64_t, 3>;

/// Where a volume's voxels lie in the patient. World space is LPS, in mm.
///
/// Index order is (x, y, z) here and only here; tensors are [D, H, W], that is (z, y, x).
struct Geometry {
  Index3 size{0, 0, 0};            ///< Voxel counts along x, y, z.
  Vec3 spacing_mm{1.0, 1.0, 1.0};  ///< Centre-to-centre distance.
  Vec3 origin_mm{0.0, 0.0, 0.0};   ///< World position of voxel (0, 0, 0).
  std::array<double, 9> direction{1, 0, 0, 0, 1, 0, 0, 0, 1};  ///< Row-major, columns = axes.

  bool operator==(const Geometry&) const = default;

  [[nodiscard]] int64_t voxel_count() const { return size[0] * size[1] * size[2]; }
  [[nodiscard]] bool contains(const Index3& voxel) const;

  /// Throws kDataCorrupt unless sizes are positive (and their product fits), spacing is positive
  /// and finite, and the direction's columns are unit length and independent.
  void validate() const;
};

/// Maps a voxel index (may be fractional) to world millimetres.
[[nodiscard]] Vec3 world_from_voxel(const Geometry& g, const Vec3& voxel);

/// Maps world millimetres to a fractional voxel index.
[[nodiscard]] Vec3 voxel_from_world(const Geometry& g, const Vec3& world_mm);

/// The same world box within `tolerance_mm`: equal sizes and every corner at the same place.
[[nodiscard]] bool same_grid(const Geometry& a, const Geometry& b, double tolerance_mm = 1e-3);

/// All that keeps `got` from lying on the grid of `wanted`, in words that continue "must have the
/// image's": "size [4, 5, 6], got [4, 5, 7]; spacing in mm [1, 1, 1], got [1, 1, 2]". Empty where
/// same_grid() holds.
[[nodiscard]] std::string grid_difference(const Geometry& got,
                                          const Geometry& wanted,
                                          double tolerance_mm = 1e-3);

/// "512x512x64, 0.7x0.7x2.5 mm" for messages and tables.
[[nodiscard]] std::string describe(const Geometry& g);

}  // namespace voxloom::image
