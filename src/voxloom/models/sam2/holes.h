#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

namespace voxloom::models::sam2 {

/// Logit written into filled holes.
inline constexpr float kFilledLogit = 0.1F;

/// Fills small holes of mask logits [1, 1, H, W] (float32, CPU or not): 8-connected regions of
/// logits <= 0 with at most `max_area` pixels become kFilledLogit. Returns `logits` itself when
/// there is nothing to fill or max_area is 0.
[[nodiscard]] at::Tensor fill_holes(const at::Tensor& logits, int64_t max_area);

}  // namespace voxloom::models::sam2
