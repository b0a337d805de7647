#pragma once

#include <barrier>
#include <vector>

#include <torch/torch.h>

#include "voxloom/nn/synchronised_norm.h"

namespace voxloom::nn {

/// Adds the tensors of all threads up, in the order of their rank.
class SharedSum {
 public:
  explicit SharedSum(size_t ranks) : barrier_(static_cast<std::ptrdiff_t>(ranks)), parts_(ranks) {}

  SumOverRanks of(size_t rank) {
    return [this, rank](const at::Tensor& tensor) {
      parts_[rank] = tensor.clone();
      barrier_.arrive_and_wait();
      at::Tensor total = parts_[0].clone();
      for (size_t r = 1; r < parts_.size(); ++r) total += parts_[r];
      barrier_.arrive_and_wait();
      tensor.copy_(total);
    };
  }

 private:
  std::barrier<> barrier_;
  std::vector<at::Tensor> parts_;
};

}  // namespace voxloom::nn
