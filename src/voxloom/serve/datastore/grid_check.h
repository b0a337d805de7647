#pragma once

#include "voxloom/image/geometry.h"

namespace voxloom::serve {

/// Throws kInvalidArgument, saying how they differ, unless a label map lies on its image's grid:
/// the same size exactly, and every corner within a tenth of a voxel's shortest side (clients
/// write geometry in single precision, some as angles).
void check_label_grid(const image::Geometry& label, const image::Geometry& image);

}  // namespace voxloom::serve
