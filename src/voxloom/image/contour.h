#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace voxloom::image {

/// mask [height, width] -> [height, width]: 1 on mask pixels that have a background pixel or the
/// image border within `thickness` pixels (8-neighbourhood, so the line is closed at diagonals).
[[nodiscard]] std::vector<uint8_t> inner_boundary(std::span<const uint8_t> mask,
                                                  int64_t width,
                                                  int64_t height,
                                                  int64_t thickness = 1);

/// A closed polygon along pixel edges: vertices (x, y) are pixel corners, pixel (0, 0) reaches from
/// (0, 0) to (1, 1); only corners where the line turns are kept; the last point joins the first.
/// The mask lies to the right of the direction of travel (y down): outer lines run clockwise as
/// seen on screen, holes run the other way.
using Contour = std::vector<std::array<int32_t, 2>>;

/// All outlines of mask != 0, ordered by their topmost, then leftmost edge. Pixels that touch only
/// at a corner belong to separate outlines (4-connected).
[[nodiscard]] std::vector<Contour> trace_contours(std::span<const uint8_t> mask,
                                                  int64_t width,
                                                  int64_t height);

/// Signed area in pixels by the shoelace formula: positive for outer lines, negative for holes.
[[nodiscard]] double contour_area(const Contour& contour);

}  // namespace voxloom::image
