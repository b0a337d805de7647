#pragma once

#include <ATen/core/Tensor.h>

namespace voxloom::nn {

// Grey-scale morphology by min- and max-pooling, differentiable (Shit et al. 2021,
// arXiv:2003.07311, algorithm 1). x [B, C, H, W] in [0, 1], floating point. Pixels outside the
// image never change one inside, and so it is with pixels where `observed` (bool, same shape;
// undefined: all) is false.

/// Minimum over the cross of five pixels.
[[nodiscard]] at::Tensor soft_erode(const at::Tensor& x, const at::Tensor& observed = {});
/// Maximum over the square of nine pixels.
[[nodiscard]] at::Tensor soft_dilate(const at::Tensor& x, const at::Tensor& observed = {});

/// What erosion followed by dilation removes, collected over `iterations` further erosions; 0 where
/// not observed. Bars of even width keep two pixels. `iterations` needs to reach half the largest
/// width: 3 to 5 for guidewires, 10 for catheters.
[[nodiscard]] at::Tensor soft_skeleton(const at::Tensor& x,
                                       int64_t iterations,
                                       const at::Tensor& observed = {});

}  // namespace voxloom::nn
