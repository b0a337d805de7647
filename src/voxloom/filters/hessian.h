#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace voxloom::filters {

/// Eigenvalues of the scale-normalised Hessian sigma^2 [Ixx Ixy; Ixy Iyy] of the image smoothed by
/// a Gaussian (guidewire.md 2.5), ordered by magnitude: |l1| <= |l2|. On a dark line l2 > 0, l1 ~
/// 0. Derivatives come from sampled kernels, normalised as scipy's gaussian_filter does it (radius
/// round(4 sigma), border repeated).
template <class Real>
struct HessianEigenvalues {
  std::vector<Real> l1, l2;  ///< [height, width]
};

/// image [height, width]. Real: float for live video, double for reference values. Throws
/// kInvalidArgument for a wrong length and for sigma below 0.8 or above 20: sampled derivative
/// kernels are wrong by 6 % at 0.8 and by 81 % at 0.6.
template <class Real>
[[nodiscard]] HessianEigenvalues<Real> hessian_eigenvalues(std::span<const Real> image,
                                                           int64_t width,
                                                           int64_t height,
                                                           double sigma);

/// Direction along the ridge, in radians within (-pi/2, pi/2] from the x axis towards y: the
/// eigenvector of l1. image [height, width].
[[nodiscard]] std::vector<float> ridge_direction(std::span<const float> image,
                                                 int64_t width,
                                                 int64_t height,
                                                 double sigma);

extern template HessianEigenvalues<float> hessian_eigenvalues(std::span<const float>,
                                                              int64_t,
                                                              int64_t,
                                                              double);
extern template HessianEigenvalues<double> hessian_eigenvalues(std::span<const double>,
                                                               int64_t,
                                                               int64_t,
                                                               double);

}  // namespace voxloom::filters
