#include "voxloom/dataset/fluoro_parameters.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <nlohmann/json.hpp>

#include "voxloom/dataset/fluoro_math.h"

namespace voxloom::dataset {
namespace {

constexpr double kPhotonsPerMm2PerNgy = 30.0;  // 30,000 per mm^2 and uGy (RQA5)
constexpr std::array<const char*, 4> kFieldNames = {"full", "circle", "rounded", "collimated"};

bool chance(double probability, Rng& rng) {
  return rng.uniform() < probability;
}

/// A number in [0, 1) for sequence `index`: multiples of an irrational step cover the interval
/// evenly, so that small sets keep the share too. By chance for a negative index.
double evenly(int64_t index, double step, Rng& rng) {
  const double drawn = rng.uniform();
  if (index < 0) return drawn;
  const double at = (static_cast<double>(index) + 0.5) * step;
  return at - std::floor(at);
}

/// Whole sequences hold five sixths of the frames without a wire; in some others it enters late.
void choose_wire_presence(const FluoroOptions& o, int64_t sequence, FluoroParameters& p, Rng& rng) {
  const bool late_entries = o.without_wire <= 0.7;
  const double empty = late_entries ? o.without_wire * 5.0 / 6.0 : o.without_wire;
  const double late =
      late_entries ? std::min(1.0, 0.5 * o.without_wire / std::max(1e-9, 1.0 - empty)) : 0.0;
  const bool two = chance(0.1, rng);
  p.wires = evenly(sequence, 0.6180339887498949, rng) < empty ? 0 : two ? 2 : 1;
  const double duration = static_cast<double>(o.frames) / o.fps;
  const bool enters = evenly(sequence, 0.7548776662466927, rng) < late;
  p.absent_until_s = enters ? duration / 3.0 : 0.0;
}

void choose_display(const FluoroOptions& o, FluoroParameters& p, Rng& rng) {
  p.log_display = chance(0.7, rng);
  p.gamma = std::exp(rng.uniform(std::log(0.6), std::log(1.6)));
  p.inverted = chance(0.05, rng);
  p.sharpening = chance(0.5, rng) ? rng.uniform(0.0, 1.0) : 0.0;
  p.recursive = chance(0.6, rng) ? rng.uniform(0.0, 0.5) : 0.0;
  // Vendors flatten the picture so that lung and spine are shown in one window.
  p.equalisation = chance(0.8, rng) ? rng.uniform(0.15, 0.6) : 0.0;
  if (!p.log_display) p.equalisation = std::max(0.4, p.equalisation);
  const double field = rng.uniform();
  p.field = field < 0.5    ? FluoroField::kFull
            : field < 0.65 ? FluoroField::kCircle
            : field < 0.8  ? FluoroField::kRounded
                           : FluoroField::kCollimated;
  if (o.plain_display) {
    p.log_display = true;
    p.gamma = 1.0;
    p.inverted = false;
    p.sharpening = p.recursive = 0.0;
    p.equalisation = 0.45;
    p.field = FluoroField::kFull;
  }
}

}  // namespace

double FluoroParameters::system_sigma_px() const {
  return std::sqrt(focal_sigma_px * focal_sigma_px + detector_sigma_px * detector_sigma_px);
}

FluoroParameters sample_fluoro_parameters(const FluoroOptions& o, int64_t sequence, Rng& rng) {
  FluoroParameters p;
  const FluoroDose dose = parse_fluoro_dose(o.dose_ngy);
  const double drawn = std::exp(rng.uniform(std::log(dose.lo), std::log(dose.hi)));
  const auto entry = sequence >= 0 ? static_cast<uint64_t>(sequence) : rng.below(1U << 20);
  p.dose_ngy = dose.list.empty() ? drawn : dose.list[entry % dose.list.size()];
  p.detector_pixel_mm = rng.uniform(0.15, 0.31);
  p.magnification = rng.uniform(1.2, 1.5);
  p.pixel_mm = p.detector_pixel_mm / p.magnification;
  p.photons = p.dose_ngy * kPhotonsPerMm2PerNgy * p.detector_pixel_mm * p.detector_pixel_mm;
  p.pulse_s = rng.uniform(0.005, 0.010);
  p.scatter_ratio = rng.uniform(0.5, 2.0);
  p.scatter_sigma_px = rng.uniform(40.0, 80.0);
  p.focal_sigma_px = rng.uniform(0.3, 1.0);
  p.detector_sigma_px = rng.uniform(0.4, 0.7);
  p.painted_sigma_px = kFluoroPaintedShare * p.system_sigma_px();
  p.dqe = rng.uniform(0.6, 0.75);
  p.read_noise = rng.uniform(0.5, 2.0);
  p.lag = rng.uniform(0.02, 0.1);
  p.noise_correlation_px = chance(0.5, rng) ? rng.uniform(0.0, 1.0) : 0.0;
  choose_display(o, p, rng);
  p.chest_mm = rng.uniform(160.0, 260.0);
  p.breathing_hz = rng.uniform(0.2, 0.33);
  p.diaphragm_mm = rng.uniform(10.0, 20.0);
  p.breathing_phase = rng.uniform();
  p.heart_per_minute = rng.uniform(60.0, 100.0);
  p.coronary_mm = rng.uniform(4.0, 15.0);
  p.heart_phase = rng.uniform();
  p.rib_period_mm = rng.uniform(20.0, 30.0);
  p.rib_tilt = rng.uniform(10.0, 30.0) * kPi / 180.0;
  p.contrast = chance(0.35, rng);
  p.iodine_mu = 0.758 * rng.uniform(0.15, 0.37);
  p.bolus_s = rng.uniform(1.0, 2.0);
  p.bolus_start_s = rng.uniform(-0.5, 0.8 * static_cast<double>(o.frames) / o.fps);
  const double kind = rng.uniform();
  p.wire_mm = kind < 0.6 ? 0.356 : kind < 0.75 ? 0.457 : 0.889;
  if (o.wire_mm > 0.0) p.wire_mm = o.wire_mm;
  // A 0.035" wire leads catheters through large vessels: seen without one around it.
  p.catheter = p.wire_mm < 0.8 && chance(0.85, rng);
  p.wire_mu = chance(0.6, rng) ? FluoroMu::kSteel : FluoroMu::kNitinol;
  p.tip_mm = rng.uniform(20.0, 40.0);
  p.tip_gain = rng.uniform(2.0, 3.0);
  p.j_mm = rng.uniform(3.0, 5.0);
  p.j_radius_mm = rng.uniform(2.0, 4.0);
  choose_wire_presence(o, sequence, p, rng);
  return p;
}

nlohmann::ordered_json to_json(const FluoroParameters& p) {
  return {{"dose_ngy", p.dose_ngy},
          {"detector_pixel_mm", p.detector_pixel_mm},
          {"magnification", p.magnification},
          {"pixel_mm", p.pixel_mm},
          {"photons_per_pixel", p.photons},
          {"pulse_s", p.pulse_s},
          {"scatter_ratio", p.scatter_ratio},
          {"scatter_sigma_px", p.scatter_sigma_px},
          {"focal_sigma_px", p.focal_sigma_px},
          {"detector_sigma_px", p.detector_sigma_px},
          {"dqe", p.dqe},
          {"read_noise_photons", p.read_noise},
          {"lag", p.lag},
          {"fixed_pattern", p.fixed_pattern},
          {"noise_correlation_px", p.noise_correlation_px},
          {"display", p.log_display ? "log" : "linear"},
          {"gamma", p.gamma},
          {"inverted", p.inverted},
          {"sharpening", p.sharpening},
          {"recursive", p.recursive},
          {"equalisation", p.equalisation},
          {"field", kFieldNames[static_cast<size_t>(p.field)]},
          {"chest_mm", p.chest_mm},
          {"breathing_hz", p.breathing_hz},
          {"diaphragm_mm", p.diaphragm_mm},
          {"heart_per_minute", p.heart_per_minute},
          {"coronary_mm", p.coronary_mm},
          {"rib_period_mm", p.rib_period_mm},
          {"rib_tilt_degrees", p.rib_tilt * 180.0 / kPi},
          {"contrast", p.contrast},
          {"iodine_mu_per_mm", p.iodine_mu},
          {"bolus_s", p.bolus_s},
          {"bolus_start_s", p.bolus_start_s},
          {"wires", p.wires},
          {"catheter", p.catheter},
          {"wire_mm", p.wire_mm},
          {"wire_mu_per_mm", p.wire_mu},
          {"tip_mm", p.tip_mm},
          {"tip_gain", p.tip_gain},
          {"j_mm", p.j_mm},
          {"j_radius_mm", p.j_radius_mm},
          {"absent_until_s", p.absent_until_s}};
}

}  // namespace voxloom::dataset
