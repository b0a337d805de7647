#pragma once

#include <string>
#include <utility>
#include <vector>

#include <torch/torch.h>

namespace voxloom::train {

using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

/// All parameters, then all buffers, under their full names. The tensors are the network's own.
[[nodiscard]] NamedTensors named_tensors(const torch::nn::Module& network);

}  // namespace voxloom::train
