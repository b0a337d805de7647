#pragma once

#include <vector>

#include "voxloom/dataset/fluoro_curve.h"

namespace voxloom::dataset {

/// One vessel between two bifurcations.
struct FluoroVessel {
  FluoroCurve curve;          ///< Vertices every 0.5 mm.
  std::vector<float> radius;  ///< At every vertex, mm.
  std::vector<float> own;     ///< 0 inside the end of the parent ... 1 where it stands alone.
  double distance_mm = 0.0;   ///< Way of the blood from the root to the first vertex.
  int64_t parent = -1;
  bool leaf = true;
};

struct FluoroTreeOptions {
  double root_radius_mm = 1.8;
  double smallest_radius_mm = 0.5;
  double length_per_radius = 22.0;  ///< Mean length of a vessel over its radius.
  double curvature_std = 0.03;      ///< 1/mm
  FluoroPoint home{};               ///< Vessels bend back to here ...
  double home_mm = 1.0e9;           ///< ... from farther away than this.
};

/// A tree grown by recursive bifurcation with Murray's law r0^3 = r1^3 + r2^3 and his branching
/// angles. The first vessel is the root; parents come before children.
[[nodiscard]] std::vector<FluoroVessel> grow_vessels(FluoroPoint root,
                                                     double angle,
                                                     const FluoroTreeOptions& options,
                                                     Rng& rng);

/// The way from the root to the end of vessel `leaf`, with the lumen's radius at every vertex.
[[nodiscard]] FluoroVessel path_to(const std::vector<FluoroVessel>& tree, size_t leaf);

}  // namespace voxloom::dataset
