#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "voxloom/image/geometry.h"

namespace voxloom::image {

/// Squared Euclidean distance in mm^2 from every voxel centre to the nearest centre of a voxel with
/// mask != 0 (0 inside the mask, infinity everywhere when the mask is empty). Exact, one pass per
/// axis over lower envelopes of parabolas (Felzenszwalb and Huttenlocher, Theory of Computing 8,
/// 2012, section 2), parallel over lines. mask [D, H, W] -> [D, H, W]; a 2-D image has depth 1.
/// Throws kInvalidArgument for a wrong length or a spacing that is not positive and finite.
[[nodiscard]] std::vector<float> squared_distance_to(std::span<const uint8_t> mask,
                                                     const Index3& size,
                                                     const Vec3& spacing_mm);

/// The same in mm. `distance_transform_edt(mask == 0, sampling)` of SciPy is this function.
[[nodiscard]] std::vector<float> distance_to(std::span<const uint8_t> mask,
                                             const Index3& size,
                                             const Vec3& spacing_mm);

/// Signed distance in mm: outside, the distance to the nearest mask voxel; inside, minus the
/// distance to the nearest voxel outside. Never 0. Infinite where one of the two does not exist.
[[nodiscard]] std::vector<float> signed_distance(std::span<const uint8_t> mask,
                                                 const Index3& size,
                                                 const Vec3& spacing_mm);

}  // namespace voxloom::image
