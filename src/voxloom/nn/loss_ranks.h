#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

#include "voxloom/nn/synchronised_norm.h"

namespace voxloom::nn {

/// While it lives, the sums that losses of this thread take over a batch run over the batches of
/// all processes of a distributed training: a Dice of the whole batch is one of the whole batch.
/// Every process then has the same loss; the mean of their gradients is its gradient. All processes
/// compute the same losses in the same order, on images of one size.
class LossesOverRanks {
 public:
  /// An empty function: this process trains alone.
  explicit LossesOverRanks(const SumOverRanks& sum);
  ~LossesOverRanks();
  LossesOverRanks(const LossesOverRanks&) = delete;
  LossesOverRanks& operator=(const LossesOverRanks&) = delete;

 private:
  const SumOverRanks* before_;
};

/// Scalars of this process -> their sums over all processes, in one exchange, differentiable;
/// the same tensors where no LossesOverRanks lives.
[[nodiscard]] std::vector<at::Tensor> over_ranks(std::vector<at::Tensor> sums);

}  // namespace voxloom::nn
