#include "voxloom/filters/hessian.h"

#include <numbers>

#include "voxloom/core/error.h"
#include "voxloom/core/parallel.h"
#include "voxloom/filters/hessian_rows.h"

namespace voxloom::filters {
namespace {

void check(size_t pixels, int64_t width, int64_t height, double sigma) {
  VOXLOOM_CHECK(width >= 1 && height >= 1 && pixels == static_cast<size_t>(width * height),
                ErrorCode::kInvalidArgument,
                "hessian: an image of {}x{} must have as many pixels, got {}",
                width,
                height,
                pixels);
  VOXLOOM_CHECK(sigma >= 0.8 && sigma <= 20.0,
                ErrorCode::kInvalidArgument,
                "hessian: sigma must lie within [0.8, 20] px, got {}",
                sigma);
}

VOXLOOM_FOR_EACH_ISA void eigenvalue_rows(const GaussianKernels<float>& kernels,
                                          const float* image,
                                          int64_t width,
                                          int64_t height,
                                          int64_t first,
                                          int64_t last,
                                          float* l1,
                                          float* l2) {
  HessianRow<float> row(width, kernels.radius);
  std::vector<const float*> rows(static_cast<size_t>(2 * kernels.radius + 1));
  for (int64_t y = first; y < last; ++y) {
    hessian_of_row(kernels, image, width, height, y, rows.data(), row);
    eigenvalues_of_row(row, width, l1 + y * width, l2 + y * width);
  }
}

void eigenvalue_rows(const GaussianKernels<double>& kernels,
                     const double* image,
                     int64_t width,
                     int64_t height,
                     int64_t first,
                     int64_t last,
                     double* l1,
                     double* l2) {
  HessianRow<double> row(width, kernels.radius);
  std::vector<const double*> rows(static_cast<size_t>(2 * kernels.radius + 1));
  for (int64_t y = first; y < last; ++y) {
    hessian_of_row(kernels, image, width, height, y, rows.data(), row);
    eigenvalues_of_row(row, width, l1 + y * width, l2 + y * width);
  }
}

}  // namespace

template <class Real>
HessianEigenvalues<Real> hessian_eigenvalues(std::span<const Real> image,
                                             int64_t width,
                                             int64_t height,
                                             double sigma) {
  check(image.size(), width, height, sigma);
  const GaussianKernels<Real> kernels(sigma);
  HessianEigenvalues<Real> found{std::vector<Real>(image.size()), std::vector<Real>(image.size())};
  parallel_for(0, height, 32, [&](int64_t first, int64_t last) {
    eigenvalue_rows(
        kernels, image.data(), width, height, first, last, found.l1.data(), found.l2.data());
  });
  return found;
}

template HessianEigenvalues<float> hessian_eigenvalues(std::span<const float>,
                                                       int64_t,
                                                       int64_t,
                                                       double);
template HessianEigenvalues<double> hessian_eigenvalues(std::span<const double>,
                                                        int64_t,
                                                        int64_t,
                                                        double);

std::vector<float> ridge_direction(std::span<const float> image,
                                   int64_t width,
                                   int64_t height,
                                   double sigma) {
  check(image.size(), width, height, sigma);
  const GaussianKernels<float> kernels(sigma);
  std::vector<float> angles(image.size());
  parallel_for(0, height, 32, [&](int64_t first, int64_t last) {
    HessianRow<float> row(width, kernels.radius);
    std::vector<const float*> rows(static_cast<size_t>(2 * kernels.radius + 1));
    for (int64_t y = first; y < last; ++y) {
      hessian_of_row(kernels, image.data(), width, height, y, rows.data(), row);
      for (int64_t x = 0; x < width; ++x) {
        const auto i = static_cast<size_t>(x);
        // Along the eigenvector of mu+; l2 is mu+ where the trace is positive (a dark ridge), and
        // the ridge then runs across it.
        double angle = 0.5 * std::atan2(2.0 * row.xy[i], row.xx[i] - row.yy[i]);
        if (row.xx[i] + row.yy[i] >= 0) angle += std::numbers::pi / 2;
        if (angle > std::numbers::pi / 2) angle -= std::numbers::pi;
        angles[static_cast<size_t>(y * width + x)] = static_cast<float>(angle);
      }
    }
  });
  return angles;
}

}  // namespace voxloom::filters
