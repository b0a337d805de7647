#pragma once

#include "voxloom/nn/batch_norm.h"
#include "voxloom/nn/layers.h"

namespace voxloom::models::wire {

inline constexpr double kLeak = 0.01;  ///< Slope of the leaky ReLU for negative values.

/// leaky_relu(norm(conv(x))), odd kernel, size kept up to the stride. Keys: conv.weight, norm.*.
class ConvUnitImpl : public torch::nn::Module {
 public:
  ConvUnitImpl(
      int64_t in, int64_t out, int64_t kernel = 3, int64_t stride = 1, double slope = kLeak);
  at::Tensor forward(const at::Tensor& x);

  nn::Conv2d conv{nullptr};
  nn::BatchNorm2d norm{nullptr};

 private:
  double slope_;
};
TORCH_MODULE(ConvUnit);

/// Two 3x3 convolutions with norms and a skip path: the sum is taken before the last leaky ReLU (He
/// et al. 2016, arXiv:1512.03385). Keys: first.*, second.*, norm.*, and skip where `in` is not
/// `out`.
class ResidualBlockImpl : public torch::nn::Module {
 public:
  ResidualBlockImpl(int64_t in, int64_t out, double slope = kLeak);
  at::Tensor forward(const at::Tensor& x);

  ConvUnit first{nullptr};
  nn::Conv2d second{nullptr}, skip{nullptr};
  nn::BatchNorm2d norm{nullptr};

 private:
  double slope_;
};
TORCH_MODULE(ResidualBlock);

}  // namespace voxloom::models::wire
