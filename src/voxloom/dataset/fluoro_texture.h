#pragma once

#include "voxloom/core/random.h"
#include "voxloom/dataset/fluoro_plane.h"

namespace voxloom::dataset {

/// Adds smooth random mottle: cubic interpolation between normal numbers on a grid of `cell_px`,
/// with standard deviation `std` at the grid points.
void add_mottle(FluoroPlane& image, double cell_px, double std, Rng& rng);

}  // namespace voxloom::dataset
