#pragma once

#include "voxloom/image/frame.h"
#include "voxloom/io/raster.h"

namespace voxloom::video {

/// A picture as a frame: grey, 0 to 1 over the full scale of its type.
[[nodiscard]] image::Frame picture_frame(const io::Raster& raster);

}  // namespace voxloom::video
