#pragma once

#include "voxloom/core/random.h"
#include "voxloom/dataset/fluoro_parameters.h"
#include "voxloom/dataset/fluoro_plane.h"

namespace voxloom::dataset {

/// The part of the picture that shows anything: 1 inside, 0 under the collimator, a soft edge.
[[nodiscard]] FluoroPlane make_field(FluoroField field, int64_t size, Rng& rng);

/// Burnt-in text as display systems draw it: 0 nothing, positive white, negative its dark rim.
[[nodiscard]] FluoroPlane make_caption(int64_t size, const FluoroParameters& parameters, Rng& rng);

}  // namespace voxloom::dataset
