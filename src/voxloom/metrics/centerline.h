#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace voxloom::metrics {

/// Centre-line Dice (Shit et al., CVPR 2021) on hard masks. Its value depends on the thinning that
/// made the skeletons (on one example 0.62 to 0.68): name it beside every number, and compare only
/// numbers of one thinning.
struct ClDice {
  double precision = 0.0;    ///< Share of the predicted skeleton that lies in the true mask.
  double sensitivity = 0.0;  ///< Share of the true skeleton that lies in the predicted mask.
  double value = 0.0;        ///< Harmonic mean of both.
  int64_t truth_length = 0, predicted_length = 0;  ///< Skeleton pixels.
};

/// Masks and their skeletons, of one length. Two empty skeletons: 1; one empty: 0.
/// Throws kInvalidArgument for different lengths.
[[nodiscard]] ClDice centerline_dice(std::span<const uint8_t> truth,
                                     std::span<const uint8_t> truth_skeleton,
                                     std::span<const uint8_t> predicted,
                                     std::span<const uint8_t> predicted_skeleton);

/// A curve given by points (x, y), pixel centres at whole numbers, as an 8-connected line of pixels
/// [height, width] of 0 and 1: each piece is drawn to the nearest pixel at steps of one along its
/// longer axis; what lies outside is cut off. A pixel is at most 0.71 px from the curve.
/// Throws kInvalidArgument for a coordinate that is not finite or beyond +-1e5.
[[nodiscard]] std::vector<uint8_t> draw_curve(std::span<const std::array<double, 2>> points,
                                              int64_t width,
                                              int64_t height);

}  // namespace voxloom::metrics
