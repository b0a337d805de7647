#include "voxloom/models/wire/detector_blocks.h"

namespace voxloom::models::wire {

namespace {

constexpr double kNormMomentum = 0.03;

}  // namespace

SiluUnitImpl::SiluUnitImpl(int64_t in, int64_t out, int64_t kernel, int64_t stride)
    : SiluUnitImpl(in, out, kernel, stride, kernel / 2) {}

SiluUnitImpl::SiluUnitImpl(
    int64_t in, int64_t out, int64_t kernel, int64_t stride, int64_t padding) {
  conv = register_module(
      "conv",
      nn::Conv2d(
          in,
          out,
          nn::ConvOptions{.kernel = kernel, .stride = stride, .padding = padding, .bias = false}));
  norm = register_module("norm", nn::BatchNorm2d(out, kSiluNormEps, kNormMomentum));
}

at::Tensor SiluUnitImpl::forward(const at::Tensor& x) {
  return at::silu(norm(conv(x)));
}

BottleneckImpl::BottleneckImpl(int64_t channels, bool add) : add_(add) {
  narrow = register_module("narrow", SiluUnit(channels, channels));
  wide = register_module("wide", SiluUnit(channels, channels, 3));
}

at::Tensor BottleneckImpl::forward(const at::Tensor& x) {
  const at::Tensor y = wide(narrow(x));
  return add_ ? x + y : y;
}

CrossStageImpl::CrossStageImpl(int64_t in, int64_t out, int64_t blocks, bool add) {
  const int64_t half = out / 2;
  through = register_module("through", SiluUnit(in, half));
  past = register_module("past", SiluUnit(in, half));
  joined = register_module("joined", SiluUnit(2 * half, out));
  torch::nn::ModuleList list = register_module("blocks", torch::nn::ModuleList());
  for (int64_t n = 0; n < blocks; ++n) {
    blocks_.emplace_back(half, add);
    list->push_back(blocks_.back());
  }
}

at::Tensor CrossStageImpl::forward(const at::Tensor& x) {
  at::Tensor y = through(x);
  for (Bottleneck& block : blocks_) y = block(y);
  return joined(at::cat({y, past(x)}, 1));
}

PoolPyramidImpl::PoolPyramidImpl(int64_t channels) {
  narrow = register_module("narrow", SiluUnit(channels, channels / 2));
  wide = register_module("wide", SiluUnit(channels / 2 * 4, channels));
}

at::Tensor PoolPyramidImpl::forward(const at::Tensor& x) {
  std::vector<at::Tensor> maps{narrow(x)};
  for (int pool = 0; pool < 3; ++pool) {
    maps.push_back(at::max_pool2d(maps.back(), {5, 5}, {1, 1}, {2, 2}));
  }
  return wide(at::cat(maps, 1));
}

}  // namespace voxloom::models::wire
