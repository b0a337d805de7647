#pragma once

#include <cstdint>
#include <vector>

namespace voxloom::image {

/// One 2-D grey image of a stream, with its number and time stamp.
struct Frame {
  int64_t width = 0, height = 0;
  int64_t number = 0;         ///< From 0 within its stream.
  double time_s = 0.0;        ///< Since the first frame of the stream.
  double pixel_mm = 0.0;      ///< Pixel edge; 0: unknown.
  std::vector<float> pixels;  ///< [height, width], black 0 ... white 1.
};

}  // namespace voxloom::image
