#pragma once

#include <ATen/core/Tensor.h>

namespace voxloom::models::wire {

/// What every wire network sees: each image shifted and scaled to mean 0 and standard deviation 1
/// (over its own pixels; a deviation below 0.001 counts as that), so that exposure and display
/// curve cancel. image [B, C, H, W] float32 -> the same shape. Training, evaluation and the live
/// path all call this.
[[nodiscard]] at::Tensor normalise(const at::Tensor& image);

/// Repeats the last row and column until height and width are multiples of `multiple`.
[[nodiscard]] at::Tensor pad_to_multiple(const at::Tensor& image, int64_t multiple);

}  // namespace voxloom::models::wire
