#pragma once

#include <cstdint>

#include "voxloom/core/random.h"

namespace voxloom::dataset {

/// A Poisson number, exact for every mean >= 0: by inversion (one uniform number, counted up from
/// zero) below 10, by Hoermann's transformed rejection PTRS above (Insurance: Mathematics and
/// Economics 12, 1993). Takes about one 64-bit draw.
[[nodiscard]] float sample_poisson(float mean, Rng& rng);

/// The stream of random numbers of one row of one frame, so that rows can be made in any order.
[[nodiscard]] Rng fluoro_row_rng(uint64_t seed, int64_t frame, int64_t row);

}  // namespace voxloom::dataset
