#pragma once

#include <cstdint>
#include <span>

#include "voxloom/filters/frame_view.h"
#include "voxloom/infer/filter_options.h"

namespace voxloom::filters {

using ClaheOptions = infer::ClaheOptions;

/// Contrast-limited adaptive histogram equalisation of 8 bits, in place: one look-up table per
/// tile, blended bilinearly between tile centres (Zuiderveld, Graphics Gems IV, 1994;
/// guidewire.md 2.1). The same bits as OpenCV's createCLAHE. Sides that the tiles do not divide are
/// continued by reflection to fill the histograms. image [height, width]. Throws kInvalidArgument
/// for sizes that do not fit and for more tiles than pixels.
void clahe(std::span<uint8_t> image, int64_t width, int64_t height, const ClaheOptions& options);

/// The same for grey values [0, 1], clipped and rounded to 8 bits on the way. out may be the view's
/// own pixels.
void clahe(const FrameView& view, const ClaheOptions& options, std::span<float> out);

}  // namespace voxloom::filters
