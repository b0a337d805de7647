#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "voxloom/metrics/overlap.h"

namespace voxloom::metrics {

/// Pixel counts of a mask against the truth, ignored pixels left out, and the ratios made from
/// them.
///
/// Dice, IoU, precision and recall follow Overlap: two empty masks agree (1), one empty mask
/// scores 0. Specificity without a negative pixel is 1. Accuracy without a pixel is 1.
struct PixelCounts {
  Overlap overlap;         ///< TP, FN, FP.
  int64_t background = 0;  ///< TN: in neither.
  int64_t ignored = 0;

  [[nodiscard]] int64_t pixels() const {
    return overlap.both + overlap.truth_only + overlap.predicted_only + background;
  }
  [[nodiscard]] double dice() const { return overlap.dice(); }
  [[nodiscard]] double iou() const { return overlap.iou(); }
  [[nodiscard]] double precision() const { return overlap.precision(); }
  [[nodiscard]] double recall() const { return overlap.recall(); }
  [[nodiscard]] double specificity() const;
  [[nodiscard]] double accuracy() const;

  /// Matthews' correlation coefficient, -1 ... 1. Where a row or a column of the 2x2 table is empty
  /// it has nothing to divide by: 1 when no pixel is wrong, else 0.
  [[nodiscard]] double mcc() const;

  /// Adds the pixels of another image: ratios of the sum are pooled (weighted by pixels), which is
  /// not the mean of the images' ratios.
  PixelCounts& operator+=(const PixelCounts& other);
  bool operator==(const PixelCounts&) const = default;
};

/// truth, predicted: anything but 0 is inside. ignore: anything but 0 is left out; empty: nothing.
/// Throws kInvalidArgument for different lengths.
[[nodiscard]] PixelCounts count_pixels(std::span<const uint8_t> truth,
                                       std::span<const uint8_t> predicted,
                                       std::span<const uint8_t> ignore = {});

/// 1 where probability >= threshold; NaN gives 0.
[[nodiscard]] std::vector<uint8_t> threshold_mask(std::span<const float> probability,
                                                  double threshold = 0.5);

}  // namespace voxloom::metrics
