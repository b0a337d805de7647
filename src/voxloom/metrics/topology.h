#pragma once

#include <cstdint>
#include <span>

namespace voxloom::metrics {

/// Topology of a mask whose pixels hang together over sides and corners (8-connected; its ground
/// then over sides only).
struct Betti {
  int64_t components = 0;  ///< b0.
  int64_t holes = 0;       ///< b1: parts of the ground that the mask closes off from the border.

  bool operator==(const Betti&) const = default;
};

/// b0 by connected components, b1 = b0 - Euler characteristic, that from the counts of 2x2 patterns
/// (Gray, IEEE Trans. Computers C-20, 1971; Pratt, Digital Image Processing, section 18.2).
/// mask [height, width]. Throws kInvalidArgument for a wrong length.
[[nodiscard]] Betti betti_numbers(std::span<const uint8_t> mask, int64_t width, int64_t height);

/// Whole-image errors |b(predicted) - b(truth)|. An error of b0 says little where the truth itself
/// is in pieces: look at its b0 too.
struct BettiError {
  int64_t components = 0, holes = 0;
  bool operator==(const BettiError&) const = default;
};
[[nodiscard]] BettiError betti_error(const Betti& truth, const Betti& predicted);

/// Gaps of a prediction along the true centre line: 8-connected stretches of more than
/// `longest_bridged` line pixels that no predicted pixel touches (lies in the 3x3 pixels around).
/// A missing end counts as one. line, predicted [height, width].
/// Throws kInvalidArgument for wrong lengths.
[[nodiscard]] int64_t count_breaks(std::span<const uint8_t> line,
                                   std::span<const uint8_t> predicted,
                                   int64_t width,
                                   int64_t height,
                                   int64_t longest_bridged = 2);

/// Predicted components that touch no true pixel (3x3 pixels around) and whose skeleton
/// (`predicted_skeleton`, of the whole prediction) has more than `longest_ignored` pixels.
/// Throws kInvalidArgument for wrong lengths.
[[nodiscard]] int64_t count_spurious(std::span<const uint8_t> truth,
                                     std::span<const uint8_t> predicted,
                                     std::span<const uint8_t> predicted_skeleton,
                                     int64_t width,
                                     int64_t height,
                                     int64_t longest_ignored = 10);

}  // namespace voxloom::metrics
