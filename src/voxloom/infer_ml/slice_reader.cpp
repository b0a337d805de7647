#include "voxloom/infer_ml/slice_reader.h"

#include <torch/torch.h>

namespace voxloom::infer_ml {

SliceReader::SliceReader(std::shared_ptr<image::VolumeSource> volume,
                         const image::GreyMap& grey_map,
                         int64_t image_size)
    : volume_(std::move(volume)),
      grey_map_(grey_map),
      image_size_(image_size),
      resize_(volume_->geometry().size[0], volume_->geometry().size[1], image_size, image_size) {
  // As the scripts compute it: divided and normalised in float64, then rounded to float32.
  for (size_t c = 0; c < 3; ++c) {
    for (size_t v = 0; v < 256; ++v) {
      normalised_[c][v] =
          static_cast<float>((static_cast<double>(v) / 255.0 - kImageMean[c]) / kImageDeviation[c]);
    }
  }
}

std::vector<uint8_t> SliceReader::read_grey(int64_t z) {
  return resize_(image::apply_window(grey_map_, volume_->read_slab(z, z + 1)));
}

at::Tensor SliceReader::read(int64_t z) {
  const auto grey = read_grey(z);
  auto tensor = torch::empty({1, 3, image_size_, image_size_}, torch::kFloat);
  auto* out = tensor.data_ptr<float>();
  for (const auto& table : normalised_) {
    for (const uint8_t value : grey) *out++ = table[value];
  }
  return tensor;
}

}  // namespace voxloom::infer_ml
