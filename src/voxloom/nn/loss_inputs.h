#pragma once

#include <ATen/core/Tensor.h>

namespace voxloom::nn {

/// Prediction, target and weight of a loss in one floating-point type and of fitting shapes.
struct LossInputs {
  at::Tensor prediction, target, weight;  ///< weight stays undefined where none was given.

  /// sum of weight * x, over all processes (loss_ranks.h).
  [[nodiscard]] at::Tensor sum(const at::Tensor& x) const;
  /// The same over this process's images.
  [[nodiscard]] at::Tensor own_sum(const at::Tensor& x) const;
  /// True where weight > 0; undefined without weights.
  [[nodiscard]] at::Tensor observed() const;
};

/// Throws kInvalidArgument, beginning with `where`, for shapes that don't fit.
[[nodiscard]] LossInputs loss_inputs(const char* where,
                                     const at::Tensor& prediction,
                                     const at::Tensor& target,
                                     const at::Tensor& weight);

}  // namespace voxloom::nn
