#include "voxloom/dataset/fluoro_motion.h"

#include <algorithm>
#include <cmath>

#include "voxloom/dataset/fluoro_math.h"

namespace voxloom::dataset {
namespace {

constexpr double kSystole = 0.35, kRelaxation = 0.30;  // shares of the cycle
constexpr double kHeartBreathing = 0.35;               // of the diaphragm's excursion
constexpr double kWallBreathing = 0.12;

}  // namespace

FluoroMotion::FluoroMotion(const FluoroParameters& parameters, const FluoroHeart& heart)
    : p_(parameters), heart_(heart), pulse_s_(parameters.pulse_s) {
  // The fastest moment of a raised cosine.
  const double fastest = 0.5 * kPi * p_.coronary_mm / (kRelaxation * 60.0 / p_.heart_per_minute);
  pulse_s_ = std::min(pulse_s_, 6.0 * p_.pixel_mm / fastest);
}

double FluoroMotion::diaphragm(double time_s) const {
  const double c = std::cos(kPi * (p_.breathing_hz * time_s + p_.breathing_phase));
  return p_.diaphragm_mm * c * c * c * c;
}

double FluoroMotion::contraction(double time_s) const {
  const double cycles = p_.heart_per_minute / 60.0 * time_s + p_.heart_phase;
  const double phase = cycles - std::floor(cycles);
  if (phase < kSystole) return 0.5 - 0.5 * std::cos(kPi * phase / kSystole);
  if (phase < kSystole + kRelaxation) {
    return 0.5 + 0.5 * std::cos(kPi * (phase - kSystole) / kRelaxation);
  }
  return 0.0;
}

FluoroPoint FluoroMotion::wall(double time_s) const {
  const double b = kWallBreathing * diaphragm(time_s);
  return {0.2 * b, -b};  // ribs rise while the diaphragm sinks
}

FluoroPoint FluoroMotion::place(FluoroPoint rest, FluoroGroup group, double time_s) const {
  if (group == FluoroGroup::kStatic) return rest;
  if (group == FluoroGroup::kWall) return rest + wall(time_s);
  const FluoroPoint d = rest - heart_.centre;
  const FluoroPoint apex{std::cos(heart_.axis), std::sin(heart_.axis)};
  const double along = (d.x * apex.x + d.y * apex.y) / heart_.long_mm;
  const double across = (d.x * apex.y - d.y * apex.x) / heart_.short_mm;
  const double radius = std::sqrt(along * along + across * across);
  const double inside = 1.0 - smooth_step(0.9, 1.7, radius);
  // The base swings towards the apex; walls come together; the root of the aorta moves least.
  const double swing = inside * (0.35 + 0.65 * smooth_step(-1.1, 0.3, along));
  const double h = contraction(time_s) * p_.coronary_mm * swing;
  const FluoroPoint inward = (-1.0 / heart_.long_mm) * d;
  const FluoroPoint beat = h * (0.55 * apex + 0.75 * inward);
  const FluoroPoint breath{0.0, kHeartBreathing * inside * diaphragm(time_s)};
  return rest + beat + breath;
}

}  // namespace voxloom::dataset
