#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "voxloom/image/geometry.h"

namespace voxloom::metrics {

/// Distances between the surfaces of two masks, in mm, weighted by surface area.
///
/// The formulation is the one of Nikolov et al. 2018 (arXiv:1809.04430) and its published program:
/// surface elements sit on the corners between voxels; a corner whose 2x2x2 voxels are neither all
/// inside nor all outside carries the area, in mm^2, of the surface between them (through the
/// middles of the edges that join inside and outside; see surface_element_area). The distance of an
/// element is that to the nearest element of the other mask. So a solid and the same solid moved
/// by one voxel are one spacing apart, and results do not depend on the order of the axes.
struct SurfaceDistances {
  /// One mask's elements by ascending distance to the other mask; infinite when that is empty.
  struct Side {
    std::vector<float> distance_mm;
    std::vector<double> area_mm2;
    [[nodiscard]] double total_area_mm2() const;
  };
  Side truth, predicted;

  /// Share of both surfaces that lies within `tolerance_mm` of the other (surface Dice, or
  /// normalised surface distance). Two empty masks: 1; one empty: 0.
  [[nodiscard]] double surface_dice(double tolerance_mm) const;

  /// The larger of the two directed distances that `percent` % of the area does not exceed; 95 is
  /// HD95, 100 the Hausdorff distance. Two empty masks: 0; one empty: infinite.
  [[nodiscard]] double hausdorff_mm(double percent = 95.0) const;

  /// Area-weighted mean over both surfaces together (average symmetric surface distance).
  /// Two empty masks: 0; one empty: infinite.
  [[nodiscard]] double average_mm() const;
};

/// truth, predicted [D, H, W]: anything but 0 is inside. Works on the box that holds both masks, so
/// memory follows the objects, not the volume.
/// Throws kInvalidArgument for wrong lengths or a spacing that is not positive and finite.
[[nodiscard]] SurfaceDistances surface_distances(std::span<const uint8_t> truth,
                                                 std::span<const uint8_t> predicted,
                                                 const image::Index3& size,
                                                 const image::Vec3& spacing_mm);

/// Area in mm^2 of the surface within one 2x2x2 neighbourhood; bit x + 2y + 4z of the index says
/// whether that voxel is inside.
[[nodiscard]] std::array<double, 256> surface_element_area(const image::Vec3& spacing_mm);

}  // namespace voxloom::metrics
