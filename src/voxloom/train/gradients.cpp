#include "voxloom/train/gradients.h"

namespace voxloom::train {

double gradient_norm(const std::vector<at::Tensor>& gradients) {
  const torch::NoGradGuard no_grad;
  if (gradients.empty()) return 0.0;
  const std::vector<at::Tensor> norms = at::_foreach_norm(gradients, 2);
  return at::stack(norms).norm().item<double>();
}

void scale_gradients(const std::vector<at::Tensor>& gradients, double factor) {
  const torch::NoGradGuard no_grad;
  if (factor != 1.0 && !gradients.empty()) at::_foreach_mul_(gradients, factor);
}

}  // namespace voxloom::train
