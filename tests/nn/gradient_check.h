#pragma once

#include <functional>

#include <torch/torch.h>

namespace voxloom::nn {

/// Largest |analytic - central difference| over the elements of x (double) where the function is
/// smooth: elements whose one-sided differences disagree sit at a kink (relu, max) and are skipped.
/// `kinks` counts them.
inline double gradient_error(const std::function<at::Tensor(const at::Tensor&)>& f,
                             const at::Tensor& x,
                             int64_t& kinks,
                             double step = 1e-6) {
  const at::Tensor leaf = x.detach().clone().requires_grad_(true);
  f(leaf).backward();
  const at::Tensor analytic = leaf.grad().contiguous().view(-1);
  const torch::NoGradGuard no_grad;
  const at::Tensor point = x.detach().clone().contiguous();
  const at::Tensor flat = point.view(-1);
  double* values = flat.data_ptr<double>();
  const double here = f(point).item<double>();
  double worst = 0.0;
  kinks = 0;
  for (int64_t i = 0; i < flat.numel(); ++i) {
    const double kept = values[i];
    values[i] = kept + step;
    const double up = f(point).item<double>();
    values[i] = kept - step;
    const double down = f(point).item<double>();
    values[i] = kept;
    const double right = (up - here) / step, left = (here - down) / step;
    if (std::abs(right - left) > 1e-4 + 1e-3 * std::abs(right)) {
      ++kinks;
      continue;
    }
    worst = std::max(worst, std::abs(analytic[i].item<double>() - (up - down) / (2.0 * step)));
  }
  return worst;
}

}  // namespace voxloom::nn
