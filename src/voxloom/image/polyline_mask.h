#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "voxloom/image/polygon_mask.h"

namespace voxloom::image {

/// The mask of a line with round ends: pixels whose centre lies within `radius` of it. -> [height,
/// width] of 0 and 1. A single point gives a disc, none an empty mask; what lies outside the image
/// is cut off.
/// Throws kInvalidArgument for a coordinate that is not finite or beyond +-1e6, a radius outside
/// (0, 1000], or a size that is not positive or above kMaxRlePixels.
[[nodiscard]] std::vector<uint8_t> polyline_mask(std::span<const Point2> line,
                                                 double radius,
                                                 int64_t width,
                                                 int64_t height);

}  // namespace voxloom::image
