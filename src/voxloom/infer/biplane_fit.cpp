// Gauss and Newton on the coefficients of a curve in space, with distances measured in both images.
#include "voxloom/infer/biplane_fit.h"

#include <algorithm>
#include <cmath>

#include "voxloom/infer/vector3.h"

namespace voxloom::infer {
namespace {

constexpr size_t kBasis = 4, kAxes = 3, kBandOf3 = kBasis * kAxes - 1;
constexpr int kMostRounds = 25;
constexpr double kConvergedMm = 1e-3;
constexpr double kSampleMm = 0.5;
// Across the line an observation counts fully; along it, just enough to keep places from drifting.
constexpr double kAlongWeight = 0.02;
// Cauchy's weights: an observation this many sigma away counts half.
constexpr double kRobustSigma = 3.0;
constexpr double kDamping = 1e-4;

/// The projected curve of one view.
struct Trace {
  std::vector<Point2> pixels;
  double step = 0.0;  ///< In u.
};

Trace trace_of(const Projection& view, const CubicSpline<3>& curve) {
  const double length = curve.length_parameter();
  const auto count = static_cast<size_t>(std::max(2.0, std::ceil(length / kSampleMm)));
  Trace trace{.pixels = {}, .step = length / static_cast<double>(count)};
  for (size_t i = 0; i <= count; ++i) {
    trace.pixels.push_back(view.project(curve.at(trace.step * static_cast<double>(i))));
  }
  return trace;
}

/// The place of the trace nearest to a pixel, within `window` of u.
double nearest_u(const Trace& trace, const Point2& pixel, double u, double window) {
  const auto last = static_cast<double>(trace.pixels.size() - 1);
  const auto from =
      static_cast<size_t>(std::clamp(std::floor((u - window) / trace.step), 0.0, last - 1.0));
  const auto to = static_cast<size_t>(std::clamp(std::ceil((u + window) / trace.step), 1.0, last));
  double best = 1e300, best_u = u;
  for (size_t i = from; i < std::max(to, from + 1); ++i) {
    const Point2& p = trace.pixels[i];
    const Point2& q = trace.pixels[i + 1];
    const double dx = q[0] - p[0], dy = q[1] - p[1], squared = dx * dx + dy * dy;
    double t = 0.0;
    if (squared > 0.0) {
      t = std::clamp(((pixel[0] - p[0]) * dx + (pixel[1] - p[1]) * dy) / squared, 0.0, 1.0);
    }
    const double ex = pixel[0] - p[0] - t * dx, ey = pixel[1] - p[1] - t * dy;
    const double d = ex * ex + ey * ey;
    if (d < best) {
      best = d;
      best_u = (static_cast<double>(i) + t) * trace.step;
    }
  }
  return best_u;
}

/// One round: the system of the present places, without prior.
class Round {
 public:
  Round(const BiplaneRig& rig, const BiplaneOptions& options, const CubicSpline<3>& curve)
      : rig_(rig),
        options_(options),
        curve_(curve),
        system(curve.coefficients().size() * kAxes, kBandOf3),
        right(system.size(), 0.0) {}

  void add(const CurveObservation& seen) {
    const Vec3 position = curve_.at(seen.u);
    const auto& view = rig_.view(seen.view);
    const Point2 pixel = view.project(position);
    const auto jacobian = view.jacobian(position);
    const Vec3 tangent = curve_.derivative(seen.u);
    double tx = dot(jacobian[0], tangent), ty = dot(jacobian[1], tangent);
    const double speed = std::hypot(tx, ty);
    const double residual_x = seen.pixel[0] - pixel[0], residual_y = seen.pixel[1] - pixel[1];
    double along_weight = seen.pinned ? 1.0 : kAlongWeight;
    if (speed < 1e-6) {
      tx = 1.0;
      ty = 0.0;
      along_weight = 1.0;  // Seen end-on: there is no "along".
    } else {
      tx /= speed;
      ty /= speed;
    }
    const double across = -ty * residual_x + tx * residual_y;
    const double along = tx * residual_x + ty * residual_y;
    const double far = across / (kRobustSigma * options_.sigma_px);
    const double weight = seen.weight / (options_.sigma_px * options_.sigma_px) / (1.0 + far * far);
    const auto basis = curve_.basis(seen.u);
    add_row(basis, infer::add(scaled(jacobian[0], -ty), jacobian[1], tx), across, weight);
    add_row(
        basis, infer::add(scaled(jacobian[0], tx), jacobian[1], ty), along, weight * along_weight);
  }

  /// Second differences of the coefficients, in units of what a typical bend has.
  void add_prior(double weight) {
    constexpr std::array<double, 3> kDifference{1.0, -2.0, 1.0};
    const auto& c = curve_.coefficients();
    for (size_t i = 0; i + 2 < c.size(); ++i) {
      for (size_t axis = 0; axis < kAxes; ++axis) {
        const double bend = c[i][axis] - 2.0 * c[i + 1][axis] + c[i + 2][axis];
        for (size_t p = 0; p < 3; ++p) {
          const size_t row = (i + p) * kAxes + axis;
          right[row] -= weight * kDifference[p] * bend;
          for (size_t q = 0; q <= p; ++q) {
            system.at(row, (i + q) * kAxes + axis) += weight * kDifference[p] * kDifference[q];
          }
        }
      }
    }
    for (size_t row = 0; row < system.size(); ++row) system.at(row, row) += kDamping;
  }

 private:
  void add_row(const CubicSpline<3>::Basis& basis,
               const Vec3& direction,
               double residual,
               double weight) {
    for (size_t p = 0; p < kBasis * kAxes; ++p) {
      const double left = weight * basis.value[p / kAxes] * direction[p % kAxes];
      const size_t row = basis.first * kAxes + p;
      right[row] += left * residual;
      for (size_t q = 0; q <= p; ++q) {
        system.at(row, basis.first * kAxes + q) +=
            left * basis.value[q / kAxes] * direction[q % kAxes];
      }
    }
  }

  const BiplaneRig& rig_;
  const BiplaneOptions& options_;
  const CubicSpline<3>& curve_;

 public:
  BandedSystem system;
  std::vector<double> right;
};

}  // namespace

BandedSystem fit_to_views(const BiplaneRig& rig,
                          const BiplaneOptions& options,
                          std::vector<CurveObservation>& observations,
                          CubicSpline<3>& curve) {
  const double step = curve.knots()[1] - curve.knots()[0];
  const double bend = step * step / options.bend_radius_mm;
  double moved = 1e300;
  for (int round = 0;; ++round) {
    const std::array<Trace, 2> traces{trace_of(rig.view(0), curve), trace_of(rig.view(1), curve)};
    const double window = round == 0 ? 6.0 : 3.0;
    for (auto& seen : observations) {
      if (!seen.pinned) seen.u = nearest_u(traces[seen.view], seen.pixel, seen.u, window);
    }
    Round work(rig, options, curve);
    for (const auto& seen : observations) work.add(seen);
    work.add_prior(1.0 / (bend * bend));
    work.system.factor();
    if (moved < kConvergedMm || round == kMostRounds) return std::move(work.system);
    work.system.solve(work.right);
    moved = 0.0;
    for (size_t i = 0; i < curve.coefficients().size(); ++i) {
      auto c = curve.coefficients()[i];
      const Vec3 change{
          work.right[kAxes * i], work.right[kAxes * i + 1], work.right[kAxes * i + 2]};
      const double size = norm(change);
      moved = std::max(moved, size);
      // Places are only known nearby: long steps are cut.
      c = add(c, change, size > 5.0 ? 5.0 / size : 1.0);
      curve.set_coefficient(i, c);
    }
  }
}

double curve_std_mm(const CubicSpline<3>& curve,
                    const BandedSystem& normal,
                    double u,
                    Spread spread) {
  const Vec3 t = curve.derivative(u);
  std::vector<Vec3> directions;
  if (spread == Spread::kAcross && norm(t) > 0.0) {
    const Vec3 along = unit(t);
    const Vec3 helper = std::abs(along[0]) < 0.6 ? Vec3{1, 0, 0} : Vec3{0, 1, 0};
    const Vec3 side = unit(cross(along, helper));
    directions = {side, cross(along, side)};
  } else {
    directions = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}};
  }
  const auto basis = curve.basis(u);
  double variance = 0.0;
  for (const auto& direction : directions) {
    std::vector<double> b(normal.size(), 0.0);
    for (size_t p = 0; p < kBasis * kAxes; ++p) {
      b[basis.first * kAxes + p] = basis.value[p / kAxes] * direction[p % kAxes];
    }
    normal.solve_lower(b);
    for (const double value : b) variance += value * value;
  }
  return std::sqrt(variance);
}

}  // namespace voxloom::infer
