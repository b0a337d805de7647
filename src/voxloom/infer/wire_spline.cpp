#include "voxloom/infer/wire_spline.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "voxloom/core/error.h"

namespace voxloom::infer {
namespace {

constexpr int kDegree = 3;
constexpr size_t kBand = kDegree + 1;  // Diagonal and three below it.

/// The last knot span [knots[i], knots[i + 1]) that holds u.
size_t span_of(const std::vector<double>& knots, size_t count, double u) {
  const auto begin = knots.begin() + kDegree;
  const auto end = knots.begin() + static_cast<int64_t>(count);
  const auto after = std::upper_bound(begin, end, u);
  return static_cast<size_t>(after - knots.begin()) - 1;
}

/// Values of the four cubic basis functions that are not 0 in `span` (Cox and de Boor).
std::array<double, kBand> basis(const std::vector<double>& knots, size_t span, double u) {
  std::array<double, kBand> n{1.0, 0.0, 0.0, 0.0};
  for (size_t k = 1; k <= kDegree; ++k) {
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

/// Solves A x = b for both coordinates; A symmetric, band[i][k] = A(i, i - k).
void solve_banded(std::vector<std::array<double, kBand>>& band, std::vector<Point2>& x) {
  const size_t n = band.size();
  for (size_t i = 0; i < n; ++i) {
    for (size_t k = std::min(i, kBand - 1) + 1; k-- > 0;) {
      const size_t j = i - k;
      double sum = band[i][k];
      for (size_t m = (i >= kBand - 1 ? i - (kBand - 1) : 0); m < j; ++m) {
        if (j - m < kBand) sum -= band[i][i - m] * band[j][j - m];
      }
      if (k == 0) {
        band[i][0] = std::sqrt(std::max(sum, 1e-12));
      } else {
        band[i][k] = sum / band[j][0];
      }
    }
  }
  for (size_t axis = 0; axis < 2; ++axis) {
    for (size_t i = 0; i < n; ++i) {
      for (size_t k = 1; k < kBand && k <= i; ++k) x[i][axis] -= band[i][k] * x[i - k][axis];
      x[i][axis] /= band[i][0];
    }
    for (size_t i = n; i-- > 0;) {
      for (size_t k = 1; k < kBand && i + k < n; ++k) x[i][axis] -= band[i + k][k] * x[i + k][axis];
      x[i][axis] /= band[i][0];
    }
  }
}

}  // namespace

WireSpline WireSpline::fit(std::span<const Point2> points, double knot_px, double smoothing) {
  VOXLOOM_CHECK(
      !points.empty(), ErrorCode::kInvalidArgument, "spline: needs at least one point, got none");
  std::vector<double> u(points.size(), 0.0);
  for (size_t i = 1; i < points.size(); ++i) {
    u[i] = u[i - 1] + std::hypot(points[i][0] - points[i - 1][0], points[i][1] - points[i - 1][1]);
  }
  const double length = std::max(u.back(), 1.0);
  const auto pieces = static_cast<size_t>(std::max(1.0, std::round(length / knot_px)));
  const size_t count = pieces + kDegree;
  const double step = length / static_cast<double>(pieces);

  WireSpline spline;
  // Evenly spaced beyond both ends too: then a straight line has no second differences.
  for (size_t i = 0; i < count + kBand; ++i) {
    spline.knots_.push_back(step * (static_cast<double>(i) - kDegree));
  }

  std::vector<std::array<double, kBand>> band(count, std::array<double, kBand>{});
  spline.coefficients_.assign(count, Point2{});
  for (size_t i = 0; i < points.size(); ++i) {
    const size_t span = span_of(spline.knots_, count, u[i]);
    const auto n = basis(spline.knots_, span, u[i]);
    for (size_t a = 0; a < kBand; ++a) {
      const size_t row = span - kDegree + a;
      for (size_t b = 0; b <= a; ++b) band[row][a - b] += n[a] * n[b];
      for (size_t axis = 0; axis < 2; ++axis) {
        spline.coefficients_[row][axis] += n[a] * points[i][axis];
      }
    }
  }
  // Eilers and Marx 1996 (P-splines): second differences of the coefficients stand for the second
  // derivative. A trace of the penalty also keeps pieces without points determined.
  const double weight = std::max(smoothing, 1e-9);
  constexpr std::array<double, 3> kDifference{1.0, -2.0, 1.0};
  for (size_t i = 0; i + 2 < count; ++i) {
    for (size_t a = 0; a < 3; ++a) {
      for (size_t b = 0; b <= a; ++b) {
        band[i + a][a - b] += weight * kDifference[a] * kDifference[b];
      }
    }
  }
  for (auto& row : band) row[0] += 1e-9;
  solve_banded(band, spline.coefficients_);
  return spline;
}

Point2 WireSpline::evaluate(double u, int derivative) const {
  const size_t count = coefficients_.size();
  u = std::clamp(u, 0.0, length_parameter());
  const size_t span = span_of(knots_, count, u);
  // De Boor's scheme, differences first for derivatives.
  std::array<Point2, kBand> d{};
  for (size_t i = 0; i < kBand; ++i) d[i] = coefficients_[span - kDegree + i];
  int degree = kDegree;
  for (int order = 0; order < derivative; ++order, --degree) {
    for (int i = 0; i < degree; ++i) {
      const size_t left = span - kDegree + static_cast<size_t>(order + i) + 1;
      const double width = knots_[left + static_cast<size_t>(degree)] - knots_[left];
      for (size_t axis = 0; axis < 2; ++axis) {
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
      for (size_t axis = 0; axis < 2; ++axis) {
        const auto k = static_cast<size_t>(i);
        d[k][axis] = (1.0 - t) * d[k - 1][axis] + t * d[k][axis];
      }
    }
  }
  return d[static_cast<size_t>(degree)];
}

Point2 WireSpline::at(double u) const {
  return evaluate(u, 0);
}
Point2 WireSpline::derivative(double u) const {
  return evaluate(u, 1);
}
Point2 WireSpline::second_derivative(double u) const {
  return evaluate(u, 2);
}

std::vector<Point2> WireSpline::sample(double step_px) const {
  const auto steps = static_cast<int64_t>(std::max(1.0, std::round(length_parameter() / step_px)));
  std::vector<Point2> points;
  points.reserve(static_cast<size_t>(steps) + 1);
  for (int64_t i = 0; i <= steps; ++i) {
    points.push_back(at(length_parameter() * static_cast<double>(i) / static_cast<double>(steps)));
  }
  return points;
}

double WireSpline::min_curvature_radius() const {
  double highest = 0.0;
  const auto steps = static_cast<int64_t>(std::max(4.0, std::round(length_parameter() / 2.0)));
  for (int64_t i = 0; i <= steps; ++i) {
    const double u = length_parameter() * static_cast<double>(i) / static_cast<double>(steps);
    const auto v = derivative(u), a = second_derivative(u);
    const double speed = std::hypot(v[0], v[1]);
    if (speed < 1e-9) continue;
    highest = std::max(highest, std::abs(v[0] * a[1] - v[1] * a[0]) / (speed * speed * speed));
  }
  return highest > 0.0 ? 1.0 / highest : std::numeric_limits<double>::infinity();
}

}  // namespace voxloom::infer
