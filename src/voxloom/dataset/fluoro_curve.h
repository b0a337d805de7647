#pragma once

#include <cstdint>
#include <vector>

#include "voxloom/core/random.h"

namespace voxloom::dataset {

struct FluoroPoint {
  double x = 0.0, y = 0.0;
};

inline FluoroPoint operator+(FluoroPoint a, FluoroPoint b) {
  return {a.x + b.x, a.y + b.y};
}
inline FluoroPoint operator-(FluoroPoint a, FluoroPoint b) {
  return {a.x - b.x, a.y - b.y};
}
inline FluoroPoint operator*(double s, FluoroPoint a) {
  return {s * a.x, s * a.y};
}
[[nodiscard]] double length(FluoroPoint a);

/// An open polyline; unit of the simulator's scene: mm in the object plane, x right, y down, origin
/// in the middle of the image.
using FluoroCurve = std::vector<FluoroPoint>;

/// Arc length at every vertex, from 0.
[[nodiscard]] std::vector<double> arc_lengths(const FluoroCurve& curve);

/// Vertices every `step` along the polyline, the last one at its end.
[[nodiscard]] FluoroCurve resample(const FluoroCurve& curve, double step);

/// Gaussian smoothing along the curve, `sigma` in vertices; the ends stay where they are.
[[nodiscard]] FluoroCurve smooth(const FluoroCurve& curve, double sigma);

/// A cubic Bezier curve in steps of about `step`.
[[nodiscard]] FluoroCurve bezier(
    FluoroPoint a, FluoroPoint b, FluoroPoint c, FluoroPoint d, double step);

/// A random curve whose curvature is an Ornstein-Uhlenbeck process (guidewire.md 11.3).
struct RandomCurveOptions {
  double length_mm = 50.0, step_mm = 0.5;
  double curvature_std = 0.02;       ///< 1/mm, stationary.
  double curvature_limit = 0.05;     ///< 1/mm
  double correlation_mm = 15.0;      ///< Length over which the curvature forgets.
  FluoroPoint attract{};             ///< The curve bends back towards this point ...
  double attract_beyond_mm = 1.0e9;  ///< ... when it is farther away than this.
};
[[nodiscard]] FluoroCurve random_curve(FluoroPoint start,
                                       double angle,
                                       const RandomCurveOptions& options,
                                       Rng& rng);

/// Direction of the curve at its end, radians.
[[nodiscard]] double end_angle(const FluoroCurve& curve);

/// Unit normal (left of the direction) at vertex i.
[[nodiscard]] FluoroPoint normal_at(const FluoroCurve& curve, size_t i);

/// An Ornstein-Uhlenbeck process of unit variance on `count` steps, `correlation` in steps.
[[nodiscard]] std::vector<double> random_walk(size_t count, double correlation, Rng& rng);

}  // namespace voxloom::dataset
