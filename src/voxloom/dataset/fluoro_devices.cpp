#include "voxloom/dataset/fluoro_devices.h"

#include <algorithm>
#include <cmath>

#include "voxloom/dataset/fluoro_math.h"

namespace voxloom::dataset {
namespace {

using Tubes = std::vector<FluoroTube>;

FluoroPoint somewhere(double half, Rng& rng) {
  return {rng.uniform(-half, half), rng.uniform(-half, half)};
}

FluoroTube tube(FluoroCurve curve, double radius, double mu, FluoroGroup group) {
  FluoroTube t;
  t.curve = std::move(curve);
  t.radius_mm = radius;
  t.mu = mu;
  t.group = group;
  return t;
}

FluoroCurve circle(FluoroPoint centre, double a, double b, double turn, double step) {
  FluoroCurve curve;
  for (int i = 0; i <= 60; ++i) {
    const double t = 2.0 * kPi * i / 60.0, x = a * std::cos(t), y = b * std::sin(t);
    curve.push_back(centre + FluoroPoint{x * std::cos(turn) - y * std::sin(turn),
                                         x * std::sin(turn) + y * std::cos(turn)});
  }
  return resample(curve, step);
}

/// A lead across the view to an electrode on the skin: a thin snap ring and a faint disc.
void add_ecg_lead(Tubes& out, double half, Rng& rng) {
  const FluoroPoint end = somewhere(0.9 * half, rng);
  RandomCurveOptions o;
  o.length_mm = 2.5 * half;
  o.curvature_std = 0.012;
  o.curvature_limit = 0.05;
  o.correlation_mm = 30.0;
  const auto curve = random_curve(end, rng.uniform(-kPi, kPi), o, rng);
  out.push_back(tube(curve, rng.uniform(0.35, 0.6), rng.uniform(0.15, 0.4), FluoroGroup::kWall));
  if (rng.uniform() < 0.6) {
    const double r = rng.uniform(2.0, 4.0);
    out.push_back(tube(circle(end, r, 0.95 * r, 0.0, 0.5), 0.35, 0.3, FluoroGroup::kWall));
    out.push_back(tube({end, end + FluoroPoint{0.1, 0.0}}, r, 0.02, FluoroGroup::kWall));
  }
}

/// Closed loops of steel wire down the sternum, with a twisted knot.
void add_sternal_wires(Tubes& out, const FluoroSurroundings& s, Rng& rng) {
  const double x = s.spine_x_mm + rng.uniform(-12.0, 25.0), spacing = rng.uniform(14.0, 24.0);
  const double turn = rng.uniform(-0.3, 0.3);
  for (double y = -s.half_mm + rng.uniform(0.0, spacing); y < s.half_mm; y += spacing) {
    const FluoroPoint at{x + rng.uniform(-2.0, 2.0), y};
    const double a = rng.uniform(5.0, 9.0), b = rng.uniform(2.0, 5.0);
    out.push_back(tube(circle(at, a, b, turn + rng.uniform(-0.2, 0.2), 0.5),
                       rng.uniform(0.3, 0.45),
                       0.8,
                       FluoroGroup::kWall));
    const double way = rng.uniform(-kPi, kPi), l = rng.uniform(3.0, 6.0);
    const FluoroPoint knot = at + FluoroPoint{0.0, b};
    out.push_back(tube({knot, knot + l * FluoroPoint{std::cos(way), std::sin(way)}},
                       0.55,
                       0.8,
                       FluoroGroup::kWall));
  }
}

/// Small V-shaped clips along a line, as along a graft.
void add_clips(Tubes& out, double half, Rng& rng) {
  const FluoroPoint start = somewhere(half, rng);
  const double way = rng.uniform(-kPi, kPi);
  const auto count = 2 + rng.below(6);
  for (uint64_t i = 0; i < count; ++i) {
    const FluoroPoint at = start +
                           (static_cast<double>(i) * rng.uniform(6.0, 12.0)) *
                               FluoroPoint{std::cos(way), std::sin(way)} +
                           0.06 * somewhere(half, rng);
    const double turn = rng.uniform(-kPi, kPi), open = rng.uniform(0.15, 0.5);
    const double l = rng.uniform(2.5, 5.0);
    const auto arm = [&](double a) { return at + l * FluoroPoint{std::cos(a), std::sin(a)}; };
    out.push_back(tube({arm(turn - open), at, arm(turn + open)}, 0.3, 0.7, FluoroGroup::kHeart));
  }
}

void add_screws(Tubes& out, const FluoroSurroundings& s, Rng& rng) {
  for (const double side : {-1.0, 1.0}) {
    const double x = s.spine_x_mm + side * rng.uniform(9.0, 13.0);
    FluoroCurve rod;
    for (double y = -s.half_mm * 0.6; y < s.half_mm * 1.4; y += 2.0) rod.push_back({x, y});
    out.push_back(
        tube(rod, 2.7, 0.20, FluoroGroup::kStatic));  // titanium, part of the beam hardens
    for (double y = -s.half_mm * 0.5; y < s.half_mm * 1.3; y += 28.0) {
      const FluoroPoint head{x, y + rng.uniform(-2.0, 2.0)};
      out.push_back(
          tube({head, head - FluoroPoint{side * 9.0, -2.0}}, 2.4, 0.2, FluoroGroup::kStatic));
    }
  }
}

/// From above into the ventricle, ending in an electrode.
void add_pacemaker_lead(Tubes& out, const FluoroSurroundings& s, Rng& rng) {
  const FluoroPoint top{s.spine_x_mm + rng.uniform(-30.0, -5.0), -s.half_mm - 15.0};
  const FluoroPoint end =
      s.heart.centre + FluoroPoint{rng.uniform(0.0, 25.0), rng.uniform(5.0, 30.0)};
  const FluoroPoint bend = end + FluoroPoint{rng.uniform(-45.0, -20.0), rng.uniform(-5.0, 15.0)};
  const auto curve = bezier(top, top + FluoroPoint{0.0, 0.7 * (end.y - top.y)}, bend, end, 0.5);
  FluoroTube lead = tube(curve, rng.uniform(0.8, 1.1), 0.18, FluoroGroup::kHeart);
  out.push_back(lead);
  const auto n = static_cast<int64_t>(curve.size());
  for (const int64_t back : {int64_t{5}, int64_t{32}}) {
    if (n <= back) continue;
    const FluoroCurve part(curve.begin() + (n - back), curve.begin() + std::min(n, n - back + 6));
    out.push_back(tube(part, lead.radius_mm * 1.05, 0.9, FluoroGroup::kHeart));
  }
}

/// Zigzag struts on a cylinder along a stretch of a vessel, both walls seen.
void add_stent(Tubes& out, const std::vector<FluoroVessel>& vessels, Rng& rng) {
  const auto& vessel = vessels[rng.below(std::min<uint64_t>(vessels.size(), 8))];
  const auto n = static_cast<int64_t>(vessel.curve.size());
  const int64_t span = std::min<int64_t>(n - 1, 24 + static_cast<int64_t>(rng.below(20)));
  const auto first = static_cast<int64_t>(rng.below(static_cast<uint64_t>(n - span)));
  const double period = rng.uniform(2.5, 4.0);  // vertices of a zigzag
  for (int64_t wall = 0; wall < 6; ++wall) {
    FluoroCurve strut;
    for (int64_t i = first; i <= first + span; ++i) {
      const auto k = static_cast<size_t>(i);
      const double swing = 0.5 * std::asin(std::sin(2.0 * kPi * static_cast<double>(i) / period));
      const double around = 2.0 * kPi * static_cast<double>(wall) / 6.0 + swing;
      const double r = 1.05 * static_cast<double>(vessel.radius[k]);
      strut.push_back(vessel.curve[k] + (r * std::cos(around)) * normal_at(vessel.curve, k));
    }
    out.push_back(tube(strut, 0.05, 1.2, FluoroGroup::kHeart));
  }
}

/// A transoesophageal probe: a thick flexible shaft behind the heart, a denser head.
void add_toe_probe(Tubes& out, const FluoroSurroundings& s, Rng& rng) {
  const double x = s.spine_x_mm + rng.uniform(-15.0, 20.0);
  const FluoroPoint end{x + rng.uniform(-10.0, 15.0), rng.uniform(-0.5, 0.6) * s.half_mm};
  const auto shaft = bezier({x, -s.half_mm - 20.0},
                            {x, -0.5 * s.half_mm},
                            end + FluoroPoint{rng.uniform(-6.0, 6.0), -20.0},
                            end,
                            1.0);
  FluoroTube t = tube(shaft, 5.0, 0.10, FluoroGroup::kStatic);
  t.core_mm = 3.8;
  t.core_mu = 0.03;
  out.push_back(t);
  const double way = end_angle(shaft);
  const FluoroPoint tip = end + 26.0 * FluoroPoint{std::cos(way), std::sin(way)};
  out.push_back(tube({end, tip}, 5.8, 0.12, FluoroGroup::kStatic));
  out.push_back(
      tube({end + 0.3 * (tip - end), end + 0.8 * (tip - end)}, 3.5, 0.25, FluoroGroup::kStatic));
}

/// Flecks of calcium in the wall of a vessel.
void add_calcifications(Tubes& out, const std::vector<FluoroVessel>& vessels, Rng& rng) {
  const auto count = 3 + rng.below(10);
  for (uint64_t i = 0; i < count; ++i) {
    const auto& vessel = vessels[rng.below(std::min<uint64_t>(vessels.size(), 6))];
    const auto k = static_cast<size_t>(rng.below(vessel.curve.size() - 1));
    const auto end = std::min(vessel.curve.size() - 1, k + 1 + rng.below(8));
    FluoroCurve fleck;
    const double r = static_cast<double>(vessel.radius[k]) * (rng.uniform() < 0.5 ? -1.0 : 1.0);
    for (size_t j = k; j <= end; ++j) {
      fleck.push_back(vessel.curve[j] + r * normal_at(vessel.curve, j));
    }
    FluoroTube t = tube(fleck, rng.uniform(0.3, 0.8), rng.uniform(0.03, 0.10), FluoroGroup::kHeart);
    t.label = WireClass::kBackground;
    out.push_back(t);
  }
}

/// A soft-edged copper wedge over one side of the view.
void add_wedge(Tubes& out, double half, Rng& rng) {
  const double way = rng.uniform(-kPi, kPi), r = 3.0 * half;
  const FluoroPoint out_of{std::cos(way), std::sin(way)};
  const FluoroPoint centre = (rng.uniform(0.55, 0.95) * half + r) * out_of;
  FluoroTube t =
      tube({centre, centre + FluoroPoint{0.1, 0.0}}, r, rng.uniform(0.4, 1.0) / (2.0 * r), {});
  t.label = WireClass::kBackground;
  out.push_back(t);
}

}  // namespace

std::vector<FluoroTube> random_devices(const FluoroSurroundings& s, Rng& rng) {
  Tubes out;
  const auto chance = [&](double probability) { return rng.uniform() < probability * s.frequency; };
  const bool vessels = s.vessels != nullptr && !s.vessels->empty();
  if (chance(0.2)) add_wedge(out, s.half_mm, rng);
  if (chance(0.06)) add_toe_probe(out, s, rng);
  if (chance(0.04)) add_screws(out, s, rng);
  if (chance(0.12)) add_sternal_wires(out, s, rng);
  if (chance(0.35)) {
    const auto leads = 1 + rng.below(3);
    for (uint64_t i = 0; i < leads; ++i) add_ecg_lead(out, s.half_mm, rng);
  }
  if (chance(0.12)) add_pacemaker_lead(out, s, rng);
  if (chance(0.12)) add_clips(out, s.half_mm, rng);
  if (vessels && chance(0.15)) add_stent(out, *s.vessels, rng);
  if (vessels && chance(0.2)) add_calcifications(out, *s.vessels, rng);
  return out;
}

std::vector<FluoroTube> make_catheter(const FluoroCurve& curve, double outer, Rng& rng) {
  Tubes out;
  FluoroTube wall = tube(curve, outer, rng.uniform(0.1, 0.3), FluoroGroup::kHeart);
  wall.core_mm = outer - rng.uniform(0.15, 0.3);
  wall.label = WireClass::kCatheter;
  const auto lean = random_walk(curve.size(), 80.0, rng);
  for (const double z : lean) {
    wall.gains.push_back(static_cast<float>(std::min(1.6, std::sqrt(1.0 + 0.2 * z * z))));
  }
  out.push_back(wall);
  const auto marker = std::min<int64_t>(2, static_cast<int64_t>(curve.size()));
  FluoroTube band = tube({curve.end() - marker, curve.end()}, outer, 5.0, FluoroGroup::kHeart);
  band.core_mm = outer - 0.04;
  band.label = WireClass::kCatheter;
  out.push_back(band);
  return out;
}

}  // namespace voxloom::dataset
