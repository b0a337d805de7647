#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "voxloom/image/frame.h"
#include "voxloom/infer/wire_paths.h"

namespace voxloom::infer {

/// The end of the wire.
struct WireTip {
  Point2 position{};        ///< px, finer than a pixel.
  Point2 direction{};       ///< Unit vector, out of the wire.
  double confidence = 0.0;  ///< Mean probability of the last 15 px.
};

/// [height, width] 1 where the collimator or the round edge of the detector hides the picture:
/// areas darker than 0.02 that reach the border and hold at least 0.5 % of the frame. Empty:
/// nothing is hidden.
[[nodiscard]] std::vector<uint8_t> hidden_area(const image::Frame& frame);

/// Whether the tip is the path's first point rather than its last (guidewire.md section 7.5): an
/// end within 6 px of the border of the field of view is where the wire comes in; of two free ends
/// the one near the last tip (within 40 px), else the darker one (its last 20 px: the radiopaque
/// segment), else the one farther from the border. Lengths scale with `scale`.
[[nodiscard]] bool tip_is_front(std::span<const Point2> path,
                                const image::Frame& frame,
                                std::span<const uint8_t> hidden,
                                const std::optional<Point2>& last_tip,
                                double scale);

/// The tip of a line that ends there (tip last): moved along the tangent, by at most 10 px, for as
/// long as the line's contrast to its sides stays above half of what it is on the last 20 px.
[[nodiscard]] WireTip refine_tip(std::span<const Point2> line,
                                 const image::Frame& frame,
                                 std::span<const float> probability,
                                 double width_px);

}  // namespace voxloom::infer
