#include "voxloom/dataset/fluoro_scene.h"

#include <algorithm>
#include <cmath>

#include "voxloom/dataset/fluoro_math.h"

namespace voxloom::dataset {
namespace {

constexpr double kStepMm = 0.5;
constexpr double kBloodSpeed = 150.0;  // mm/s in a coronary artery while contrast is injected

/// The way of a guiding catheter to `ostium`, entered in direction `into`: down from the arch or,
/// from the groin, up beside the spine and around the arch first.
FluoroCurve catheter_way(FluoroPoint ostium, double into, double half, bool from_groin, Rng& rng) {
  const FluoroPoint end_dir{std::cos(into), std::sin(into)};
  const double back = end_dir.x > 0.0 ? -1.0 : 1.0;
  const FluoroPoint hook = ostium - 9.0 * end_dir;
  // The catheter leans on the wall of the aorta opposite to the ostium before it turns in.
  const FluoroPoint lean =
      ostium + FluoroPoint{back * rng.uniform(12.0, 20.0), rng.uniform(-22.0, -6.0)};
  const double arch_y = ostium.y - rng.uniform(50.0, 75.0);
  const double ascending_x = ostium.x + back * rng.uniform(4.0, 14.0);
  FluoroCurve corners;
  if (from_groin) {
    const double radius = rng.uniform(16.0, 28.0);
    const double descending_x = ascending_x + 2.0 * radius;
    const double lean_x = rng.uniform(-12.0, 12.0);
    corners.push_back({descending_x + lean_x, ostium.y + 3.2 * half + 60.0});
    corners.push_back({descending_x + 0.4 * lean_x, ostium.y});
    corners.push_back({descending_x, arch_y});
    for (int i = 1; i < 8; ++i) {
      const double t = kPi * i / 8.0;
      corners.push_back(
          {ascending_x + radius + radius * std::cos(t), arch_y - radius * std::sin(t)});
    }
  } else {
    corners.push_back({ascending_x + rng.uniform(-25.0, 25.0), ostium.y - 3.2 * half - 60.0});
  }
  corners.push_back({ascending_x, arch_y});
  corners.push_back(lean);
  corners.push_back(hook);
  const FluoroCurve soft = smooth(resample(corners, kStepMm), 16.0);
  FluoroCurve way(soft.begin(), soft.end() - 6);
  const FluoroCurve tip =
      bezier(way.back(),
             way.back() + 4.0 * FluoroPoint{std::cos(end_angle(way)), std::sin(end_angle(way))},
             ostium - 5.0 * end_dir,
             ostium,
             kStepMm);
  way.insert(way.end(), tip.begin() + 1, tip.end());
  return resample(smooth(way, 4.0), kStepMm);
}

size_t choose_leaf(const std::vector<FluoroVessel>& tree, Rng& rng) {
  size_t longest = 0;
  double most = -1.0;
  std::vector<size_t> good;
  for (size_t i = 0; i < tree.size(); ++i) {
    if (!tree[i].leaf) continue;
    const double end = tree[i].distance_mm + kStepMm * static_cast<double>(tree[i].curve.size());
    if (end > most) {
      most = end;
      longest = i;
    }
    if (end > 45.0) good.push_back(i);
  }
  return good.empty() ? longest : good[rng.below(good.size())];
}

FluoroRoute vessel_route(const FluoroCurve& catheter,
                         double catheter_lumen,
                         const std::vector<FluoroVessel>& tree,
                         Rng& rng) {
  FluoroRoute route;
  const FluoroVessel way = path_to(tree, choose_leaf(tree, rng));
  route.curve = catheter;
  route.lumen.assign(catheter.size(), static_cast<float>(catheter_lumen));
  route.catheter_mm = kStepMm * static_cast<double>(catheter.size() - 1);
  route.curve.insert(route.curve.end(), way.curve.begin() + 1, way.curve.end());
  route.lumen.insert(route.lumen.end(), way.radius.begin() + 1, way.radius.end());
  return route;
}

/// A wire without catheter: from beyond the border across the view.
FluoroRoute free_route(double half, Rng& rng) {
  const double from = rng.uniform(-kPi, kPi);
  const FluoroPoint start = (1.6 * half) * FluoroPoint{std::cos(from), std::sin(from)};
  RandomCurveOptions o;
  o.length_mm = std::max(60.0, 3.4 * half);
  o.step_mm = kStepMm;
  o.curvature_std = rng.uniform(0.004, 0.018);
  o.curvature_limit = 1.0 / 20.0;
  o.correlation_mm = rng.uniform(15.0, 40.0);
  o.attract_beyond_mm = 1.05 * half;
  FluoroRoute route;
  route.curve = random_curve(start, from + kPi + rng.uniform(-0.5, 0.5), o, rng);
  route.lumen.assign(route.curve.size(), 0.0F);
  return route;
}

void shift_curve(FluoroCurve& curve, FluoroPoint by) {
  for (auto& q : curve) q = q + by;
}

}  // namespace

double contrast_filling(const FluoroParameters& p, double distance_mm, double time_s) {
  if (!p.contrast) return 0.0;
  const double u = (time_s - p.bolus_start_s - distance_mm / kBloodSpeed) / (0.5 * p.bolus_s);
  return u > 0.0 ? std::pow(u * std::exp(1.0 - u), 2.0) : 0.0;
}

FluoroScene make_scene(const FluoroParameters& p, const FluoroOptions& options, Rng& rng) {
  FluoroScene scene;
  const double half = 0.5 * static_cast<double>(options.size) * p.pixel_mm;
  const double duration = static_cast<double>(options.frames) / options.fps;
  const bool left = rng.uniform() < 0.7;

  // Around an ostium at the origin.
  FluoroHeart heart;
  heart.centre = left ? FluoroPoint{rng.uniform(10.0, 30.0), rng.uniform(25.0, 42.0)}
                      : FluoroPoint{rng.uniform(20.0, 38.0), rng.uniform(15.0, 35.0)};
  heart.long_mm = rng.uniform(55.0, 72.0);
  heart.short_mm = rng.uniform(40.0, 52.0);
  heart.axis = rng.uniform(0.5, 1.0);
  FluoroTreeOptions tree;
  tree.root_radius_mm = rng.uniform(1.5, 2.0);
  tree.home = heart.centre;
  tree.home_mm = 0.85 * heart.short_mm;
  const double into = left ? rng.uniform(-0.3, 0.8) : kPi - rng.uniform(-0.2, 0.9);
  scene.vessels = grow_vessels({0.0, 0.0}, into, tree, rng);
  const double outer = rng.uniform(0.65, 1.0);
  const FluoroCurve catheter = catheter_way({0.0, 0.0}, into, half, rng.uniform() < 0.5, rng);

  // The tip of the first wire, there or not, is put into view.
  std::vector<FluoroWire> wires;
  for (int i = 0; i < std::max(1, p.wires); ++i) {
    const FluoroRoute route = p.catheter ? vessel_route(catheter, outer - 0.25, scene.vessels, rng)
                                         : free_route(half, rng);
    wires.emplace_back(p, route, duration, rng);
  }
  FluoroPoint shift{rng.uniform(-30.0, 10.0), rng.uniform(-35.0, 0.0)};
  if (p.catheter) {
    const FluoroPoint tip = wires.front().first_tip();
    shift = FluoroPoint{rng.uniform(-0.5, 0.6) * half, rng.uniform(-0.3, 0.65) * half} - tip;
  }
  heart.centre = heart.centre + shift;
  for (auto& vessel : scene.vessels) shift_curve(vessel.curve, shift);
  if (p.catheter) {
    for (auto& wire : wires) wire.shift(shift);
    FluoroCurve moved = catheter;
    shift_curve(moved, shift);
    auto tubes = make_catheter(moved, outer, rng);
    std::move(tubes.begin(), tubes.end(), std::back_inserter(scene.devices));
  }
  for (auto& wire : wires) wire.set_view(half);
  if (p.wires > 0) scene.wires = std::move(wires);

  scene.motion = std::make_unique<FluoroMotion>(p, heart);
  scene.anatomy = std::make_unique<FluoroAnatomy>(p, options.size, *scene.motion, rng);
  FluoroSurroundings around{
      half, scene.anatomy->spine().x_mm, heart, &scene.vessels, options.distractors};
  auto devices = random_devices(around, rng);
  scene.devices.insert(scene.devices.begin(), devices.begin(), devices.end());
  return scene;
}

}  // namespace voxloom::dataset
