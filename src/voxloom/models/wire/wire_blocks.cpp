#include "voxloom/models/wire/wire_blocks.h"

namespace voxloom::models::wire {

ConvUnitImpl::ConvUnitImpl(int64_t in, int64_t out, int64_t kernel, int64_t stride, double slope)
    : slope_(slope) {
  conv = register_module(
      "conv",
      nn::Conv2d(in,
                 out,
                 nn::ConvOptions{
                     .kernel = kernel, .stride = stride, .padding = kernel / 2, .bias = false}));
  norm = register_module("norm", nn::BatchNorm2d(out));
}

at::Tensor ConvUnitImpl::forward(const at::Tensor& x) {
  return at::leaky_relu(norm(conv(x)), slope_);
}

ResidualBlockImpl::ResidualBlockImpl(int64_t in, int64_t out, double slope) : slope_(slope) {
  first = register_module("first", ConvUnit(in, out, 3, 1, slope));
  second = register_module(
      "second", nn::Conv2d(out, out, nn::ConvOptions{.kernel = 3, .padding = 1, .bias = false}));
  norm = register_module("norm", nn::BatchNorm2d(out));
  if (in != out) {
    skip = register_module("skip", nn::Conv2d(in, out, nn::ConvOptions{.bias = false}));
  }
}

at::Tensor ResidualBlockImpl::forward(const at::Tensor& x) {
  const at::Tensor y = norm(second(first(x)));
  return at::leaky_relu(y + (skip.is_empty() ? x : skip(x)), slope_);
}

}  // namespace voxloom::models::wire
