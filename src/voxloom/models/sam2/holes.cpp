#include "voxloom/models/sam2/holes.h"

#include <ATen/ATen.h>

#include "voxloom/core/error.h"
#include "voxloom/image/holes.h"
#include "voxloom/tensor/view.h"

namespace voxloom::models::sam2 {

at::Tensor fill_holes(const at::Tensor& logits, int64_t max_area) {
  VOXLOOM_CHECK(logits.dim() == 4 && logits.size(0) == 1 && logits.size(1) == 1,
                ErrorCode::kInvalidArgument,
                "fill holes: logits must be [1, 1, H, W], got {}",
                tensor::shape_str(logits));
  if (max_area <= 0) return logits;
  const at::Tensor filled = logits.detach().to(at::kCPU, at::kFloat).contiguous().clone();
  const int64_t changed =
      image::fill_small_holes({filled.data_ptr<float>(), static_cast<size_t>(filled.numel())},
                              filled.size(3),
                              filled.size(2),
                              max_area,
                              kFilledLogit);
  return changed == 0 ? logits : filled.to(logits.device());
}

}  // namespace voxloom::models::sam2
