#pragma once

#include <torch/torch.h>

#include "voxloom/nn/synchronised_norm.h"

namespace voxloom::nn {

/// Normalises each channel over batch and pixels, with PyTorch's keys: weight, bias, running_mean,
/// running_var, num_batches_tracked. Construction draws no random numbers (weight 1, bias 0).
///
/// forward: x [B, C, H, W] -> the same shape. In training mode by the batch's own mean and
/// variance, which move the running ones by `momentum`; else by the running ones. In a distributed
/// training the batch is that of all processes (synchronised_norm.h).
class BatchNorm2dImpl : public torch::nn::Module {
 public:
  explicit BatchNorm2dImpl(int64_t channels, double eps = 1e-5, double momentum = 0.1);
  at::Tensor forward(const at::Tensor& x);

  const double eps, momentum;
  at::Tensor weight, bias, running_mean, running_var, num_batches_tracked;
  SumOverRanks sum_over_ranks;  ///< Empty: this process trains alone.
};
TORCH_MODULE(BatchNorm2d);

}  // namespace voxloom::nn
