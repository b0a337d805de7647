#pragma once

#include <cstdint>
#include <span>

namespace voxloom::filters {

struct ClaheOptions {
  double clip_limit = 2.0;  ///< Times the mean count of a histogram's bin; 0: no limit.
  int64_t tiles_x = 8, tiles_y = 8;
};

/// Contrast-limited adaptive histogram equalisation of 8 bits, in place: one look-up table per
/// tile, blended bilinearly between tile centres (Zuiderveld, Graphics Gems IV, 1994;
/// guidewire.md 2.1). The same bits as OpenCV's createCLAHE. Sides that the tiles do not divide are
/// continued by reflection to fill the histograms. image [height, width]. Throws kInvalidArgument
/// for sizes that do not fit and for more tiles than pixels.
void clahe(std::span<uint8_t> image, int64_t width, int64_t height, const ClaheOptions& options);

}  // namespace voxloom::filters
