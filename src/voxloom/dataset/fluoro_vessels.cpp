#include "voxloom/dataset/fluoro_vessels.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "voxloom/dataset/fluoro_math.h"

namespace voxloom::dataset {
namespace {

constexpr double kStepMm = 0.5;
constexpr size_t kMostVessels = 200;

struct Bud {
  FluoroPoint at;
  double angle, radius, distance, parent_radius;
  int64_t parent;
};

/// Murray's angle between the parent's direction and a child of radius `own` beside `other`.
double branch_angle(double parent, double own, double other) {
  const double p4 = std::pow(parent, 4), a4 = std::pow(own, 4), b4 = std::pow(other, 4);
  const double c = (p4 + a4 - b4) / (2.0 * parent * parent * own * own);
  return std::acos(std::clamp(c, -1.0, 1.0));
}

FluoroVessel grow_one(const Bud& bud, const FluoroTreeOptions& o, Rng& rng) {
  FluoroVessel vessel;
  RandomCurveOptions curve;
  curve.step_mm = kStepMm;
  curve.length_mm = std::max(4.0, bud.radius * o.length_per_radius * rng.uniform(0.5, 1.5));
  curve.curvature_std = o.curvature_std;
  curve.curvature_limit = 0.12;
  curve.correlation_mm = 8.0;
  curve.attract = o.home;
  curve.attract_beyond_mm = o.home_mm;
  vessel.curve = random_curve(bud.at, bud.angle, curve, rng);
  const auto n = static_cast<double>(vessel.curve.size());
  const auto bumps = random_walk(vessel.curve.size(), 12.0, rng);
  for (size_t i = 0; i < vessel.curve.size(); ++i) {
    const double taper = 1.06 - 0.12 * static_cast<double>(i) / n;
    vessel.radius.push_back(static_cast<float>(bud.radius * (taper + 0.04 * bumps[i])));
    const double out = kStepMm * static_cast<double>(i) / std::max(1e-3, bud.parent_radius);
    vessel.own.push_back(bud.parent < 0 ? 1.0F : static_cast<float>(std::min(1.0, out * out)));
  }
  vessel.distance_mm = bud.distance;
  vessel.parent = bud.parent;
  return vessel;
}

}  // namespace

std::vector<FluoroVessel> grow_vessels(FluoroPoint root,
                                       double angle,
                                       const FluoroTreeOptions& o,
                                       Rng& rng) {
  std::vector<FluoroVessel> tree;
  std::vector<Bud> buds{{root, angle, o.root_radius_mm, 0.0, 0.0, -1}};
  for (size_t next = 0; next < buds.size() && tree.size() < kMostVessels; ++next) {
    const Bud bud = buds[next];
    tree.push_back(grow_one(bud, o, rng));
    if (bud.parent >= 0) tree[static_cast<size_t>(bud.parent)].leaf = false;
    const FluoroVessel& vessel = tree.back();
    const double ratio = rng.uniform(0.74, 0.94);  // 0.79: both children alike
    const double main = bud.radius * ratio;
    const double side = bud.radius * std::cbrt(1.0 - ratio * ratio * ratio);
    const double turn = rng.uniform() < 0.5 ? 1.0 : -1.0;
    const double end = end_angle(vessel.curve);
    const double distance = bud.distance + kStepMm * static_cast<double>(vessel.curve.size() - 1);
    const auto parent = static_cast<int64_t>(tree.size()) - 1;
    const double spread = rng.uniform(0.8, 1.2);
    for (const auto& [own, other, sign] :
         {std::array{main, side, -turn}, std::array{side, main, turn}}) {
      if (own < o.smallest_radius_mm) continue;
      const double out = end + sign * spread * branch_angle(bud.radius, own, other);
      buds.push_back({vessel.curve.back(), out, own, distance, bud.radius, parent});
    }
  }
  return tree;
}

FluoroVessel path_to(const std::vector<FluoroVessel>& tree, size_t leaf) {
  std::vector<size_t> chain;
  for (auto i = static_cast<int64_t>(leaf); i >= 0; i = tree[static_cast<size_t>(i)].parent) {
    chain.push_back(static_cast<size_t>(i));
  }
  std::reverse(chain.begin(), chain.end());
  FluoroVessel path;
  for (const size_t i : chain) {
    const auto skip = path.curve.empty() ? 0 : 1;
    path.curve.insert(path.curve.end(), tree[i].curve.begin() + skip, tree[i].curve.end());
    path.radius.insert(path.radius.end(), tree[i].radius.begin() + skip, tree[i].radius.end());
  }
  return path;
}

}  // namespace voxloom::dataset
