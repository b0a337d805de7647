#include "voxloom/metrics/temporal.h"

#include <algorithm>
#include <cmath>

#include <nlohmann/json.hpp>

#include "voxloom/core/error.h"
#include "voxloom/metrics/bootstrap.h"

namespace voxloom::metrics {
namespace {

nlohmann::ordered_json or_null(const std::optional<double>& value) {
  return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json();
}

}  // namespace

nlohmann::ordered_json TemporalStability::to_json() const {
  return {{"frames", frames},
          {"dice_std", dice_std},
          {"share_in_pieces", share_in_pieces},
          {"tip_jitter_px", or_null(tip_jitter_px)},
          {"truth_tip_jitter_px", or_null(truth_tip_jitter_px)}};
}

TemporalStability temporal_stability(std::span<const double> dice,
                                     std::span<const int64_t> components,
                                     std::span<const Tip> truth_tips,
                                     std::span<const Tip> predicted_tips) {
  VOXLOOM_CHECK(dice.size() == components.size() && dice.size() == truth_tips.size() &&
                    dice.size() == predicted_tips.size(),
                ErrorCode::kInvalidArgument,
                "temporal: all lists must have one value a frame, got {}, {}, {} and {}",
                dice.size(),
                components.size(),
                truth_tips.size(),
                predicted_tips.size());
  TemporalStability out;
  out.frames = static_cast<int64_t>(dice.size());
  out.truth_tip_jitter_px = tip_jitter(truth_tips);
  out.tip_jitter_px = tip_jitter(predicted_tips);
  if (dice.empty()) return out;
  const double average = mean(dice);
  double squares = 0.0;
  for (const double v : dice) squares += (v - average) * (v - average);
  out.dice_std = std::sqrt(squares / static_cast<double>(dice.size()));
  const auto pieces =
      std::count_if(components.begin(), components.end(), [](int64_t n) { return n > 1; });
  out.share_in_pieces = static_cast<double>(pieces) / static_cast<double>(dice.size());
  return out;
}

}  // namespace voxloom::metrics
