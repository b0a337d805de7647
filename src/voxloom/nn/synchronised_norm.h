#pragma once

#include <functional>

#include <torch/torch.h>

namespace voxloom::nn {

/// Adds a tensor up over all processes of a distributed training, in place. All processes call it
/// the same number of times in the same order.
using SumOverRanks = std::function<void(const at::Tensor&)>;

/// From now on the BatchNorm2d of `network` take mean and variance, in training mode, over the
/// batches of all processes together: as one process with the whole batch would, forward and
/// backward. Throws kUnsupported when the network holds another kind of batch norm, which would
/// stay with its own share.
void synchronise_batch_norms(torch::nn::Module& network, const SumOverRanks& sum);

/// What BatchNorm2d computes then.
///
/// x [B, C, H, W] -> the same shape and type; statistics in float64, numbers in float32. B, H and W
/// may differ between processes. `running_mean` and `running_var` [C] move by `momentum`.
///
/// The gradient of x is that of the sum of all processes' losses; those of weight and bias are
/// this process's part, to be summed or averaged with all other parameters' gradients.
[[nodiscard]] at::Tensor synchronised_batch_norm(const at::Tensor& x,
                                                 const at::Tensor& weight,
                                                 const at::Tensor& bias,
                                                 at::Tensor running_mean,
                                                 at::Tensor running_var,
                                                 double momentum,
                                                 double eps,
                                                 const SumOverRanks& sum);

}  // namespace voxloom::nn
