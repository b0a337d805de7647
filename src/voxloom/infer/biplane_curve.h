#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "voxloom/core/options.h"
#include "voxloom/infer/biplane_geometry.h"
#include "voxloom/infer/biplane_match.h"
#include "voxloom/infer/cubic_spline.h"

namespace voxloom::infer {

/// How a wire is put together from two views.
struct BiplaneOptions {
  double sigma_px = 1.0;         ///< Expected error of a centre line and of the calibration.
  double knot_mm = 4.0;          ///< Between the knots of the curve.
  double bend_radius_mm = 20.0;  ///< Typical radius of a wire; tighter bends need evidence.

  void visit(OptionList& list);
  void validate() const;
};

/// Distance of the seen points of a view to the projected curve, px.
struct Reprojection {
  double rms_px = 0.0, median_px = 0.0, max_px = 0.0;
  size_t points = 0;
};

/// A wire in space, base first; mm, LPS.
struct BiplaneCurve {
  bool found = false;
  std::string reason;            ///< Why not found; else empty.
  CubicSpline<3> spline;         ///< Over its length, nearly.
  std::vector<Vec3> points;      ///< About 1 mm apart.
  std::vector<double> std_mm;    ///< [points] Expected error across the curve.
  std::vector<uint8_t> seen_in;  ///< [points] 1: view A, 2: view B, 3: both, 0: neither.
  std::optional<Vec3> tip;       ///< Absent unless both views show it.
  double tip_std_mm = 0.0;
  std::string tip_reason;  ///< Why there is no tip; else empty.
  double length_mm = 0.0;
  double min_curvature_radius_mm = 0.0;
  std::array<Reprojection, 2> reprojection;
  std::array<double, 2> used{};  ///< Share of each centre line that has a partner range.
  bool reversed = false;         ///< The views disagree which end is the tip.
  double epipolar_px = 0.0;      ///< Root mean square mismatch of the matched points.
};

/// Matches both centre lines, triangulates the pairs and fits one curve in space to all seen points
/// of both views: least squares of the distances in the images with a prior on bending, so that
/// where the wire runs along the epipolar lines, or one view has a gap, the other view and
/// smoothness decide. `std_mm` says where that is. Points that agree with nothing lose their
/// weight.
[[nodiscard]] BiplaneCurve reconstruct_curve(const BiplaneRig& rig,
                                             const ViewCurve& a,
                                             const ViewCurve& b,
                                             const BiplaneOptions& options);

}  // namespace voxloom::infer
