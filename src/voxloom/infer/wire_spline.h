#pragma once

#include <span>
#include <vector>

#include "voxloom/infer/wire_paths.h"

namespace voxloom::infer {

/// A cubic B-spline curve over the chord length of the points that it was fitted to, in px.
class WireSpline {
 public:
  /// Least squares with uniform knots about `knot_px` apart, plus `smoothing`
  /// times the squared second differences of the coefficients (P-splines, Eilers and Marx 1996): a
  /// banded system, solved by Cholesky's method. The default takes a twentieth off the error that
  /// 0.5 px of noise leaves and bends a tip of 12 px radius by less than 0.1 px. Fewer than 4
  /// points give a straight piece. Throws kInvalidArgument for no points.
  static WireSpline fit(std::span<const Point2> points,
                        double knot_px = 20.0,
                        double smoothing = 0.03);

  [[nodiscard]] double length_parameter() const { return knots_[coefficients_.size()]; }
  [[nodiscard]] Point2 at(double u) const;
  [[nodiscard]] Point2 derivative(double u) const;
  [[nodiscard]] Point2 second_derivative(double u) const;
  /// Points about `step_px` apart, both ends included.
  [[nodiscard]] std::vector<Point2> sample(double step_px = 1.0) const;
  /// Smallest radius of curvature, px; infinite for a straight line.
  [[nodiscard]] double min_curvature_radius() const;

  [[nodiscard]] const std::vector<double>& knots() const { return knots_; }
  [[nodiscard]] const std::vector<Point2>& coefficients() const { return coefficients_; }

 private:
  [[nodiscard]] Point2 evaluate(double u, int derivative) const;

  std::vector<double>
      knots_;  ///< coefficients + 4, evenly spaced; the curve runs over [knots[3], knots[n]].
  std::vector<Point2> coefficients_;
};

}  // namespace voxloom::infer
