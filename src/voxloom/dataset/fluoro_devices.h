#pragma once

#include <vector>

#include "voxloom/dataset/fluoro_motion.h"
#include "voxloom/dataset/fluoro_tube.h"
#include "voxloom/dataset/fluoro_vessels.h"
#include "voxloom/dataset/sample.h"

namespace voxloom::dataset {

/// A round thing in the scene: curve in mm at rest, attenuation beyond the tissue it displaces.
struct FluoroTube {
  FluoroCurve curve;
  double radius_mm = 0.5, mu = 0.1;
  double core_mm = 0.0, core_mu = 0.0;
  std::vector<float> scales, gains;  ///< At every vertex; empty: ones.
  FluoroGroup group = FluoroGroup::kStatic;
  WireClass label = WireClass::kOtherDevice;
};

/// What random_devices() has to know of the scene.
struct FluoroSurroundings {
  double half_mm = 40.0;  ///< Half the width of the view.
  double spine_x_mm = 0.0;
  FluoroHeart heart;
  const std::vector<FluoroVessel>* vessels = nullptr;
  double frequency = 1.0;  ///< Factor on every probability.
};

/// ECG leads, sternal wires, clips, screws, a pacemaker lead, a stent, a TOE probe, calcifications
/// and a wedge filter: each there by chance.
[[nodiscard]] std::vector<FluoroTube> random_devices(const FluoroSurroundings& scene, Rng& rng);

/// A catheter (wall of polymer and braid) with its tip marker. The curve ends at the tip.
[[nodiscard]] std::vector<FluoroTube> make_catheter(const FluoroCurve& curve,
                                                    double outer_radius_mm,
                                                    Rng& rng);

}  // namespace voxloom::dataset
