#pragma once

#include <span>
#include <vector>

#include "voxloom/filters/frame_view.h"
#include "voxloom/filters/noise_model.h"
#include "voxloom/infer/filter_options.h"

namespace voxloom::filters {

/// y_t = p y_{t-1} + (1 - p) x_t, which lowers white noise to sqrt((1 - p) / (1 + p)) of its
/// standard deviation. With a guard p falls as 1 - (d / (guard * s))^2 to 0 where the frame differs
/// from the past by d, s the standard deviation of that difference for pure noise: a wire that
/// moves leaves no trail. Causal; not thread-safe.
class RecursiveFilter {
 public:
  /// Throws kInvalidArgument unless past lies within [0, 1) and guard is not negative.
  explicit RecursiveFilter(const infer::RecursiveOptions& options);
  void reset();
  /// Filters `frame` in place; `noise` is that of single frames. The first frame after reset(), and
  /// the first of another size, passes unchanged.
  void step(std::span<float> frame, const NoiseModel& noise);

 private:
  infer::RecursiveOptions options_;
  std::vector<float> past_;
};

/// Noise-variance conditioned average: the mean of those pixels of the 5x5 neighbourhoods in the
/// last 5 frames that differ from the newest one's centre by at most reach standard deviations of
/// the noise there. Causal; not thread-safe.
class Nvca {
 public:
  /// Throws kInvalidArgument unless reach is positive.
  explicit Nvca(const infer::NvcaOptions& options);
  void reset();
  /// Filters `frame` [height, width] in place.
  void step(std::span<float> frame, int64_t width, int64_t height, const NoiseModel& noise);

 private:
  infer::NvcaOptions options_;
  std::vector<std::vector<float>> frames_;  ///< Newest last; with 2 repeated pixels all around.
};

}  // namespace voxloom::filters
