#pragma once

#include <vector>

#include <torch/torch.h>

#include "voxloom/nn/constant_cache.h"

namespace voxloom::nn {

struct HessianOptions {
  std::vector<double> sigmas{1.0, 2.0, 3.0};  ///< In pixels, each 0.8 or more (see below).
  /// The second derivative's kernel is made to give 0 for a constant and exactly 2 for x^2, which a
  /// sampled and cut Gaussian does not quite; without it the kernels are SciPy's.
  bool corrected = true;

  /// Throws kInvalidArgument.
  void validate() const;
};

/// A kernel of 2 radius + 1 taps, radius ceil(4 sigma): the Gaussian and its derivatives as
/// sampled, for correlation (as convolution layers compute it).
struct GaussianKernels {
  std::vector<double> smooth, first, second;
};
/// Below 0.8 px a sampled second derivative has little to do with the continuous one (an error of
/// 81 percent at 0.6).
[[nodiscard]] GaussianKernels gaussian_kernels(double sigma, bool corrected);

/// Eigenvalues of the Hessian of the smoothed image, differentiable, never in half precision.
///
/// forward: x [B, 1, H, W] -> [B, 2 S, H, W] float32 (float64 where x is): for every sigma the
/// eigenvalues l1, l2 of sigma^2 (I_xx, I_xy; I_xy, I_yy) with |l1| <= |l2|. A dark wire has l2 > 0
/// and l1 near 0. Borders are replicated. Has no parameters and no checkpoint keys.
class HessianImpl : public torch::nn::Module {
 public:
  explicit HessianImpl(HessianOptions options);
  at::Tensor forward(const at::Tensor& x);

  const HessianOptions options;

 private:
  ConstantCache kernels_;
};
TORCH_MODULE(Hessian);

struct FrangiOptions {
  double beta = 0.5;  ///< How round a structure may be.
  /// Contrast that counts; 0: half of the largest S of each image and scale (the textbook's
  /// choice).
  double c = 0.0;
  bool dark = true;  ///< Wires are darker than their surroundings.
};

/// Frangi's vesselness (MICCAI 1998, equation 15) from the layer's output [B, 2 S, H, W]:
/// [B, 1, H, W] in [0, 1), the largest over the scales. Differentiable but for c. Falls to 0 where
/// wires cross: a feature, not a mask.
[[nodiscard]] at::Tensor frangi(const at::Tensor& eigenvalues, const FrangiOptions& options = {});

}  // namespace voxloom::nn
