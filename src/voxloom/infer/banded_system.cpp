#include "voxloom/infer/banded_system.h"

#include <cmath>

namespace voxloom::infer {

void BandedSystem::factor(double floor) {
  for (size_t i = 0; i < size_; ++i) {
    const size_t first = i + 1 > width_ ? i + 1 - width_ : 0;
    for (size_t j = first; j <= i; ++j) {
      double sum = factor_at(i, j);
      const size_t start = std::max(first, j + 1 > width_ ? j + 1 - width_ : 0);
      for (size_t m = start; m < j; ++m) sum -= factor_at(i, m) * factor_at(j, m);
      at(i, j) = i == j ? std::sqrt(std::max(sum, floor)) : sum / factor_at(j, j);
    }
  }
}

void BandedSystem::solve_lower(std::span<double> b) const {
  for (size_t i = 0; i < size_; ++i) {
    for (size_t j = i + 1 > width_ ? i + 1 - width_ : 0; j < i; ++j) b[i] -= factor_at(i, j) * b[j];
    b[i] /= factor_at(i, i);
  }
}

void BandedSystem::solve(std::span<double> b) const {
  solve_lower(b);
  for (size_t i = size_; i-- > 0;) {
    for (size_t j = i + 1; j < std::min(size_, i + width_); ++j) b[i] -= factor_at(j, i) * b[j];
    b[i] /= factor_at(i, i);
  }
}

}  // namespace voxloom::infer
