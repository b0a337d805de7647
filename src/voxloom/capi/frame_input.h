#pragma once

#include <cstdint>

#include "voxloom/capi/voxloom_tracker.h"
#include "voxloom/image/frame.h"

namespace voxloom::capi {

/// A caller's frame as one of a stream: everything about it is checked, then its pixels become
/// black 0 ... white 1, as the readers of `wire track` make them. Number and time are left to the
/// caller of this function. `default_pixel_mm` stands in for a frame that says 0. Throws
/// kInvalidArgument naming the field.
[[nodiscard]] image::Frame read_frame(const voxloom_frame* frame,
                                      double default_pixel_mm,
                                      bool bright_objects);

/// Largest side of a frame in px.
inline constexpr int32_t kLargestSide = 1 << 14;

}  // namespace voxloom::capi
