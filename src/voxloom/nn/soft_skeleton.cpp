#include "voxloom/nn/soft_skeleton.h"

#include <ATen/ATen.h>

#include "voxloom/core/error.h"
#include "voxloom/nn/full_precision.h"
#include "voxloom/tensor/view.h"

namespace voxloom::nn {

namespace {

at::Tensor fill_unseen(const at::Tensor& x, const at::Tensor& observed, double value) {
  return observed.defined() ? x.masked_fill(observed.logical_not(), value) : x;
}

}  // namespace

at::Tensor soft_erode(const at::Tensor& x, const at::Tensor& observed) {
  const FullPrecisionGuard guard;
  const at::Tensor negative = -fill_unseen(x, observed, 1.0);
  const at::Tensor column = at::max_pool2d(negative, {3, 1}, {1, 1}, {1, 0});
  const at::Tensor row = at::max_pool2d(negative, {1, 3}, {1, 1}, {0, 1});
  return at::minimum(-column, -row);
}

at::Tensor soft_dilate(const at::Tensor& x, const at::Tensor& observed) {
  const FullPrecisionGuard guard;
  return at::max_pool2d(fill_unseen(x, observed, 0.0), {3, 3}, {1, 1}, {1, 1});
}

at::Tensor soft_skeleton(const at::Tensor& input, int64_t iterations, const at::Tensor& observed) {
  VOXLOOM_CHECK(input.dim() == 4 && input.is_floating_point(),
                ErrorCode::kInvalidArgument,
                "soft skeleton: image must be [B, C, H, W] floating point, got {}",
                tensor::shape_str(input));
  VOXLOOM_CHECK(iterations >= 0,
                ErrorCode::kInvalidArgument,
                "soft skeleton: iterations must not be negative, got {}",
                iterations);
  const FullPrecisionGuard guard;
  at::Tensor x = to_full(input);
  // The erosion that opens x is also the next x: computed once.
  at::Tensor eroded = soft_erode(x, observed);
  at::Tensor skeleton = at::relu(x - soft_dilate(eroded, observed));
  for (int64_t step = 0; step < iterations; ++step) {
    x = eroded;
    eroded = soft_erode(x, observed);
    const at::Tensor found = at::relu(x - soft_dilate(eroded, observed));
    skeleton = skeleton + at::relu(found - skeleton * found);
  }
  return fill_unseen(skeleton, observed, 0.0);
}

}  // namespace voxloom::nn
