#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace voxloom::image {

/// What a skeleton [height, width] (any value but 0 is on the line) looks like as a graph.
///
/// All functions throw kInvalidArgument for a wrong length.

/// Number of 8-neighbours on the line, for pixels on the line; 0 elsewhere.
[[nodiscard]] std::vector<uint8_t> pixel_degrees(std::span<const uint8_t> skeleton,
                                                 int64_t width,
                                                 int64_t height);

/// The skeleton without its L-corners: pixels with exactly two side neighbours, at a right angle,
/// that can go without cutting the line. What stays turns by diagonal steps, so that a pixel of
/// degree 3 is a branching and not the inside of a bend. Taken away in memory order.
[[nodiscard]] std::vector<uint8_t> remove_corners(std::span<const uint8_t> skeleton,
                                                  int64_t width,
                                                  int64_t height);

/// 1 on pixels of degree 3 and more once L-corners are gone; a branching shows as a small group.
[[nodiscard]] std::vector<uint8_t> junctions(std::span<const uint8_t> skeleton,
                                             int64_t width,
                                             int64_t height);

struct SpurRule {
  double min_length_px = 5.0;  ///< Shorter branches go.
  double radius_factor = 1.5;  ///< And branches shorter than this times the radius at their root.
  std::span<const float> radius_px{};  ///< [height, width] distance to background; empty: not used.
};

/// Takes spurs away: branches from a free end to a junction, the shortest first, until every
/// branch left is long enough. Length counts steps from the end to the junction, sqrt(2) for a
/// diagonal one. Lines that reach no junction stay whatever their length. The result is a line
/// without L-corners.
[[nodiscard]] std::vector<uint8_t> prune_spurs(std::span<const uint8_t> skeleton,
                                               int64_t width,
                                               int64_t height,
                                               const SpurRule& rule = {});

}  // namespace voxloom::image
