#include "voxloom/dataset/fluoro_wire.h"

#include <algorithm>
#include <cmath>

#include "voxloom/dataset/fluoro_math.h"

namespace voxloom::dataset {
namespace {

constexpr double kStepMm = 0.5;
constexpr double kEntrySpeed = 40.0;  // mm/s

}  // namespace

double FluoroTimeline::at(double time_s) const {
  const auto after = std::find_if(
      nodes_.begin(), nodes_.end(), [&](const FluoroPoint& n) { return n.x > time_s; });
  if (after == nodes_.begin()) return nodes_.empty() ? 0.0 : nodes_.front().y;
  if (after == nodes_.end()) return nodes_.back().y;
  const FluoroPoint a = *(after - 1), b = *after;
  return a.y + (b.y - a.y) * (time_s - a.x) / (b.x - a.x);
}

FluoroWire::FluoroWire(const FluoroParameters& parameters,
                       const FluoroRoute& route,
                       double duration_s,
                       Rng& rng)
    : p_(parameters) {
  // The wire lies anywhere in the lumen, but is too stiff for sharp turns.
  FluoroCurve curve = route.curve;
  const auto offset = random_walk(curve.size(), 30.0, rng);
  for (size_t i = 0; i < curve.size(); ++i) {
    const double room = std::max(0.0, static_cast<double>(route.lumen[i]) - 0.5 * p_.wire_mm);
    const double aside = room * std::clamp(0.6 * offset[i], -0.9, 0.9);
    curve[i] = route.curve[i] + aside * normal_at(route.curve, i);
  }
  path_ = resample(smooth(curve, 5.0), kStepMm);
  length_mm_ = kStepMm * static_cast<double>(path_.size() - 1);
  const auto lean = random_walk(path_.size(), 60.0, rng);
  for (const double z : lean) {
    lean_.push_back(static_cast<float>(std::min(1.8, std::sqrt(1.0 + 0.25 * z * z))));
  }
  bend_ = rng.uniform() < 0.5 ? 1.0 : -1.0;

  const double least = route.catheter_mm > 0.0
                           ? std::min(route.catheter_mm + 12.0, 0.9 * length_mm_)
                           : 0.3 * length_mm_;
  const double most = route.catheter_mm > 0.0 ? length_mm_ : 0.85 * length_mm_;
  start_mm_ = least + (most - least) * rng.uniform(0.2, 0.9);
  double time = 0.0, at = start_mm_, turn = rng.uniform(-kPi, kPi);
  insertion_.add(time, at);
  rotation_.add(time, turn);
  while (time < duration_s) {
    const double moving = rng.uniform(0.3, 1.5), speed = rng.uniform(5.0, 40.0);
    const double way = rng.uniform() < 0.6 ? 1.0 : -1.0;
    const double goal = std::clamp(at + way * speed * moving, least, most);
    // A stop at the end of the route comes early rather than slowly.
    const double needed = std::max(0.05, std::abs(goal - at) / speed);
    time += needed;
    at = goal;
    if (rng.uniform() < 0.4) turn += rng.uniform(-4.0, 4.0) * needed;
    insertion_.add(time, at);
    rotation_.add(time, turn);
    time += rng.uniform(0.1, 0.3);
    insertion_.add(time, at);
    rotation_.add(time, turn);
  }
}

double FluoroWire::inserted_mm(double time_s) const {
  const double late = time_s - p_.absent_until_s;
  if (p_.absent_until_s <= 0.0) return insertion_.at(time_s);
  return std::min(insertion_.at(late), entry_mm_ + kEntrySpeed * late);
}

FluoroPoint FluoroWire::first_tip() const {
  return path_[std::min(path_.size() - 1, static_cast<size_t>(start_mm_ / kStepMm))];
}

void FluoroWire::set_view(double half_mm) {
  const auto inside = std::find_if(path_.begin(), path_.end(), [half_mm](const FluoroPoint& q) {
    return std::abs(q.x) < half_mm && std::abs(q.y) < half_mm;
  });
  entry_mm_ = kStepMm * static_cast<double>(inside - path_.begin());
}

void FluoroWire::shift(FluoroPoint by) {
  for (auto& q : path_) q = q + by;
}

void FluoroWire::shape(double time_s, FluoroCurve& axis, std::vector<float>& gains) const {
  const double inserted = std::clamp(inserted_mm(time_s), 2.0 * p_.j_mm, length_mm_);
  const double straight = inserted - p_.j_mm;
  const auto whole = static_cast<size_t>(straight / kStepMm);
  axis.assign(path_.begin(), path_.begin() + static_cast<int64_t>(whole) + 1);
  const double rest = straight / kStepMm - static_cast<double>(whole);
  if (rest > 1e-6 && whole + 1 < path_.size()) {
    axis.push_back(path_[whole] + rest * (path_[whole + 1] - path_[whole]));
  }
  // Turned about its axis, the J is seen from the side or on edge.
  const double curvature = bend_ * std::cos(rotation_.at(time_s)) / p_.j_radius_mm;
  const FluoroPoint d = axis.back() - axis[axis.size() >= 5 ? axis.size() - 5 : 0];
  double angle = std::atan2(d.y, d.x);
  const int steps = static_cast<int>(std::ceil(p_.j_mm / (0.5 * kStepMm)));
  const double step = p_.j_mm / steps;
  for (int i = 0; i < steps; ++i) {
    angle += curvature * step * std::min(1.0, (i + 1.0) / 4.0);
    axis.push_back(axis.back() + step * FluoroPoint{std::cos(angle), std::sin(angle)});
  }
  const auto arc = arc_lengths(axis);
  gains.resize(axis.size());
  for (size_t i = 0; i < axis.size(); ++i) {
    const double from_tip = arc.back() - arc[i];
    const double tip = 1.0 - smooth_step(p_.tip_mm - 1.0, p_.tip_mm + 1.0, from_tip);
    const auto k = std::min(lean_.size() - 1, static_cast<size_t>(arc[i] / kStepMm));
    gains[i] = lean_[k] * static_cast<float>(1.0 + (p_.tip_gain - 1.0) * tip);
  }
}

}  // namespace voxloom::dataset
