#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "voxloom/image/volume.h"

namespace voxloom::image {

/// Intensities of one label. NaN voxels are left out and counted.
struct IntensityStatistics {
  double mean = 0, std = 0, min = 0, max = 0;  ///< std divides by the count.
  int64_t nan_voxels = 0;
};

/// What is known about one value of a label map.
struct LabelStatistics {
  uint16_t value = 0;
  std::string name;  ///< From LabelVolume::labels; empty when it has none.
  int64_t voxels = 0;
  double volume_ml = 0;
  Index3 box_min{}, box_max{};                   ///< Both ends inside, voxel indices (x, y, z).
  Vec3 centroid_voxel{};                         ///< Mean voxel index.
  Vec3 centroid_mm{};                            ///< The same point in world space, LPS.
  std::optional<IntensityStatistics> intensity;  ///< Where an image was given and has numbers.
};

/// Statistics of every value that occurs, background left out, in ascending order.
/// Throws kInvalidArgument when `image` has another size than `labels`.
[[nodiscard]] std::vector<LabelStatistics> label_statistics(const LabelVolume& labels,
                                                            const Volume* image = nullptr);

}  // namespace voxloom::image
