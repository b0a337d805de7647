#include "voxloom/nn/batch_norm.h"

namespace voxloom::nn {

BatchNorm2dImpl::BatchNorm2dImpl(int64_t channels, double norm_eps, double norm_momentum)
    : eps(norm_eps), momentum(norm_momentum) {
  weight = register_parameter("weight", torch::ones({channels}));
  bias = register_parameter("bias", torch::zeros({channels}));
  running_mean = register_buffer("running_mean", torch::zeros({channels}));
  running_var = register_buffer("running_var", torch::ones({channels}));
  num_batches_tracked =
      register_buffer("num_batches_tracked", torch::zeros({}, torch::TensorOptions(torch::kLong)));
}

at::Tensor BatchNorm2dImpl::forward(const at::Tensor& x) {
  if (is_training()) num_batches_tracked.add_(1);
  if (is_training() && sum_over_ranks) {
    return synchronised_batch_norm(
        x, weight, bias, running_mean, running_var, momentum, eps, sum_over_ranks);
  }
  return at::batch_norm(
      x, weight, bias, running_mean, running_var, is_training(), momentum, eps, false);
}

}  // namespace voxloom::nn
