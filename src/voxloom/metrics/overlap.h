#pragma once

#include <cstdint>
#include <map>
#include <span>

namespace voxloom::metrics {

/// Voxel counts of one label in two label maps, and the ratios made from them.
///
/// Where a ratio has nothing to divide by: two empty masks agree, so every ratio is 1; when only
/// one of them is empty every ratio is 0 (precision of an empty prediction, recall of an empty
/// truth).
struct Overlap {
  int64_t both = 0;        ///< In truth and prediction.
  int64_t truth_only = 0;  ///< Missed.
  int64_t predicted_only = 0;

  [[nodiscard]] int64_t truth() const { return both + truth_only; }
  [[nodiscard]] int64_t predicted() const { return both + predicted_only; }

  [[nodiscard]] double dice() const { return ratio(2 * both, truth() + predicted()); }
  [[nodiscard]] double iou() const { return ratio(both, both + truth_only + predicted_only); }
  [[nodiscard]] double precision() const { return ratio(both, predicted()); }
  [[nodiscard]] double recall() const { return ratio(both, truth()); }

  bool operator==(const Overlap&) const = default;

 private:
  [[nodiscard]] double ratio(int64_t part, int64_t whole) const {
    if (truth() == 0 && predicted() == 0) return 1.0;
    return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
  }
};

/// Overlap of the voxels that hold `value`. Throws kInvalidArgument for different lengths.
[[nodiscard]] Overlap count_overlap(std::span<const uint16_t> truth,
                                    std::span<const uint16_t> predicted,
                                    uint16_t value);

/// Overlap of two masks (anything but 0 is inside).
[[nodiscard]] Overlap count_overlap(std::span<const uint8_t> truth,
                                    std::span<const uint8_t> predicted);

/// Overlap of every value that occurs in either map, background left out; one pass.
[[nodiscard]] std::map<uint16_t, Overlap> count_overlaps(std::span<const uint16_t> truth,
                                                         std::span<const uint16_t> predicted);

}  // namespace voxloom::metrics
