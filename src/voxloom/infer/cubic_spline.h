#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <vector>

namespace voxloom::infer {

/// A uniform cubic B-spline curve in 2 dimensions (px) or 3 (mm).
template <size_t D>
class CubicSpline {
 public:
  using Point = std::array<double, D>;
  static constexpr size_t kDegree = 3;

  /// Least squares over the chord length of the points with uniform knots about `knot_step` apart,
  /// plus `smoothing` times the squared second differences of the coefficients (P-splines, Eilers
  /// and Marx 1996): a banded system, solved by Cholesky's method. With 20 px and the default,
  /// smoothing takes a twentieth off the error that 0.5 px of noise leaves and bends a tip of 12 px
  /// radius by less than 0.1 px. Fewer than 4 points give a straight piece. Throws
  /// kInvalidArgument for no points.
  static CubicSpline fit(std::span<const Point> points,
                         double knot_step = 20.0,
                         double smoothing = 0.03);

  /// The same with a parameter (rising, from 0) and a weight for every point, both [points].
  static CubicSpline fit(std::span<const Point> points,
                         std::span<const double> parameters,
                         std::span<const double> weights,
                         double knot_step,
                         double smoothing);

  [[nodiscard]] double length_parameter() const { return knots_[coefficients_.size()]; }
  [[nodiscard]] Point at(double u) const;
  [[nodiscard]] Point derivative(double u) const;
  [[nodiscard]] Point second_derivative(double u) const;
  /// Points about `step` apart, both ends included.
  [[nodiscard]] std::vector<Point> sample(double step = 1.0) const;
  /// Smallest radius of curvature; infinite for a straight line.
  [[nodiscard]] double min_curvature_radius() const;

  /// The curve at u is the sum of value[k] times coefficients[first + k].
  struct Basis {
    size_t first = 0;
    std::array<double, kDegree + 1> value{};
  };
  [[nodiscard]] Basis basis(double u) const;

  /// coefficients + 4, evenly spaced; the curve runs over [knots[3], knots[n]].
  [[nodiscard]] const std::vector<double>& knots() const { return knots_; }
  [[nodiscard]] const std::vector<Point>& coefficients() const { return coefficients_; }
  void set_coefficient(size_t index, const Point& value) { coefficients_[index] = value; }

 private:
  [[nodiscard]] Point evaluate(double u, int order) const;
  [[nodiscard]] Basis basis_at(double u, size_t count) const;

  std::vector<double> knots_;
  std::vector<Point> coefficients_;
};

extern template class CubicSpline<2>;
extern template class CubicSpline<3>;

}  // namespace voxloom::infer
