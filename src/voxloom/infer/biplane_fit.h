#pragma once

#include <vector>

#include "voxloom/infer/banded_system.h"
#include "voxloom/infer/biplane_curve.h"

namespace voxloom::infer {

/// A seen point of one view and where on the curve it belongs.
struct CurveObservation {
  size_t view = 0;
  Point2 pixel{};
  double u = 0.0;       ///< Parameter of the curve.
  double weight = 1.0;  ///< Independent observations that it stands for.
  bool pinned = false;  ///< An end of the wire: belongs to this u and no other.
};

/// Moves the curve until its projections lie on the observations, and the observations along the
/// curve to their nearest places. Returns the factored normal matrix, whose unknowns are the
/// coefficients, (x, y, z) each.
[[nodiscard]] BandedSystem fit_to_views(const BiplaneRig& rig,
                                        const BiplaneOptions& options,
                                        std::vector<CurveObservation>& observations,
                                        CubicSpline<3>& curve);

/// Standard deviation of the curve at u, mm: across it, or in every direction.
enum class Spread { kAcross, kAll };
[[nodiscard]] double curve_std_mm(const CubicSpline<3>& curve,
                                  const BandedSystem& normal,
                                  double u,
                                  Spread spread);

}  // namespace voxloom::infer
