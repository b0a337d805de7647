#pragma once

#include <cstdint>

#include <nlohmann/json_fwd.hpp>

#include "voxloom/core/random.h"
#include "voxloom/dataset/fluoro_options.h"

namespace voxloom::dataset {

/// Linear attenuation at 60 keV, 1/mm (guidewire.md 11.2; 1/cm there).
struct FluoroMu {
  static constexpr double kWater = 0.0206, kBone = 0.060, kLung = 0.005, kSteel = 0.95,
                          kNitinol = 0.76, kPlatinum = 9.0, kTungsten = 7.2;
  static constexpr double kTrabecular = 0.029;  ///< Marrow with trabeculae.
};

/// Share of the system blur (as standard deviation) that thin things are painted with.
inline constexpr double kFluoroPaintedShare = 0.9;

enum class FluoroField { kFull, kCircle, kRounded, kCollimated };

/// The numbers of one sequence. Lengths in mm of the object plane unless they end in _px.
struct FluoroParameters {
  // Exposure.
  double dose_ngy = 20.0;          ///< At the detector, per frame.
  double detector_pixel_mm = 0.2;  ///< 0.15-0.31
  double magnification = 1.3;      ///< 1.2-1.5
  double pixel_mm = 0.154;         ///< In the object plane.
  double photons = 24.0;           ///< Mean per pixel behind the patient.
  double pulse_s = 0.007;          ///< 5-10 ms
  double scatter_ratio = 1.0;      ///< SPR 0.5-2
  double scatter_sigma_px = 60.0;  ///< 40-80
  double focal_sigma_px = 0.6;     ///< 0.3-1
  double detector_sigma_px = 0.5;  ///< 0.4-0.7
  // Detector.
  double dqe = 0.7;                   ///< 0.6-0.75
  double read_noise = 1.5;            ///< Standard deviation, photons.
  double lag = 0.05;                  ///< 0.02-0.1
  double fixed_pattern = 0.005;       ///< Relative gain and offset that calibration left.
  double noise_correlation_px = 0.0;  ///< 0-1
  // Display.
  bool log_display = true;
  double gamma = 1.0;         ///< 0.6-1.6
  bool inverted = false;      ///< 5 %
  double sharpening = 0.0;    ///< Unsharp amount 0-1
  double recursive = 0.0;     ///< 0-0.5
  double equalisation = 0.0;  ///< Share of slow brightness changes taken out, 0-0.6
  FluoroField field = FluoroField::kFull;
  // Anatomy and motion.
  double chest_mm = 200.0;     ///< 160-260, water equivalent.
  double breathing_hz = 0.25;  ///< 0.2-0.33
  double diaphragm_mm = 15.0;  ///< 10-20
  double breathing_phase = 0.0;
  double heart_per_minute = 70.0;  ///< 60-100
  double coronary_mm = 8.0;        ///< 4-15
  double heart_phase = 0.0;
  double rib_period_mm = 25.0;  ///< 20-30
  double rib_tilt = 0.35;       ///< 10-30 degrees, radians.
  // Contrast agent.
  bool contrast = false;
  double iodine_mu = 0.2;  ///< 1/mm: 0.11-0.28 (150-370 mg/ml)
  double bolus_s = 1.5;    ///< 1-2
  double bolus_start_s = 0.5;
  // Wire.
  int wires = 1;
  bool catheter = true;  ///< The wire comes out of a guiding catheter in a vessel.
  double wire_mm = 0.356;
  double wire_mu = FluoroMu::kSteel;
  double tip_mm = 30.0;   ///< Radiopaque length, 20-40
  double tip_gain = 2.5;  ///< Attenuation over the shaft's, 2-3
  double j_mm = 4.0, j_radius_mm = 3.0;
  double absent_until_s = 0.0;  ///< The wire enters at this time.

  /// Part of the system's blur that wires and devices are painted with; see FluoroTubeProfile.
  double painted_sigma_px = 0.0;

  [[nodiscard]] double system_sigma_px() const;  ///< Focal and detector blur together.
};

/// Draws every number within the ranges of guidewire.md 11.2-11.4. `sequence` numbers the sequences
/// of a set: doses of a list in turn, an even share without wire; -1: both by chance.
[[nodiscard]] FluoroParameters sample_fluoro_parameters(const FluoroOptions& options,
                                                        int64_t sequence,
                                                        Rng& rng);

[[nodiscard]] nlohmann::ordered_json to_json(const FluoroParameters& parameters);

}  // namespace voxloom::dataset
