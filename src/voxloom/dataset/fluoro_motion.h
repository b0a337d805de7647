#pragma once

#include "voxloom/dataset/fluoro_curve.h"
#include "voxloom/dataset/fluoro_parameters.h"

namespace voxloom::dataset {

/// Where the heart lies at rest; mm of the scene.
struct FluoroHeart {
  FluoroPoint centre;
  double long_mm = 60.0, short_mm = 45.0;
  double axis = 0.7;  ///< Angle of the long axis from base to apex, radians.
};

/// What a thing moves with.
enum class FluoroGroup { kStatic, kWall, kHeart };

/// Breathing (cos^4, longer at expiration) and heart beat (systole 35 % of the cycle) as
/// displacements of the scene.
class FluoroMotion {
 public:
  FluoroMotion(const FluoroParameters& parameters, const FluoroHeart& heart);

  /// Downward shift of the diaphragm, mm: 0 at expiration.
  [[nodiscard]] double diaphragm(double time_s) const;
  /// 0 relaxed ... 1 end of systole.
  [[nodiscard]] double contraction(double time_s) const;
  /// Where a point of the rest position is at that time.
  [[nodiscard]] FluoroPoint place(FluoroPoint rest, FluoroGroup group, double time_s) const;
  /// Shift of the chest wall, mm.
  [[nodiscard]] FluoroPoint wall(double time_s) const;
  /// Length of the pulse: the drawn one, shortened where the heart would blur by over 6 px.
  [[nodiscard]] double pulse_s() const { return pulse_s_; }
  [[nodiscard]] const FluoroHeart& heart() const { return heart_; }

 private:
  FluoroParameters p_;
  FluoroHeart heart_;
  double pulse_s_;
};

}  // namespace voxloom::dataset
