#include "voxloom/metrics/pixels.h"

#include <cmath>

#include "voxloom/core/error.h"

namespace voxloom::metrics {
namespace {

double ratio(int64_t part, int64_t whole) {
  return whole == 0 ? 1.0 : static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

double PixelCounts::specificity() const {
  return ratio(background, background + overlap.predicted_only);
}

double PixelCounts::accuracy() const {
  return ratio(overlap.both + background, pixels());
}

double PixelCounts::mcc() const {
  const auto tp = static_cast<double>(overlap.both), tn = static_cast<double>(background);
  const auto fp = static_cast<double>(overlap.predicted_only);
  const auto fn = static_cast<double>(overlap.truth_only);
  // Roots one by one: the product of four pixel counts loses digits.
  const double whole =
      std::sqrt(tp + fp) * std::sqrt(tp + fn) * std::sqrt(tn + fp) * std::sqrt(tn + fn);
  if (whole == 0.0) return fp + fn == 0.0 ? 1.0 : 0.0;
  return (tp * tn - fp * fn) / whole;
}

PixelCounts& PixelCounts::operator+=(const PixelCounts& other) {
  overlap.both += other.overlap.both;
  overlap.truth_only += other.overlap.truth_only;
  overlap.predicted_only += other.overlap.predicted_only;
  background += other.background;
  ignored += other.ignored;
  return *this;
}

PixelCounts count_pixels(std::span<const uint8_t> truth,
                         std::span<const uint8_t> predicted,
                         std::span<const uint8_t> ignore) {
  VOXLOOM_CHECK(
      truth.size() == predicted.size() && (ignore.empty() || ignore.size() == truth.size()),
      ErrorCode::kInvalidArgument,
      "pixels: truth, prediction and ignore mask must have one length, got {}, {} and {}",
      truth.size(),
      predicted.size(),
      ignore.size());
  PixelCounts counts;
  for (size_t i = 0; i < truth.size(); ++i) {
    if (!ignore.empty() && ignore[i] != 0) {
      ++counts.ignored;
      continue;
    }
    const bool a = truth[i] != 0, b = predicted[i] != 0;
    counts.overlap.both += a && b;
    counts.overlap.truth_only += a && !b;
    counts.overlap.predicted_only += b && !a;
    counts.background += !a && !b;
  }
  return counts;
}

std::vector<uint8_t> threshold_mask(std::span<const float> probability, double threshold) {
  std::vector<uint8_t> mask(probability.size());
  for (size_t i = 0; i < mask.size(); ++i) {
    mask[i] = static_cast<double>(probability[i]) >= threshold;
  }
  return mask;
}

}  // namespace voxloom::metrics
