#pragma once

#include <algorithm>
#include <memory>

#include "voxloom/core/random.h"
#include "voxloom/image/volume.h"
#include "voxloom/infer/prompt.h"

namespace voxloom::infer_ml::testing {

inline constexpr int64_t kWidth = 90, kHeight = 100, kDepth = 12;

/// A bright ball on a noisy ground, in 8 bits.
inline std::shared_ptr<image::VolumeSource> ball() {
  image::Volume volume(image::Geometry{.size = {kWidth, kHeight, kDepth}, .spacing_mm = {1, 1, 3}},
                       image::PixelType::kUint8);
  Rng rng(7);
  auto voxels = volume.as<uint8_t>();
  for (int64_t z = 0, i = 0; z < kDepth; ++z) {
    for (int64_t y = 0; y < kHeight; ++y) {
      for (int64_t x = 0; x < kWidth; ++x, ++i) {
        const int64_t dx = x - 40, dy = y - 50, dz = (z - 6) * 3;
        const double value = (dx * dx + dy * dy + dz * dz < 16 * 16 ? 180 : 60) + 10 * rng.normal();
        voxels[static_cast<size_t>(i)] = static_cast<uint8_t>(std::clamp(value, 0.0, 255.0));
      }
    }
  }
  return image::make_source(std::move(volume));
}

/// A box on the middle slice of the ball.
inline infer::ObjectPrompt box_prompt() {
  infer::ObjectPrompt prompt;
  prompt.boxes = {{{25, 35, 6}, {55, 65, 6}}};
  return prompt;
}

}  // namespace voxloom::infer_ml::testing
