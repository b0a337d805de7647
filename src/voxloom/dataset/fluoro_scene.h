#pragma once

#include <memory>
#include <vector>

#include "voxloom/dataset/fluoro_anatomy.h"
#include "voxloom/dataset/fluoro_devices.h"
#include "voxloom/dataset/fluoro_wire.h"

namespace voxloom::dataset {

/// Everything in front of the detector in one sequence, at rest; mm.
struct FluoroScene {
  std::unique_ptr<FluoroMotion> motion;
  std::unique_ptr<FluoroAnatomy> anatomy;
  std::vector<FluoroVessel> vessels;
  std::vector<FluoroTube> devices;  ///< The catheter among them.
  std::vector<FluoroWire> wires;
};

[[nodiscard]] FluoroScene make_scene(const FluoroParameters& parameters,
                                     const FluoroOptions& options,
                                     Rng& rng);

/// Concentration of contrast agent, 0 ... 1, `distance_mm` down the tree: a gamma variate that
/// arrives with the blood.
[[nodiscard]] double contrast_filling(const FluoroParameters& parameters,
                                      double distance_mm,
                                      double time_s);

}  // namespace voxloom::dataset
