#pragma once

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "voxloom/core/random.h"
#include "voxloom/infer/biplane_curve.h"
#include "voxloom/infer/vector3.h"

namespace voxloom::infer {

/// A view as of a cath lab: 1024 px of 0.2 mm at 1100 mm, isocentre at 720 mm.
inline CArm arm_at(double primary_deg, double secondary_deg = 0.0) {
  return {.sid_mm = 1100.0,
          .sod_mm = 720.0,
          .primary_deg = primary_deg,
          .secondary_deg = secondary_deg,
          .pixel_mm = {0.2, 0.2},
          .width = 1024,
          .height = 1024,
          .principal_point = {},
          .isocentre_mm = {}};
}

/// A random wire near the isocentre, a point every 0.1 mm: direction turned by an
/// Ornstein-Uhlenbeck curvature (shaft radius 15 mm and more), with a J tip of 4 to 8 mm radius in
/// half of them.
inline std::vector<Vec3> random_wire(Rng& rng) {
  const double length = rng.uniform(60.0, 150.0), step = 0.1, correlation = 15.0;
  const bool hook = rng.uniform() < 0.5;
  const double hook_radius = rng.uniform(4.0, 8.0),
               hook_length = hook_radius * rng.uniform(1.0, 3.0);
  const auto random_unit = [&] { return unit({rng.normal(), rng.normal(), rng.normal()}); };
  Vec3 t = random_unit(), n = unit(cross(t, random_unit()));
  Vec3 k{};
  std::vector<Vec3> wire{{0.0, 0.0, 0.0}};
  for (double s = step; s <= length; s += step) {
    const double keep = std::exp(-step / correlation);
    for (double& value : k) {
      value = keep * value + std::sqrt(1.0 - keep * keep) * rng.normal(0.0, 0.018);
    }
    if (norm(k) > 1.0 / 15.0) k = scaled(k, 1.0 / 15.0 / norm(k));
    Vec3 bend = k;
    if (hook && s > length - hook_length) bend = scaled(n, 1.0 / hook_radius);
    bend = add(bend, t, -dot(bend, t));
    if (hook && s > length - hook_length && norm(bend) > 0.0) {
      bend = scaled(unit(bend), 1.0 / hook_radius);
    }
    const Vec3 before = t;
    t = unit(add(t, bend, step));
    // The hook's normal turns with it.
    n = unit(add(n, before, -step / hook_radius));
    n = unit(add(n, t, -dot(n, t)));
    wire.push_back(add(wire.back(), t, step));
  }
  Vec3 middle{};
  for (const auto& p : wire) middle = add(middle, p, 1.0 / static_cast<double>(wire.size()));
  for (auto& p : wire) p = add(p, middle, -1.0);
  return wire;
}

struct Hidden {
  double from = 0.0, to = 0.0;  ///< Shares of the length that a view misses.
};

/// The centre line a tracker would give: points about 1 px apart, with noise; hidden parts are
/// bridged by a straight line that is marked, or simply absent.
inline ViewCurve see_wire(const Projection& view,
                          const std::vector<Vec3>& wire,
                          double noise_px,
                          const std::vector<Hidden>& hidden,
                          bool bridged,
                          Rng& rng) {
  ViewCurve curve;
  Point2 last{1e9, 1e9};
  bool gap = false;
  for (size_t i = 0; i < wire.size(); ++i) {
    const double share = static_cast<double>(i) / static_cast<double>(wire.size() - 1);
    const Point2 p = view.project(wire[i]);
    if (std::any_of(hidden.begin(), hidden.end(), [&](const Hidden& h) {
          return share >= h.from && share <= h.to;
        })) {
      gap = true;
      continue;
    }
    if (std::hypot(p[0] - last[0], p[1] - last[1]) < 1.0 && i + 1 < wire.size()) continue;
    const Point2 noisy{p[0] + rng.normal(0.0, noise_px), p[1] + rng.normal(0.0, noise_px)};
    if (gap && bridged && !curve.points.empty()) {
      const Point2 from = curve.points.back();
      const double d = std::hypot(noisy[0] - from[0], noisy[1] - from[1]);
      for (double s = 1.0; s < d; s += 1.0) {
        curve.points.push_back(
            {from[0] + s / d * (noisy[0] - from[0]), from[1] + s / d * (noisy[1] - from[1])});
        curve.seen.push_back(0);
      }
    }
    gap = false;
    last = p;
    curve.points.push_back(noisy);
    curve.seen.push_back(1);
  }
  return curve;
}

inline double distance_to_wire(const Vec3& p, const std::vector<Vec3>& wire) {
  double nearest = 1e300;
  for (const auto& q : wire) nearest = std::min(nearest, norm(add(p, q, -1.0)));
  return nearest;
}

inline double median_of(std::vector<double> values) {
  std::nth_element(
      values.begin(), values.begin() + static_cast<int64_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

inline double percentile_of(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  return values[static_cast<size_t>(share * static_cast<double>(values.size() - 1))];
}

}  // namespace voxloom::infer
