#include "voxloom/dataset/fluoro_exposure.h"

#include <algorithm>
#include <cmath>

#include "voxloom/dataset/fluoro_math.h"

namespace voxloom::dataset {
namespace {

constexpr float kLeastVesselDepth = 0.03F;
constexpr double kMomentPx = 0.8;  // motion between two moments of a pulse
constexpr int kMostMoments = 9;

int rank(uint8_t label) {
  switch (static_cast<WireClass>(label)) {
    case WireClass::kGuidewire:
      return 4;
    case WireClass::kCatheter:
      return 3;
    case WireClass::kOtherDevice:
      return 2;
    case WireClass::kVessel:
      return 1;
    default:
      return 0;
  }
}

}  // namespace

void FluoroTransmission::clear() {
  for (const int64_t p : ever_) factor_.values[static_cast<size_t>(p)] = 1.0F;
  ever_.clear();
}

void FluoroTransmission::add(const std::vector<FluoroTubePainter::Hit>& hits) {
  for (const auto& hit : hits) {
    float& depth = depth_.values[static_cast<size_t>(hit.pixel)];
    if (depth == 0.0F) now_.push_back(hit.pixel);
    depth += hit.depth;
  }
}

void FluoroTransmission::end_moment(int moments) {
  const float share = 1.0F / static_cast<float>(moments);
  for (const int64_t p : now_) {
    float& depth = depth_.values[static_cast<size_t>(p)];
    if (depth == 0.0F) continue;  // listed twice
    factor_.values[static_cast<size_t>(p)] += share * (fast_exp(-depth) - 1.0F);
    depth = 0.0F;
    ever_.push_back(p);
  }
  now_.clear();
}

void FluoroLabels::clear(int64_t pixels) {
  mask.assign(static_cast<size_t>(pixels), 0);
  instance.assign(static_cast<size_t>(pixels), 0);
}

void FluoroLabels::stamp(const std::vector<FluoroTubePainter::Hit>& hits,
                         WireClass label,
                         uint8_t id,
                         float least_depth) {
  const auto value = static_cast<uint8_t>(label);
  const int own = rank(value);
  for (const auto& hit : hits) {
    if (!hit.inside || hit.depth <= least_depth) continue;
    auto& at = mask[static_cast<size_t>(hit.pixel)];
    if (own <= rank(at)) continue;
    at = value;
    instance[static_cast<size_t>(hit.pixel)] = id;
  }
}

FluoroExposure::FluoroExposure(const FluoroScene& scene,
                               const FluoroParameters& parameters,
                               int64_t size)
    : devices(size),
      wires(size),
      fixed_depth(size, size),
      scene_(scene),
      p_(parameters),
      origin_{0.5 * static_cast<double>(size - 1), 0.5 * static_cast<double>(size - 1)},
      painter_(size, size),
      wire_profile_({.radius = 0.5 * parameters.wire_mm / parameters.pixel_mm,
                     .mu = (parameters.wire_mu - FluoroMu::kWater) * parameters.pixel_mm,
                     .blur = parameters.painted_sigma_px}) {
  fixed_labels_.clear(size * size);
  auto id = static_cast<uint8_t>(scene.wires.size());
  for (const auto& tube : scene.devices) {
    id = static_cast<uint8_t>(std::min(254, id + 1));
    FluoroTubeProfile profile({.radius = tube.radius_mm / p_.pixel_mm,
                               .mu = tube.mu * p_.pixel_mm,
                               .core = tube.core_mm / p_.pixel_mm,
                               .core_mu = tube.core_mu * p_.pixel_mm,
                               .blur = p_.painted_sigma_px});
    if (tube.group != FluoroGroup::kStatic) {
      prepared_.push_back({&tube, std::move(profile), id});
      continue;
    }
    FluoroStroke stroke = place(tube.curve, tube.group, 0.0);
    stroke.gains = tube.gains;
    const auto& hits = painter_.paint(stroke, profile);
    for (const auto& hit : hits) fixed_depth.values[static_cast<size_t>(hit.pixel)] += hit.depth;
    if (tube.label != WireClass::kBackground) fixed_labels_.stamp(hits, tube.label, id);
  }
  for (const auto& vessel : scene.vessels) {
    vessel_profiles_.emplace_back(
        FluoroTubeProfile::Shape{.radius = static_cast<double>(vessel.radius.front()) / p_.pixel_mm,
                                 .mu = p_.iodine_mu * p_.pixel_mm,
                                 .blur = p_.painted_sigma_px});
  }
}

FluoroStroke FluoroExposure::place(const FluoroCurve& curve,
                                   FluoroGroup group,
                                   double time_s) const {
  FluoroStroke stroke;
  stroke.points.reserve(curve.size());
  for (const auto& q : curve) {
    stroke.points.push_back(origin_ + (1.0 / p_.pixel_mm) * scene_.motion->place(q, group, time_s));
  }
  return stroke;
}

int FluoroExposure::moments(double time_s) const {
  const double half = 0.5 * scene_.motion->pulse_s();
  const FluoroHeart& heart = scene_.motion->heart();
  const FluoroPoint probe = heart.centre + FluoroPoint{-0.5 * heart.short_mm, 0.4 * heart.short_mm};
  const FluoroPoint way = scene_.motion->place(probe, FluoroGroup::kHeart, time_s + half) -
                          scene_.motion->place(probe, FluoroGroup::kHeart, time_s - half);
  const int half_count = static_cast<int>(std::ceil(0.5 * length(way) / p_.pixel_mm / kMomentPx));
  return std::min(kMostMoments, 2 * half_count + 1);
}

void FluoroExposure::render(double time_s) {
  devices.clear();
  wires.clear();
  axes.clear();
  labels = fixed_labels_;
  const int count = moments(time_s);
  for (int k = 0; k < count; ++k) {
    const double at = time_s + scene_.motion->pulse_s() * ((k + 0.5) / count - 0.5);
    const bool middle = k == count / 2;
    paint_devices(at, middle);
    paint_vessels(at, middle);
    paint_wires(at, middle);
    devices.end_moment(count);
    wires.end_moment(count);
  }
}

void FluoroExposure::paint_devices(double time_s, bool label) {
  for (const auto& item : prepared_) {
    FluoroStroke stroke = place(item.tube->curve, item.tube->group, time_s);
    stroke.scales = item.tube->scales;
    stroke.gains = item.tube->gains;
    const auto& hits = painter_.paint(stroke, item.profile);
    devices.add(hits);
    if (label && item.tube->label != WireClass::kBackground) {
      labels.stamp(hits, item.tube->label, item.instance);
    }
  }
}

void FluoroExposure::paint_vessels(double time_s, bool label) {
  for (size_t v = 0; v < scene_.vessels.size(); ++v) {
    const auto& vessel = scene_.vessels[v];
    const double length_mm = 0.5 * static_cast<double>(vessel.curve.size());
    const double first = contrast_filling(p_, vessel.distance_mm, time_s);
    const double last = contrast_filling(p_, vessel.distance_mm + length_mm, time_s);
    if (std::max(first, last) < 0.01) continue;
    FluoroStroke stroke = place(vessel.curve, FluoroGroup::kHeart, time_s);
    const float front = vessel.radius.front();
    for (size_t i = 0; i < vessel.curve.size(); ++i) {
      const double distance = vessel.distance_mm + 0.5 * static_cast<double>(i);
      stroke.scales.push_back(vessel.radius[i] / front);
      stroke.gains.push_back(vessel.own[i] *
                             static_cast<float>(contrast_filling(p_, distance, time_s)));
    }
    const auto& hits = painter_.paint(stroke, vessel_profiles_[v]);
    devices.add(hits);
    if (label) labels.stamp(hits, WireClass::kVessel, 255, kLeastVesselDepth);
  }
}

void FluoroExposure::paint_wires(double time_s, bool label) {
  uint8_t id = 0;
  FluoroCurve axis;
  std::vector<float> gains;
  for (const auto& wire : scene_.wires) {
    ++id;
    if (!wire.present(time_s)) continue;
    wire.shape(time_s, axis, gains);
    FluoroStroke stroke = place(axis, FluoroGroup::kHeart, time_s);
    stroke.gains = gains;
    const auto& hits = painter_.paint(stroke, wire_profile_);
    wires.add(hits);
    if (!label) continue;
    labels.stamp(hits, WireClass::kGuidewire, id);
    axes.push_back({id, stroke.points});
  }
}

}  // namespace voxloom::dataset
