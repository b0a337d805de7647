#pragma once

// The inner loops of hessian.cpp and frangi.cpp: second derivatives of one row at a time.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "voxloom/filters/lanes.h"

namespace voxloom::filters {

/// Half kernels (index 0: centre) of a Gaussian and its derivatives, scaled by sigma^order: g0 and
/// g2 are even, g1 is odd and holds the weight of f(+k) - f(-k).
template <class Real>
struct GaussianKernels {
  explicit GaussianKernels(double sigma) : radius(static_cast<int64_t>(4.0 * sigma + 0.5)) {
    std::vector<double> phi;
    double sum = 0.0;
    for (int64_t k = 0; k <= radius; ++k) {
      const auto x = static_cast<double>(k);
      phi.push_back(std::exp(-0.5 * x * x / (sigma * sigma)));
      sum += (k == 0 ? 1.0 : 2.0) * phi.back();
    }
    for (int64_t k = 0; k <= radius; ++k) {
      const auto x = static_cast<double>(k);
      const double value = phi[static_cast<size_t>(k)] / sum, s2 = sigma * sigma;
      g0.push_back(static_cast<Real>(value));
      g1.push_back(static_cast<Real>(value * x / s2 * sigma));
      g2.push_back(static_cast<Real>(value * (x * x / s2 - 1.0) / s2 * s2));
    }
  }
  int64_t radius;
  std::vector<Real> g0, g1, g2;
};

/// Where a row's intermediate results go: the column pass of three kernels, with `radius` repeated
/// values at both ends, then the second derivatives.
template <class Real>
struct HessianRow {
  HessianRow(int64_t width, int64_t radius)
      : a0(static_cast<size_t>(width + 2 * radius)),
        a1(a0.size()),
        a2(a0.size()),
        xx(static_cast<size_t>(width)),
        xy(xx.size()),
        yy(xx.size()) {}
  std::vector<Real> a0, a1, a2, xx, xy, yy;
};

constexpr int64_t kHessianBlock = 32;

/// The column pass of pixels [x, x + count) of a row; rows[radius + k] is the row k below.
template <class Real, int64_t kCount>
VOXLOOM_INLINE void columns_of_block(const GaussianKernels<Real>& kernels,
                                     const Real* const* rows,
                                     int64_t x,
                                     int64_t count,
                                     Real* o0,
                                     Real* o1,
                                     Real* o2) {
  const int64_t n = kCount > 0 ? kCount : count;
  Real s0[kHessianBlock], s1[kHessianBlock], s2[kHessianBlock];
  const int64_t r = kernels.radius;
  const Real* centre = rows[r] + x;
  for (int64_t i = 0; i < n; ++i) {
    s0[i] = kernels.g0[0] * centre[i];
    s1[i] = 0;
    s2[i] = kernels.g2[0] * centre[i];
  }
  for (int64_t k = 1; k <= r; ++k) {
    const Real* up = rows[r - k] + x;
    const Real* down = rows[r + k] + x;
    const Real w0 = kernels.g0[static_cast<size_t>(k)], w1 = kernels.g1[static_cast<size_t>(k)],
               w2 = kernels.g2[static_cast<size_t>(k)];
    for (int64_t i = 0; i < n; ++i) {
      const Real sum = up[i] + down[i], difference = down[i] - up[i];
      s0[i] += w0 * sum;
      s1[i] += w1 * difference;
      s2[i] += w2 * sum;
    }
  }
  for (int64_t i = 0; i < n; ++i) {
    o0[i] = s0[i];
    o1[i] = s1[i];
    o2[i] = s2[i];
  }
}

/// The row pass; a0, a1, a2 point at pixel x in buffers with repeated ends.
template <class Real, int64_t kCount>
VOXLOOM_INLINE void row_of_block(const GaussianKernels<Real>& kernels,
                                 const Real* a0,
                                 const Real* a1,
                                 const Real* a2,
                                 int64_t count,
                                 Real* xx,
                                 Real* xy,
                                 Real* yy) {
  const int64_t n = kCount > 0 ? kCount : count;
  Real sxx[kHessianBlock], sxy[kHessianBlock], syy[kHessianBlock];
  for (int64_t i = 0; i < n; ++i) {
    sxx[i] = kernels.g2[0] * a0[i];
    sxy[i] = 0;
    syy[i] = kernels.g0[0] * a2[i];
  }
  for (int64_t k = 1; k <= kernels.radius; ++k) {
    const Real w0 = kernels.g0[static_cast<size_t>(k)], w1 = kernels.g1[static_cast<size_t>(k)],
               w2 = kernels.g2[static_cast<size_t>(k)];
    for (int64_t i = 0; i < n; ++i) {
      sxx[i] += w2 * (a0[i - k] + a0[i + k]);
      sxy[i] += w1 * (a1[i + k] - a1[i - k]);
      syy[i] += w0 * (a2[i - k] + a2[i + k]);
    }
  }
  for (int64_t i = 0; i < n; ++i) {
    xx[i] = sxx[i];
    xy[i] = sxy[i];
    yy[i] = syy[i];
  }
}

/// Second derivatives of row y times sigma^2 into `row`. Borders are repeated.
template <class Real>
VOXLOOM_INLINE void hessian_of_row(const GaussianKernels<Real>& kernels,
                                   const Real* image,
                                   int64_t width,
                                   int64_t height,
                                   int64_t y,
                                   const Real** rows,
                                   HessianRow<Real>& row) {
  const int64_t r = kernels.radius;
  for (int64_t k = -r; k <= r; ++k) {
    rows[r + k] = image + std::clamp<int64_t>(y + k, 0, height - 1) * width;
  }
  Real *a0 = row.a0.data() + r, *a1 = row.a1.data() + r, *a2 = row.a2.data() + r;
  int64_t x = 0;
  for (; x + kHessianBlock <= width; x += kHessianBlock) {
    columns_of_block<Real, kHessianBlock>(kernels, rows, x, kHessianBlock, a0 + x, a1 + x, a2 + x);
  }
  columns_of_block<Real, 0>(kernels, rows, x, width - x, a0 + x, a1 + x, a2 + x);
  for (Real* a : {a0, a1, a2}) {
    std::fill(a - r, a, a[0]);
    std::fill(a + width, a + width + r, a[width - 1]);
  }
  Real *xx = row.xx.data(), *xy = row.xy.data(), *yy = row.yy.data();
  for (x = 0; x + kHessianBlock <= width; x += kHessianBlock) {
    row_of_block<Real, kHessianBlock>(
        kernels, a0 + x, a1 + x, a2 + x, kHessianBlock, xx + x, xy + x, yy + x);
  }
  row_of_block<Real, 0>(kernels, a0 + x, a1 + x, a2 + x, width - x, xx + x, xy + x, yy + x);
}

/// Eigenvalues of `row` by magnitude.
template <class Real>
VOXLOOM_INLINE void eigenvalues_of_row(const HessianRow<Real>& row,
                                       int64_t width,
                                       Real* l1,
                                       Real* l2) {
  const Real *xx = row.xx.data(), *xy = row.xy.data(), *yy = row.yy.data();
  for (int64_t x = 0; x < width; ++x) {
    const Real trace = xx[x] + yy[x], difference = xx[x] - yy[x];
    const Real root = std::sqrt(difference * difference + 4 * xy[x] * xy[x]);
    const Real plus = (trace + root) / 2, minus = (trace - root) / 2;
    const bool plus_larger = trace >= 0;  // |plus| >= |minus| exactly then.
    l1[x] = plus_larger ? minus : plus;
    l2[x] = plus_larger ? plus : minus;
  }
}

}  // namespace voxloom::filters
