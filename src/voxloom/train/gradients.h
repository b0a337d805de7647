#pragma once

#include <vector>

#include <torch/torch.h>

namespace voxloom::train {

/// The Euclidean norm of all gradients together, in float32: not finite when one element is not.
[[nodiscard]] double gradient_norm(const std::vector<at::Tensor>& gradients);

/// Multiplies all of them in place.
void scale_gradients(const std::vector<at::Tensor>& gradients, double factor);

}  // namespace voxloom::train
