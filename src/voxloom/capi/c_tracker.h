#pragma once

#include <memory>

#include "voxloom/capi/voxloom_tracker.h"
#include "voxloom/infer/wire_tracker.h"

namespace voxloom::capi {

/// A tracker of C++ behind the C interface, for tests and for programs that bring their own
/// segmenter. Free it with voxloom_tracker_destroy().
[[nodiscard]] voxloom_tracker* adopt_tracker(std::unique_ptr<infer::WireTracker> tracker,
                                             double default_pixel_mm = 0.0,
                                             bool bright_objects = false);

}  // namespace voxloom::capi
