#pragma once

#include <string>

#include "voxloom/infer/biplane_calibration.h"
#include "voxloom/infer/biplane_lines.h"

namespace voxloom::infer {

/// One pair as people look at it, as HTML: both images with their centre lines, the projected curve
/// over them and each tip's epipolar line, and the curve in space from the front and from the
/// patient's left. Parts that not both views show are in other colours.
[[nodiscard]] std::string draw_biplane(const BiplaneRig& rig,
                                       const std::array<BiplaneView, 2>& views,
                                       const TrackedLine& a,
                                       const TrackedLine& b,
                                       const BiplaneCurve& curve);

}  // namespace voxloom::infer
