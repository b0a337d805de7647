#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "voxloom/image/rle.h"

namespace voxloom::image {

/// A vertex (x, y) in pixels; pixel (0, 0) reaches from (0, 0) to (1, 1).
using Point2 = std::array<double, 2>;

/// The mask of a closed polygon (last joined to first, any winding, even-odd) by COCO's rule, so
/// that COCO JSON gives the masks that its own tools give: vertices are rounded to a grid five
/// times as fine, edges are drawn on it, and a pixel column takes the fine column in its middle;
/// the row where an edge crosses that column is rounded up after taking half a pixel away. Thin
/// parts may vanish or gain half a pixel.
/// Throws kInvalidArgument for fewer than 3 vertices, a coordinate that is not finite or beyond
/// +-1e6, a size that is not positive or above kMaxRlePixels, or edges that go to and fro over
/// more than 2^26 pixel columns in all.
[[nodiscard]] Rle polygon_rle(std::span<const Point2> polygon, int64_t width, int64_t height);

/// The union of several polygons (the parts of one COCO object) -> [height, width] of 0 and 1.
[[nodiscard]] std::vector<uint8_t> polygons_mask(std::span<const std::vector<Point2>> polygons,
                                                 int64_t width,
                                                 int64_t height);

}  // namespace voxloom::image
