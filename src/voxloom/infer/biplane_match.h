#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "voxloom/infer/biplane_geometry.h"

namespace voxloom::infer {

/// A centre line of one view.
struct ViewCurve {
  std::vector<Point2> points;  ///< Base first, tip last.
  std::vector<uint8_t> seen;   ///< [points] 0 where the line was bridged: no evidence.
};

/// Points of both curves that show one place of the wire.
struct CurvePair {
  size_t a = 0, b = 0;
};

struct CurveMatch {
  std::vector<CurvePair> pairs;  ///< Rising in a and in b.
  double cost = 0.0;  ///< Mean over the points of both curves; about 0.5 for a true match.
};

/// Which point of one curve is which of the other, by dynamic programming over both: pairs keep the
/// order along the wire, have to lie on each other's epipolar lines, and points without a partner
/// are left out, in the middle (missing in one view) as well as at the ends (outside one field of
/// view). Where a curve runs along the epipolar lines any pair would do; there both are walked
/// evenly. `sigma_px`: how far a true pair may lie from its epipolar line. Curves are thinned to at
/// most 400 points for this. Empty where nothing fits, and for curves of fewer than 2 points.
[[nodiscard]] CurveMatch match_curves(const BiplaneRig& rig,
                                      const ViewCurve& a,
                                      const ViewCurve& b,
                                      double sigma_px);

}  // namespace voxloom::infer
