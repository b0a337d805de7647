#pragma once

#include <cstdint>
#include <span>

#include "voxloom/image/geometry.h"

namespace voxloom::image {

/// Fills small holes of a logit map: every 8-connected component of (logit <= 0) with at most
/// `max_area` pixels becomes `value`, so that it counts as foreground. As SAM 2's post-processing
/// on its low-resolution masks, components that touch the border count as well.
/// logits [height, width], changed in place. Returns the number of pixels changed.
int64_t fill_small_holes(std::span<float> logits,
                         int64_t width,
                         int64_t height,
                         int64_t max_area = 8,
                         float value = 0.1F);

/// Fills the holes of a binary mask slice by slice: background that can't reach the slice's border
/// through faces (4-connected) becomes 1. mask [D, H, W], changed in place. A hole of more than
/// `max_area` pixels stays; 0 means no limit. Returns the number of voxels changed.
int64_t fill_holes_per_slice(std::span<uint8_t> mask, const Index3& size, int64_t max_area = 0);

/// Fills cavities in 3-D: background that can't reach the volume's border through faces
/// (6-connected). Otherwise as fill_holes_per_slice().
int64_t fill_cavities(std::span<uint8_t> mask, const Index3& size, int64_t max_voxels = 0);

}  // namespace voxloom::image
