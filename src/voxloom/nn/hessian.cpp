#include "voxloom/nn/hessian.h"

#include <cmath>

#include "voxloom/core/error.h"
#include "voxloom/nn/full_precision.h"
#include "voxloom/tensor/view.h"

namespace voxloom::nn {

namespace {

constexpr double kSmallestSigma = 0.8;
// Keeps the slope of the square root finite where both eigenvalues are equal.
constexpr double kEqualEps = 1e-12;

}  // namespace

void HessianOptions::validate() const {
  VOXLOOM_CHECK(!sigmas.empty() && sigmas.size() <= 16,
                ErrorCode::kInvalidArgument,
                "hessian: sigmas must be 1 to 16 numbers, got {}",
                sigmas.size());
  for (const double sigma : sigmas) {
    VOXLOOM_CHECK(sigma >= kSmallestSigma && sigma <= 64.0,
                  ErrorCode::kInvalidArgument,
                  "hessian: sigmas must lie in [{}, 64] px, got {}",
                  kSmallestSigma,
                  sigma);
  }
}

GaussianKernels gaussian_kernels(double sigma, bool corrected) {
  const auto radius = static_cast<int64_t>(std::ceil(4.0 * sigma));
  const double variance = sigma * sigma;
  GaussianKernels kernels;
  double total = 0.0;
  for (int64_t x = -radius; x <= radius; ++x) {
    const auto d = static_cast<double>(x);
    kernels.smooth.push_back(std::exp(-0.5 * d * d / variance));
    total += kernels.smooth.back();
  }
  double sum = 0.0;
  for (int64_t x = -radius; x <= radius; ++x) {
    const auto d = static_cast<double>(x);
    double& g = kernels.smooth[static_cast<size_t>(x + radius)];
    g /= total;
    // Correlation turns a kernel round: the odd one changes its sign.
    kernels.first.push_back(d / variance * g);
    kernels.second.push_back((d * d / variance - 1.0) / variance * g);
    sum += kernels.second.back();
  }
  if (!corrected) return kernels;
  const double mean = sum / static_cast<double>(kernels.second.size());
  double moment = 0.0;
  for (int64_t x = -radius; x <= radius; ++x) {
    double& k = kernels.second[static_cast<size_t>(x + radius)];
    k -= mean;
    moment += 0.5 * k * static_cast<double>(x * x);
  }
  for (double& k : kernels.second) k /= moment;
  return kernels;
}

HessianImpl::HessianImpl(HessianOptions hessian_options) : options(std::move(hessian_options)) {
  options.validate();
}

at::Tensor HessianImpl::forward(const at::Tensor& input) {
  VOXLOOM_CHECK(input.dim() == 4 && input.size(1) == 1 && input.is_floating_point(),
                ErrorCode::kInvalidArgument,
                "hessian: input must be [B, 1, H, W] floating point, got {}",
                tensor::shape_str(input));
  const FullPrecisionGuard guard;
  const at::Tensor x = to_full(input);
  std::vector<at::Tensor> maps;
  for (size_t scale = 0; scale < options.sigmas.size(); ++scale) {
    const double sigma = options.sigmas[scale];
    // Rows of the kernels: down the columns G, G', G'', then along the rows G'', G', G, so that the
    // three channels become I_xx, I_xy, I_yy.
    const at::Tensor taps =
        kernels_.get({static_cast<int64_t>(scale),
                      static_cast<int64_t>(x.scalar_type()),
                      static_cast<int64_t>(x.device().type()),
                      static_cast<int64_t>(x.device().index())},
                     [&] {
                       const GaussianKernels k = gaussian_kernels(sigma, options.corrected);
                       std::vector<at::Tensor> rows;
                       for (const auto* kernel : {&k.smooth, &k.first, &k.second}) {
                         rows.push_back(torch::tensor(*kernel, torch::kDouble) * sigma);
                       }
                       return torch::stack(rows).to(x.options().requires_grad(false));
                     });
    const int64_t length = taps.size(1), radius = length / 2;
    const at::Tensor wide = at::replication_pad2d(x, {radius, radius, radius, radius});
    const at::Tensor down = at::conv2d(wide, taps.view({3, 1, length, 1}));
    const std::vector<int64_t> no_padding{0, 0};
    const at::Tensor second =
        at::conv2d(down, taps.flip(0).view({3, 1, 1, length}), {}, 1, no_padding, 1, 3);
    const auto part = second.split(1, 1);
    const at::Tensor& xx = part[0];
    const at::Tensor& xy = part[1];
    const at::Tensor& yy = part[2];
    const at::Tensor root = ((xx - yy).square() + 4.0 * xy.square() + kEqualEps).sqrt();
    const at::Tensor sum = xx + yy;
    // The larger in magnitude has the sign of the sum.
    const at::Tensor positive = sum >= 0;
    const at::Tensor high = 0.5 * (sum + root), low = 0.5 * (sum - root);
    maps.push_back(at::where(positive, low, high));
    maps.push_back(at::where(positive, high, low));
  }
  return at::cat(maps, 1);
}

at::Tensor frangi(const at::Tensor& eigenvalues, const FrangiOptions& options) {
  VOXLOOM_CHECK(eigenvalues.dim() == 4 && eigenvalues.size(1) >= 2 && eigenvalues.size(1) % 2 == 0,
                ErrorCode::kInvalidArgument,
                "frangi: eigenvalues must be [B, 2 S, H, W], got {}",
                tensor::shape_str(eigenvalues));
  VOXLOOM_CHECK(options.beta > 0.0 && options.c >= 0.0,
                ErrorCode::kInvalidArgument,
                "frangi: beta must be positive and c not negative, got {} and {}",
                options.beta,
                options.c);
  const FullPrecisionGuard guard;
  const at::Tensor full = to_full(eigenvalues);
  at::Tensor best;
  for (int64_t scale = 0; scale < full.size(1) / 2; ++scale) {
    const at::Tensor l1 = full.narrow(1, 2 * scale, 1), l2 = full.narrow(1, 2 * scale + 1, 1);
    const at::Tensor line = options.dark ? l2 > 0 : l2 < 0;
    // Off lines the result is 0 whatever the ratio; 1 there keeps the gradient finite.
    const at::Tensor ratio = l1 / at::where(line, l2, 1.0);
    const at::Tensor squared = l1.square() + l2.square();
    at::Tensor contrast = at::full({1}, 2.0 * options.c * options.c, full.options());
    if (options.c == 0.0) {
      // c = max S / 2, so 2 c^2 = max S^2 / 2.
      contrast = 0.5 * squared.detach().amax(at::IntArrayRef{1, 2, 3}, true).clamp_min(1e-30);
    }
    const at::Tensor response = (-ratio.square() / (2.0 * options.beta * options.beta)).exp() *
                                (1.0 - (-squared / contrast).exp());
    const at::Tensor v = response.masked_fill(line.logical_not(), 0.0);
    best = best.defined() ? at::maximum(best, v) : v;
  }
  return best;
}

}  // namespace voxloom::nn
