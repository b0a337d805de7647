#include <algorithm>
#include <cmath>

#include "voxloom/dataset/fluoro_bones.h"
#include "voxloom/dataset/fluoro_tube.h"

namespace voxloom::dataset {
namespace {

constexpr double kReachMm = 150.0;  // ribs are drawn this far from the spine

struct RibShape {
  double width_mm, thickness_mm, shell_mm, strength;
};

RibShape random_shape(bool posterior, Rng& rng) {
  return {rng.uniform(8.0, posterior ? 11.0 : 12.0),
          rng.uniform(6.0, 10.0),
          rng.uniform(0.7, 1.3),
          posterior ? rng.uniform(0.55, 0.9) : rng.uniform(0.25, 0.5)};
}

/// From the joint at the spine outwards and down; the first centimetres run level.
FluoroCurve posterior_rib(FluoroPoint joint, double side, double tilt, Rng& rng) {
  const double level = rng.uniform(18.0, 30.0);
  FluoroCurve curve;
  for (double d = 0.0; d <= kReachMm; d += 3.0) {
    const double sink = std::tan(tilt) * (d - level * (1.0 - std::exp(-d / level)));
    curve.push_back({joint.x + side * d, joint.y + sink + 1.2e-3 * d * d});
  }
  return curve;
}

/// From the flank inwards and down, ending where the cartilage begins.
FluoroCurve anterior_rib(FluoroPoint joint, double side, double tilt, Rng& rng) {
  const double end = rng.uniform(28.0, 45.0);
  FluoroCurve curve;
  for (double d = kReachMm; d >= end; d -= 3.0) {
    const double sink = std::tan(1.25 * tilt) * (kReachMm - d);
    curve.push_back(
        {joint.x + side * d, joint.y + sink - 0.0012 * (kReachMm - d) * (kReachMm - d)});
  }
  return curve;
}

}  // namespace

void add_ribs(FluoroPlane& depth,
              const FluoroSpine& spine,
              const FluoroParameters& p,
              FluoroPoint origin,
              Rng& rng) {
  FluoroTubePainter painter(depth.width, depth.height);
  const double mu_shell = (FluoroMu::kBone - FluoroMu::kWater) * p.pixel_mm;
  const double mu_marrow = (FluoroMu::kTrabecular - FluoroMu::kWater) * p.pixel_mm;
  const auto paint = [&](const FluoroCurve& curve, const RibShape& shape) {
    const double radius = 0.5 * shape.width_mm / p.pixel_mm;
    const double core = radius - shape.shell_mm / p.pixel_mm;
    // A flat rib is a round one squeezed along the ray.
    const double squeeze = shape.strength * shape.thickness_mm / shape.width_mm;
    const FluoroTubeProfile profile(
        {.radius = radius, .mu = squeeze * mu_shell, .core = core, .core_mu = squeeze * mu_marrow});
    FluoroStroke stroke;
    for (const auto& q : curve) stroke.points.push_back(origin + (1.0 / p.pixel_mm) * q);
    const auto walk = random_walk(curve.size(), 8.0, rng);
    for (const double w : walk) {
      stroke.scales.push_back(static_cast<float>(std::clamp(1.0 + 0.05 * w, 0.85, 1.15)));
    }
    for (const auto& hit : painter.paint(stroke, profile)) {
      depth.values[static_cast<size_t>(hit.pixel)] += hit.depth;
    }
  };
  const double top = -origin.y * p.pixel_mm - 140.0;
  const double bottom = (static_cast<double>(depth.height) - origin.y) * p.pixel_mm + 20.0;
  const double phase = rng.uniform(0.0, p.rib_period_mm);
  for (const double side : {-1.0, 1.0}) {
    const double tilt = p.rib_tilt * rng.uniform(0.8, 1.2);
    const RibShape back = random_shape(true, rng), front = random_shape(false, rng);
    for (double y = top + phase; y < bottom; y += p.rib_period_mm) {
      const double jitter = rng.uniform(-1.5, 1.5);
      const FluoroPoint joint{spine.x_at(y) + side * 0.3 * spine.width_mm, y + jitter};
      paint(posterior_rib(joint, side, tilt, rng), back);
      if (rng.uniform() < 0.8) {
        paint(anterior_rib({joint.x, y + 0.45 * p.rib_period_mm}, side, tilt, rng), front);
      }
    }
  }
}

}  // namespace voxloom::dataset
