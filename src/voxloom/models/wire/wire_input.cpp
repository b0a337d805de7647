#include "voxloom/models/wire/wire_input.h"

#include <torch/torch.h>

#include "voxloom/core/error.h"
#include "voxloom/tensor/view.h"

namespace voxloom::models::wire {

at::Tensor normalise(const at::Tensor& image) {
  VOXLOOM_CHECK(image.dim() == 4 && image.is_floating_point(),
                ErrorCode::kInvalidArgument,
                "wire input: must be [B, C, H, W] float, got {}",
                tensor::shape_str(image));
  const auto [variance, mean] =
      at::var_mean(image, at::IntArrayRef({1, 2, 3}), /*correction=*/0, /*keepdim=*/true);
  return (image - mean) / variance.sqrt().clamp_min(1e-3);
}

at::Tensor pad_to_multiple(const at::Tensor& image, int64_t multiple) {
  const auto missing = [multiple](int64_t size) { return (multiple - size % multiple) % multiple; };
  const int64_t right = missing(image.size(3)), bottom = missing(image.size(2));
  if (right == 0 && bottom == 0) return image;
  return at::replication_pad2d(image, {0, right, 0, bottom});
}

}  // namespace voxloom::models::wire
