#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace voxloom::infer {

/// Which pixels of a probability map may belong to a wire, and which of their components look like
/// one (guidewire.md sections 7.1 and 7.2).
struct WireMaskRule {
  double high_threshold = 0.6, low_threshold = 0.25;
  double min_length_px = 15.0;   ///< Of a component's skeleton.
  double min_probability = 0.4;  ///< Mean over a component.
  double min_elongation = 4.0;   ///< Skeleton length over mean width.
};

struct WireMask {
  std::vector<uint8_t> mask;      ///< [height, width] 0 or 1, after the component filter.
  std::vector<uint8_t> skeleton;  ///< [height, width] 0 or 1: its centre lines without spurs.
  int64_t components_before = 0;  ///< After the hysteresis threshold.
  int64_t components_after = 0;
  int64_t pixels = 0;
  double mean_probability = 0.0;  ///< Over the mask.
  float highest = 0.0F;           ///< Highest probability of the frame.
};

/// Components (8-connected) of probability > low that hold a pixel > high, without those that are
/// too short, too faint or not line-like. Spurs shorter than 5 px or 1.5 local radii are cut off.
/// probability [height, width].
[[nodiscard]] WireMask make_wire_mask(std::span<const float> probability,
                                      int64_t width,
                                      int64_t height,
                                      const WireMaskRule& rule);

}  // namespace voxloom::infer
