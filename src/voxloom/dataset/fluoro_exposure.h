#pragma once

#include <vector>

#include "voxloom/dataset/fluoro_scene.h"

namespace voxloom::dataset {

/// Transmission through thin moving things, averaged over the X-ray pulse, which is how their
/// motion blurs. Sparse: only touched pixels cost anything.
class FluoroTransmission {
 public:
  explicit FluoroTransmission(int64_t size) : factor_(size, size, 1.0F), depth_(size, size) {}

  void clear();
  void add(const std::vector<FluoroTubePainter::Hit>& hits);
  /// Ends one of `moments` moments of the pulse.
  void end_moment(int moments);

  [[nodiscard]] const FluoroPlane& factor() const { return factor_; }
  [[nodiscard]] bool empty() const { return ever_.empty(); }

 private:
  FluoroPlane factor_, depth_;
  std::vector<int64_t> now_, ever_;
};

/// Labels of one frame; a later stamp wins only with a class of higher rank.
struct FluoroLabels {
  std::vector<uint8_t> mask, instance;
  void clear(int64_t pixels);
  void stamp(const std::vector<FluoroTubePainter::Hit>& hits,
             WireClass label,
             uint8_t id,
             float least_depth = -1.0F);
};

/// The axis of a wire in pixels at the middle of the pulse.
struct FluoroAxis {
  uint8_t instance = 0;
  FluoroCurve points;
};

/// Paints devices, vessels and wires of a scene at one time.
class FluoroExposure {
 public:
  FluoroExposure(const FluoroScene& scene, const FluoroParameters& parameters, int64_t size);

  void render(double time_s);

  FluoroTransmission devices, wires;
  FluoroLabels labels;
  std::vector<FluoroAxis> axes;
  /// Optical depth of what never moves; add it to the anatomy once.
  FluoroPlane fixed_depth;

 private:
  struct Prepared {
    const FluoroTube* tube;
    FluoroTubeProfile profile;
    uint8_t instance;
  };
  [[nodiscard]] FluoroStroke place(const FluoroCurve& curve,
                                   FluoroGroup group,
                                   double time_s) const;
  [[nodiscard]] int moments(double time_s) const;
  void paint_devices(double time_s, bool label);
  void paint_vessels(double time_s, bool label);
  void paint_wires(double time_s, bool label);

  const FluoroScene& scene_;
  FluoroParameters p_;
  FluoroPoint origin_;
  FluoroTubePainter painter_;
  std::vector<Prepared> prepared_;
  std::vector<FluoroTubeProfile> vessel_profiles_;
  FluoroTubeProfile wire_profile_;
  FluoroLabels fixed_labels_;
};

}  // namespace voxloom::dataset
