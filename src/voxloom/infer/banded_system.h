#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace voxloom::infer {

/// A symmetric positive definite system A x = b whose A is 0 farther than `band` from the diagonal:
/// what least squares with B-splines come to. Cholesky's method, n band^2 operations.
class BandedSystem {
 public:
  BandedSystem(size_t size, size_t band) : size_(size), width_(band + 1), a_(size * width_, 0.0) {}

  [[nodiscard]] size_t size() const { return size_; }
  /// A(row, column) for row >= column and row - column <= band; until factor().
  double& at(size_t row, size_t column) { return a_[row * width_ + (row - column)]; }

  /// Pivots below `floor` (unknowns that nothing determines) are raised to it.
  void factor(double floor = 1e-12);
  /// b becomes x; any number of right sides after one factor().
  void solve(std::span<double> b) const;
  /// b becomes L^-1 b with A = L L^T, so that b^T A^-1 b is its squared length.
  void solve_lower(std::span<double> b) const;

 private:
  [[nodiscard]] double factor_at(size_t row, size_t column) const {
    return a_[row * width_ + (row - column)];
  }

  size_t size_, width_;
  std::vector<double> a_;
};

}  // namespace voxloom::infer
