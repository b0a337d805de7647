#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include <ATen/core/Tensor.h>

#include "voxloom/image/resize.h"
#include "voxloom/image/volume.h"
#include "voxloom/image/window.h"

namespace voxloom::infer_ml {

/// What every channel, in [0, 1], is normalised with: ImageNet's mean and deviation.
inline constexpr std::array<double, 3> kImageMean{0.485F, 0.456F, 0.406F};
inline constexpr std::array<double, 3> kImageDeviation{0.229F, 0.224F, 0.225F};

/// Slices of a volume as the network wants them: windowed to 8 bits, resized with Pillow's
/// bicubic filter to S x S (aspect not kept, spacing not used), three equal channels, normalised
/// with the ImageNet mean and deviation. Reference: MedSAM2's inference scripts.
class SliceReader {
 public:
  SliceReader(std::shared_ptr<image::VolumeSource> volume,
              const image::GreyMap& grey_map,
              int64_t image_size);

  /// Slice z after windowing and resizing, before it is normalised: [S, S].
  [[nodiscard]] std::vector<uint8_t> read_grey(int64_t z);
  /// Slice z as [1, 3, S, S] float32.
  [[nodiscard]] at::Tensor read(int64_t z);

 private:
  std::shared_ptr<image::VolumeSource> volume_;
  image::GreyMap grey_map_;
  int64_t image_size_;
  image::PillowBicubic resize_;
  std::array<std::array<float, 256>, 3> normalised_;  ///< Channel, grey value.
};

}  // namespace voxloom::infer_ml
