#pragma once

// The inner loops of hessian.cpp and frangi.cpp: second derivatives of one row at a time.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
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

/// 64 bytes of values: one register of AVX-512, two of AVX2. Compilers lower it to what there is.
/// Passed by reference alone: by value its calling convention would depend on the instruction set.
template <class Real>
struct Pack {
  typedef Real Vector __attribute__((vector_size(64)));  // NOLINT(modernize-use-using)
  static constexpr int64_t kCount = 64 / sizeof(Real);
  static VOXLOOM_INLINE void load(Vector& v, const Real* from) { std::memcpy(&v, from, sizeof v); }
  static VOXLOOM_INLINE void store(Real* to, const Vector& v) { std::memcpy(to, &v, sizeof v); }
};

/// Two packs a step: their sums do not wait for each other.
template <class Real>
constexpr int64_t kHessianBlock = 2 * Pack<Real>::kCount;

/// Where a row's intermediate results go: the column pass of three kernels, with `radius` repeated
/// values at both ends, then the second derivatives.
template <class Real>
struct HessianRow {
  /// Room for a whole block even where a row is shorter.
  HessianRow(int64_t width, int64_t radius)
      : a0(static_cast<size_t>(std::max(width, kHessianBlock<Real>) + 2 * radius)),
        a1(a0.size()),
        a2(a0.size()),
        xx(static_cast<size_t>(std::max(width, kHessianBlock<Real>))),
        xy(xx.size()),
        yy(xx.size()) {
    if (width < kHessianBlock<Real>) {
      narrow.resize(static_cast<size_t>((2 * radius + 1) * kHessianBlock<Real>));
    }
  }
  std::vector<Real> a0, a1, a2, xx, xy, yy, narrow;
};

/// The column pass of one block of a row at x; rows[radius + k] is the row k below.
template <class Real>
VOXLOOM_INLINE void columns_of_block(const GaussianKernels<Real>& kernels,
                                     const Real* const* rows,
                                     int64_t x,
                                     Real* o0,
                                     Real* o1,
                                     Real* o2) {
  using P = Pack<Real>;
  typename P::Vector s0[2], s1[2], s2[2];
  const int64_t r = kernels.radius;
  for (int64_t v = 0; v < 2; ++v) {
    typename P::Vector centre;
    P::load(centre, rows[r] + x + v * P::kCount);
    s0[v] = kernels.g0[0] * centre;
    s1[v] = centre - centre;
    s2[v] = kernels.g2[0] * centre;
  }
  for (int64_t k = 1; k <= r; ++k) {
    const Real w0 = kernels.g0[static_cast<size_t>(k)], w1 = kernels.g1[static_cast<size_t>(k)],
               w2 = kernels.g2[static_cast<size_t>(k)];
    for (int64_t v = 0; v < 2; ++v) {
      typename P::Vector up, down;
      P::load(up, rows[r - k] + x + v * P::kCount);
      P::load(down, rows[r + k] + x + v * P::kCount);
      s1[v] += w1 * (down - up);
      up += down;
      s0[v] += w0 * up;
      s2[v] += w2 * up;
    }
  }
  for (int64_t v = 0; v < 2; ++v) {
    P::store(o0 + v * P::kCount, s0[v]);
    P::store(o1 + v * P::kCount, s1[v]);
    P::store(o2 + v * P::kCount, s2[v]);
  }
}

/// The row pass; a0, a1, a2 point at pixel x in buffers with repeated ends.
template <class Real>
VOXLOOM_INLINE void row_of_block(const GaussianKernels<Real>& kernels,
                                 const Real* a0,
                                 const Real* a1,
                                 const Real* a2,
                                 Real* xx,
                                 Real* xy,
                                 Real* yy) {
  using P = Pack<Real>;
  typename P::Vector sxx[2], sxy[2], syy[2];
  for (int64_t v = 0; v < 2; ++v) {
    typename P::Vector c0, c2;
    P::load(c0, a0 + v * P::kCount);
    P::load(c2, a2 + v * P::kCount);
    sxx[v] = kernels.g2[0] * c0;
    sxy[v] = c0 - c0;
    syy[v] = kernels.g0[0] * c2;
  }
  for (int64_t k = 1; k <= kernels.radius; ++k) {
    const Real w0 = kernels.g0[static_cast<size_t>(k)], w1 = kernels.g1[static_cast<size_t>(k)],
               w2 = kernels.g2[static_cast<size_t>(k)];
    for (int64_t v = 0; v < 2; ++v) {
      const int64_t at = v * P::kCount;
      typename P::Vector left, right;
      P::load(left, a0 + at - k);
      P::load(right, a0 + at + k);
      sxx[v] += w2 * (left + right);
      P::load(left, a1 + at - k);
      P::load(right, a1 + at + k);
      sxy[v] += w1 * (right - left);
      P::load(left, a2 + at - k);
      P::load(right, a2 + at + k);
      syy[v] += w0 * (left + right);
    }
  }
  for (int64_t v = 0; v < 2; ++v) {
    P::store(xx + v * P::kCount, sxx[v]);
    P::store(xy + v * P::kCount, sxy[v]);
    P::store(yy + v * P::kCount, syy[v]);
  }
}

/// Second derivatives of row y times sigma^2 into `row`. Borders are repeated. The last block of a
/// row that blocks do not divide overlaps the one before; a row shorter than a block is continued
/// in `row.narrow`.
template <class Real>
VOXLOOM_INLINE void hessian_of_row(const GaussianKernels<Real>& kernels,
                                   const Real* image,
                                   int64_t width,
                                   int64_t height,
                                   int64_t y,
                                   const Real** rows,
                                   HessianRow<Real>& row) {
  constexpr int64_t kBlock = kHessianBlock<Real>;
  const int64_t r = kernels.radius;
  for (int64_t k = -r; k <= r; ++k) {
    rows[r + k] = image + std::clamp<int64_t>(y + k, 0, height - 1) * width;
    if (width >= kBlock) continue;
    Real* wide = row.narrow.data() + (r + k) * kBlock;
    std::copy(rows[r + k], rows[r + k] + width, wide);
    rows[r + k] = wide;
  }
  Real *a0 = row.a0.data() + r, *a1 = row.a1.data() + r, *a2 = row.a2.data() + r;
  const int64_t last = std::max<int64_t>(0, width - kBlock);
  for (int64_t x = 0; x < width; x += kBlock) {
    const int64_t at = std::min(x, last);
    columns_of_block(kernels, rows, at, a0 + at, a1 + at, a2 + at);
  }
  for (Real* a : {a0, a1, a2}) {
    std::fill(a - r, a, a[0]);
    std::fill(a + width, a + width + r, a[width - 1]);
  }
  for (int64_t x = 0; x < width; x += kBlock) {
    const int64_t at = std::min(x, last);
    row_of_block(kernels,
                 a0 + at,
                 a1 + at,
                 a2 + at,
                 row.xx.data() + at,
                 row.xy.data() + at,
                 row.yy.data() + at);
  }
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
