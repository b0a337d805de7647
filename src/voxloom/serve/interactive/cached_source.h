#pragma once

#include <cstdint>
#include <memory>

#include "voxloom/image/volume.h"

namespace voxloom::serve {

/// Bytes of all voxels of a source.
[[nodiscard]] int64_t voxel_bytes(const image::VolumeSource& source);

/// `source`, read once: slices stay in memory, from the first up to the highest one asked for, so
/// that a step backward in a compressed file costs nothing. Not thread-safe, as every source.
[[nodiscard]] std::shared_ptr<image::VolumeSource> cached_source(
    std::shared_ptr<image::VolumeSource> source);

}  // namespace voxloom::serve
