#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include <nlohmann/json_fwd.hpp>

#include "voxloom/metrics/tip.h"

namespace voxloom::metrics {

/// How steady a prediction is over the frames of one sequence.
struct TemporalStability {
  int64_t frames = 0;
  double dice_std = 0.0;                      ///< Divides by the number of frames.
  double share_in_pieces = 0;                 ///< Share of frames whose predicted mask has b0 > 1.
  std::optional<double> tip_jitter_px;        ///< tip_jitter() of the predicted tips.
  std::optional<double> truth_tip_jitter_px;  ///< Of the true ones: what a perfect result has.

  /// {"frames", "dice_std", "share_in_pieces", "tip_jitter_px", "truth_tip_jitter_px"}; null where
  /// absent.
  [[nodiscard]] nlohmann::ordered_json to_json() const;
};

/// dice, components (b0 of the prediction) and tips frame by frame, in order of time; no frames
/// give zeros. Throws kInvalidArgument for different lengths.
[[nodiscard]] TemporalStability temporal_stability(std::span<const double> dice,
                                                   std::span<const int64_t> components,
                                                   std::span<const Tip> truth_tips,
                                                   std::span<const Tip> predicted_tips);

}  // namespace voxloom::metrics
