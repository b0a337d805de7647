#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace voxloom::infer {

/// A position in pixels of the frame: (x, y), pixel centres at whole numbers.
using Point2 = std::array<double, 2>;

/// How pieces of centre line are joined (guidewire.md section 7.4), in px.
struct WirePathRule {
  double bridge_px = 40.0;         ///< Longest gap that is joined.
  double bridge_angle_deg = 45.0;  ///< Largest turn at either side of a gap.
  double touch_px = 6.0;           ///< Nearer ends belong to one crossing: only the turn counts.
  double min_length_px = 15.0;
  int64_t max_wires = 2;
};

/// Points [first, last] of a path were joined across a gap: nothing was seen between them.
struct PathGap {
  size_t first = 0, last = 0;
  double length_px = 0.0;
};

/// One wire: points in order, neighbours about a pixel apart.
struct WirePath {
  std::vector<Point2> points;
  std::vector<PathGap> gaps;
  double length_px = 0.0;
  double mean_probability = 0.0;  ///< Over the points that were seen.
};

/// Turns a skeleton into ordered paths. Branches end at crossings; ends are then joined, cheapest
/// first, by
///
///     d + 15 (1 - cos a) + 15 (1 - cos b) + 30 (1 - mean probability of the straight bridge)
///
/// with d the distance and a, b the turns (over the last 10 px) at both ends, so that a wire goes
/// straight on where it crosses itself or another. Nothing is joined across `blocked` pixels (the
/// border of the field of view). Longest paths first.
///
/// skeleton, probability, blocked [height, width]; blocked may be empty.
[[nodiscard]] std::vector<WirePath> trace_wire_paths(std::span<const uint8_t> skeleton,
                                                     std::span<const float> probability,
                                                     std::span<const uint8_t> blocked,
                                                     int64_t width,
                                                     int64_t height,
                                                     const WirePathRule& rule);

/// Length of a chain of points.
[[nodiscard]] double path_length(std::span<const Point2> points);

}  // namespace voxloom::infer
