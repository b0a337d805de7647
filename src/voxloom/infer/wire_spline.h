#pragma once

#include "voxloom/infer/cubic_spline.h"
#include "voxloom/infer/wire_paths.h"

namespace voxloom::infer {

/// A centre line in the frame, in px.
using WireSpline = CubicSpline<2>;

}  // namespace voxloom::infer
