#include "voxloom/infer/cubic_spline.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "voxloom/core/error.h"
#include "voxloom/infer/banded_system.h"

namespace voxloom::infer {
namespace {

constexpr size_t kBand = 4;  // Basis functions that are not 0 at a place.

/// The last knot span [knots[i], knots[i + 1]) that holds u.
size_t span_of(const std::vector<double>& knots, size_t count, double u) {
  const auto begin = knots.begin() + kBand - 1;
  const auto end = knots.begin() + static_cast<int64_t>(count);
  const auto after = std::upper_bound(begin, end, u);
  return static_cast<size_t>(after - knots.begin()) - 1;
}

/// Values of the four cubic basis functions that are not 0 in `span` (Cox and de Boor).
std::array<double, kBand> basis_values(const std::vector<double>& knots, size_t span, double u) {
  std::array<double, kBand> n{1.0, 0.0, 0.0, 0.0};
  for (size_t k = 1; k < kBand; ++k) {
    double saved = 0.0;
    for (size_t r = 0; r < k; ++r) {
      const double right = knots[span + r + 1] - u;
      const double left = u - knots[span + r + 1 - k];
      const double part = n[r] / (right + left);
      n[r] = saved + right * part;
      saved = left * part;
    }
    n[k] = saved;
  }
  return n;
}

template <size_t D>
double distance(const std::array<double, D>& a, const std::array<double, D>& b) {
  double sum = 0.0;
  for (size_t axis = 0; axis < D; ++axis) sum += (a[axis] - b[axis]) * (a[axis] - b[axis]);
  return std::sqrt(sum);
}

}  // namespace

template <size_t D>
CubicSpline<D> CubicSpline<D>::fit(std::span<const Point> points,
                                   double knot_step,
                                   double smoothing) {
  VOXLOOM_CHECK(
      !points.empty(), ErrorCode::kInvalidArgument, "spline: needs at least one point, got none");
  std::vector<double> u(points.size(), 0.0);
  for (size_t i = 1; i < points.size(); ++i) u[i] = u[i - 1] + distance(points[i], points[i - 1]);
  return fit(points, u, std::vector<double>(points.size(), 1.0), knot_step, smoothing);
}

template <size_t D>
CubicSpline<D> CubicSpline<D>::fit(std::span<const Point> points,
                                   std::span<const double> parameters,
                                   std::span<const double> weights,
                                   double knot_step,
                                   double smoothing) {
  VOXLOOM_CHECK(
      !points.empty(), ErrorCode::kInvalidArgument, "spline: needs at least one point, got none");
  VOXLOOM_CHECK(parameters.size() == points.size() && weights.size() == points.size(),
                ErrorCode::kInternal,
                "spline: needs a parameter and a weight a point, got {}, {} for {}",
                parameters.size(),
                weights.size(),
                points.size());
  const double length = std::max(parameters.back(), 1.0);
  const auto pieces = static_cast<size_t>(std::max(1.0, std::round(length / knot_step)));
  const size_t count = pieces + kDegree;
  const double step = length / static_cast<double>(pieces);

  CubicSpline spline;
  // Evenly spaced beyond both ends too: then a straight line has no second differences.
  for (size_t i = 0; i < count + kBand; ++i) {
    spline.knots_.push_back(step * (static_cast<double>(i) - static_cast<double>(kDegree)));
  }

  BandedSystem system(count, kBand - 1);
  std::array<std::vector<double>, D> right;
  right.fill(std::vector<double>(count, 0.0));
  for (size_t i = 0; i < points.size(); ++i) {
    const auto at = spline.basis_at(parameters[i], count);
    for (size_t a = 0; a < kBand; ++a) {
      const double part = weights[i] * at.value[a];
      for (size_t b = 0; b <= a; ++b) {
        system.at(at.first + a, at.first + b) += part * at.value[b];
      }
      for (size_t axis = 0; axis < D; ++axis) right[axis][at.first + a] += part * points[i][axis];
    }
  }
  // Eilers and Marx 1996 (P-splines): second differences of the coefficients stand for the second
  // derivative. A trace of the penalty also keeps pieces without points determined.
  const double weight = std::max(smoothing, 1e-9);
  constexpr std::array<double, 3> kDifference{1.0, -2.0, 1.0};
  for (size_t i = 0; i + 2 < count; ++i) {
    for (size_t a = 0; a < 3; ++a) {
      for (size_t b = 0; b <= a; ++b) {
        system.at(i + a, i + b) += weight * kDifference[a] * kDifference[b];
      }
    }
  }
  for (size_t i = 0; i < count; ++i) system.at(i, i) += 1e-9;
  system.factor();
  for (auto& values : right) system.solve(values);
  spline.coefficients_.resize(count);
  for (size_t i = 0; i < count; ++i) {
    for (size_t axis = 0; axis < D; ++axis) spline.coefficients_[i][axis] = right[axis][i];
  }
  return spline;
}

template <size_t D>
typename CubicSpline<D>::Basis CubicSpline<D>::basis_at(double u, size_t count) const {
  u = std::clamp(u, 0.0, knots_[count]);
  const size_t span = span_of(knots_, count, u);
  return {.first = span - kDegree, .value = basis_values(knots_, span, u)};
}

template <size_t D>
typename CubicSpline<D>::Basis CubicSpline<D>::basis(double u) const {
  return basis_at(u, coefficients_.size());
}

template <size_t D>
typename CubicSpline<D>::Point CubicSpline<D>::evaluate(double u, int order) const {
  const size_t count = coefficients_.size();
  u = std::clamp(u, 0.0, length_parameter());
  const size_t span = span_of(knots_, count, u);
  // De Boor's scheme, differences first for derivatives.
  std::array<Point, kBand> d{};
  for (size_t i = 0; i < kBand; ++i) d[i] = coefficients_[span - kDegree + i];
  int degree = static_cast<int>(kDegree);
  for (int done = 0; done < order; ++done, --degree) {
    for (int i = 0; i < degree; ++i) {
      const size_t left = span - kDegree + static_cast<size_t>(done + i) + 1;
      const double width = knots_[left + static_cast<size_t>(degree)] - knots_[left];
      for (size_t axis = 0; axis < D; ++axis) {
        const auto k = static_cast<size_t>(i);
        d[k][axis] = width > 0.0 ? degree * (d[k + 1][axis] - d[k][axis]) / width : 0.0;
      }
    }
  }
  for (int r = 1; r <= degree; ++r) {
    for (int i = degree; i >= r; --i) {
      const size_t left = span - static_cast<size_t>(degree) + static_cast<size_t>(i);
      const double lo = knots_[left], hi = knots_[left + static_cast<size_t>(degree - r) + 1];
      const double t = hi > lo ? (u - lo) / (hi - lo) : 0.0;
      for (size_t axis = 0; axis < D; ++axis) {
        const auto k = static_cast<size_t>(i);
        d[k][axis] = (1.0 - t) * d[k - 1][axis] + t * d[k][axis];
      }
    }
  }
  return d[static_cast<size_t>(degree)];
}

template <size_t D>
typename CubicSpline<D>::Point CubicSpline<D>::at(double u) const {
  return evaluate(u, 0);
}

template <size_t D>
typename CubicSpline<D>::Point CubicSpline<D>::derivative(double u) const {
  return evaluate(u, 1);
}

template <size_t D>
typename CubicSpline<D>::Point CubicSpline<D>::second_derivative(double u) const {
  return evaluate(u, 2);
}

template <size_t D>
std::vector<typename CubicSpline<D>::Point> CubicSpline<D>::sample(double step) const {
  const auto steps = static_cast<int64_t>(std::max(1.0, std::round(length_parameter() / step)));
  std::vector<Point> points;
  points.reserve(static_cast<size_t>(steps) + 1);
  for (int64_t i = 0; i <= steps; ++i) {
    points.push_back(at(length_parameter() * static_cast<double>(i) / static_cast<double>(steps)));
  }
  return points;
}

template <size_t D>
double CubicSpline<D>::min_curvature_radius() const {
  double highest = 0.0;
  const auto steps = static_cast<int64_t>(std::max(4.0, std::round(length_parameter() / 2.0)));
  for (int64_t i = 0; i <= steps; ++i) {
    const double u = length_parameter() * static_cast<double>(i) / static_cast<double>(steps);
    const auto v = derivative(u), a = second_derivative(u);
    double speed_squared = 0.0, cross_squared = 0.0;
    for (size_t p = 0; p < D; ++p) {
      speed_squared += v[p] * v[p];
      for (size_t q = 0; q < p; ++q) {
        const double part = v[p] * a[q] - v[q] * a[p];
        cross_squared += part * part;
      }
    }
    const double speed = std::sqrt(speed_squared);
    if (speed < 1e-9) continue;
    highest = std::max(highest, std::sqrt(cross_squared) / (speed * speed * speed));
  }
  return highest > 0.0 ? 1.0 / highest : std::numeric_limits<double>::infinity();
}

template class CubicSpline<2>;
template class CubicSpline<3>;

}  // namespace voxloom::infer
