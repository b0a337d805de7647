#pragma once

#include <algorithm>
#include <cmath>

#include "voxloom/filters/noise_model.h"

namespace voxloom::filters {

/// Anscombe's transform for grey values with variance = gain * mean + offset: a = 2 sqrt(n + 3/8)
/// with n = mean / gain + offset / gain^2 has variance 1 for n above 4 or so. The inverse is the
/// asymptotically unbiased (a/2)^2 - 1/8. Without a gain the noise is equal everywhere, and the
/// transform divides by its standard deviation.
class Anscombe {
 public:
  explicit Anscombe(const NoiseModel& noise)
      : gain_(noise.gain), offset_(noise.offset), sigma_(std::sqrt(std::max(0.0, noise.offset))) {}

  /// False when there is no noise.
  [[nodiscard]] bool usable() const { return gain_ > 0.0 || sigma_ > 0.0; }

  [[nodiscard]] double forward(double value) const {
    if (!poisson()) return value / sigma_;
    return 2.0 * std::sqrt(std::max(0.0, value / gain_ + offset_ / (gain_ * gain_) + 0.375));
  }
  [[nodiscard]] double inverse(double stable) const {
    if (!poisson()) return stable * sigma_;
    return gain_ * (0.25 * stable * stable - 0.125) - offset_ / gain_;
  }

 private:
  /// A gain that explains nearly nothing of the variance would make n huge and lose precision.
  [[nodiscard]] bool poisson() const { return gain_ > 1e-4 * offset_ && gain_ > 0.0; }
  double gain_, offset_, sigma_;
};

}  // namespace voxloom::filters
