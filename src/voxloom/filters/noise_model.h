#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "voxloom/filters/frame_view.h"

namespace voxloom::filters {

/// Noise of quantum-limited images: variance = gain * mean + offset, in units of the image.
struct NoiseModel {
  double gain = 0.0, offset = 0.0;
  [[nodiscard]] double variance(double mean) const;
};

/// Fits the model to one frame: the local second difference (Immerkaer's mask) gives a robust
/// variance for each of 12 bins of local mean with equally many pixels; a weighted line goes
/// through them. A negative slope or offset is set to 0 and the other one fitted again. Pixels
/// within 2 px of white or black are left out, since clipping hides their noise.
[[nodiscard]] NoiseModel estimate_noise(const FrameView& view);

}  // namespace voxloom::filters
