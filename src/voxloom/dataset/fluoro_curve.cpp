#include "voxloom/dataset/fluoro_curve.h"

#include <algorithm>
#include <cmath>

#include "voxloom/dataset/fluoro_math.h"

namespace voxloom::dataset {

double length(FluoroPoint a) {
  return std::sqrt(a.x * a.x + a.y * a.y);
}

std::vector<double> arc_lengths(const FluoroCurve& curve) {
  std::vector<double> arc(curve.size(), 0.0);
  for (size_t i = 1; i < curve.size(); ++i) arc[i] = arc[i - 1] + length(curve[i] - curve[i - 1]);
  return arc;
}

FluoroCurve resample(const FluoroCurve& curve, double step) {
  if (curve.size() < 2) return curve;
  const auto arc = arc_lengths(curve);
  const auto pieces = std::max<int64_t>(1, std::llround(arc.back() / step));
  FluoroCurve out;
  out.reserve(static_cast<size_t>(pieces) + 1);
  size_t i = 1;
  for (int64_t k = 0; k <= pieces; ++k) {
    const double s = arc.back() * static_cast<double>(k) / static_cast<double>(pieces);
    while (i + 1 < curve.size() && arc[i] < s) ++i;
    const double span = arc[i] - arc[i - 1];
    const double t = span > 0.0 ? std::clamp((s - arc[i - 1]) / span, 0.0, 1.0) : 0.0;
    out.push_back(curve[i - 1] + t * (curve[i] - curve[i - 1]));
  }
  return out;
}

FluoroCurve smooth(const FluoroCurve& curve, double sigma) {
  if (curve.size() < 3 || sigma < 0.05) return curve;
  const auto n = static_cast<int64_t>(curve.size());
  const auto radius = static_cast<int64_t>(std::ceil(3.0 * sigma));
  std::vector<double> weights;
  for (int64_t k = 0; k <= radius; ++k) {
    const double x = static_cast<double>(k) / sigma;
    weights.push_back(std::exp(-0.5 * x * x));
  }
  FluoroCurve out(curve.size());
  for (int64_t i = 0; i < n; ++i) {
    // A window that shrinks towards the ends keeps them in place.
    const int64_t reach = std::min({radius, i, n - 1 - i});
    FluoroPoint sum = weights[0] * curve[static_cast<size_t>(i)];
    double total = weights[0];
    for (int64_t k = 1; k <= reach; ++k) {
      const double w = weights[static_cast<size_t>(k)];
      sum = sum + w * (curve[static_cast<size_t>(i - k)] + curve[static_cast<size_t>(i + k)]);
      total += 2.0 * w;
    }
    out[static_cast<size_t>(i)] = (1.0 / total) * sum;
  }
  return out;
}

FluoroCurve bezier(FluoroPoint a, FluoroPoint b, FluoroPoint c, FluoroPoint d, double step) {
  FluoroCurve fine;
  for (int i = 0; i <= 200; ++i) {
    const double t = i / 200.0, u = 1.0 - t;
    fine.push_back(u * u * u * a + 3.0 * u * u * t * b + 3.0 * u * t * t * c + t * t * t * d);
  }
  return resample(fine, step);
}

FluoroCurve random_curve(FluoroPoint start,
                         double angle,
                         const RandomCurveOptions& options,
                         Rng& rng) {
  const auto steps = static_cast<int64_t>(options.length_mm / options.step_mm);
  const double keep = std::exp(-options.step_mm / options.correlation_mm);
  const double kick = options.curvature_std * std::sqrt(1.0 - keep * keep);
  double deviation = options.curvature_std * rng.normal();
  FluoroCurve curve{start};
  for (int64_t i = 0; i < steps; ++i) {
    deviation = keep * deviation + kick * rng.normal();
    double curvature = deviation;
    const FluoroPoint home = options.attract - curve.back();
    if (length(home) > options.attract_beyond_mm) {
      // The shorter turn towards home, as strong as the limit allows.
      const double turn = std::remainder(std::atan2(home.y, home.x) - angle, 2.0 * kPi);
      curvature += 0.8 * options.curvature_limit * std::sin(0.5 * turn);
    }
    curvature = std::clamp(curvature, -options.curvature_limit, options.curvature_limit);
    angle += curvature * options.step_mm;
    curve.push_back(curve.back() + options.step_mm * FluoroPoint{std::cos(angle), std::sin(angle)});
  }
  return curve;
}

double end_angle(const FluoroCurve& curve) {
  if (curve.size() < 2) return 0.0;
  const FluoroPoint d = curve.back() - curve[curve.size() - 2];
  return std::atan2(d.y, d.x);
}

FluoroPoint normal_at(const FluoroCurve& curve, size_t i) {
  const size_t a = i > 0 ? i - 1 : 0, b = std::min(curve.size() - 1, i + 1);
  const FluoroPoint d = curve[b] - curve[a];
  const double l = length(d);
  return l > 0.0 ? FluoroPoint{d.y / l, -d.x / l} : FluoroPoint{0.0, 0.0};
}

std::vector<double> random_walk(size_t count, double correlation, Rng& rng) {
  const double keep = std::exp(-1.0 / std::max(1e-3, correlation));
  const double kick = std::sqrt(1.0 - keep * keep);
  std::vector<double> walk(count);
  double value = rng.normal();
  for (auto& w : walk) {
    w = value;
    value = keep * value + kick * rng.normal();
  }
  return walk;
}

}  // namespace voxloom::dataset
