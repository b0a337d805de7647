#pragma once

#include "voxloom/image/canvas.h"
#include "voxloom/image/frame.h"
#include "voxloom/infer/wire_tracker.h"

namespace voxloom::infer {

/// A frame as people look at it: the mask in translucent green, the centre line as a green line,
/// the tip in a ring, what was bridged dashed in yellow, a prediction dashed in orange, and a line
/// of text with frame, state, length and age of the result.
[[nodiscard]] image::Canvas draw_wire_overlay(const image::Frame& frame, const WireResult& result);

}  // namespace voxloom::infer
