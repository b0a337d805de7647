#pragma once

#include <vector>

#include "voxloom/nn/batch_norm.h"
#include "voxloom/nn/layers.h"

namespace voxloom::models::wire {

/// silu(norm(conv(x))), the norm with eps 1e-3 and momentum 0.03. Keys: conv.weight, norm.*.
class SiluUnitImpl : public torch::nn::Module {
 public:
  SiluUnitImpl(int64_t in, int64_t out, int64_t kernel = 1, int64_t stride = 1);
  /// `padding` for kernels that are not odd.
  SiluUnitImpl(int64_t in, int64_t out, int64_t kernel, int64_t stride, int64_t padding);
  at::Tensor forward(const at::Tensor& x);

  nn::Conv2d conv{nullptr};
  nn::BatchNorm2d norm{nullptr};
};
TORCH_MODULE(SiluUnit);

inline constexpr double kSiluNormEps = 1e-3;

/// A 1x1 and a 3x3 unit, and the input added where `add`. Keys: narrow, wide.
class BottleneckImpl : public torch::nn::Module {
 public:
  BottleneckImpl(int64_t channels, bool add);
  at::Tensor forward(const at::Tensor& x);

  SiluUnit narrow{nullptr}, wide{nullptr};

 private:
  bool add_;
};
TORCH_MODULE(Bottleneck);

/// Half of the channels go through `blocks` bottlenecks, the other half past them; both are
/// joined (Wang et al. 2020, CSPNet, arXiv:1911.11929). Keys: through, past, joined, blocks.<n>.
class CrossStageImpl : public torch::nn::Module {
 public:
  CrossStageImpl(int64_t in, int64_t out, int64_t blocks, bool add);
  at::Tensor forward(const at::Tensor& x);

  SiluUnit through{nullptr}, past{nullptr}, joined{nullptr};

 private:
  std::vector<Bottleneck> blocks_;
};
TORCH_MODULE(CrossStage);

/// Maxima over growing windows beside the map itself: three 5x5 pools one after the other, as He et
/// al.'s pyramid (arXiv:1406.4729) with windows of 5, 9 and 13 px. Keys: narrow, wide.
class PoolPyramidImpl : public torch::nn::Module {
 public:
  explicit PoolPyramidImpl(int64_t channels);
  at::Tensor forward(const at::Tensor& x);

  SiluUnit narrow{nullptr}, wide{nullptr};
};
TORCH_MODULE(PoolPyramid);

}  // namespace voxloom::models::wire
