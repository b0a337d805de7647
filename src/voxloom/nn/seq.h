#pragma once

#include <torch/torch.h>

namespace voxloom::nn {

/// torch::nn::Sequential that may sit inside another one, so that keys nest as in Python
/// ("2.1.running_var"). One tensor in, one tensor out.
struct SeqImpl : torch::nn::SequentialImpl {
  using torch::nn::SequentialImpl::SequentialImpl;
  at::Tensor forward(at::Tensor x) { return torch::nn::SequentialImpl::forward(x); }
};
TORCH_MODULE(Seq);

}  // namespace voxloom::nn
