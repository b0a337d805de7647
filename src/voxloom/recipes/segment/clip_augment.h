#pragma once

#include <ATen/core/Tensor.h>

#include "voxloom/core/random.h"

namespace voxloom::recipes::segment {

/// Changes a clip as MedSAM2's recipe does, all slices alike: mirrored left to right in every
/// second clip; turned by up to 25 degrees and sheared by up to 20 about the middle (left out where
/// an object would vanish from the first slice; what comes from outside is ImageNet's mean);
/// brightness within 10 % and contrast within 3 %; then each slice by itself by 10 % and 5 %. The
/// recipe's changes of colour do nothing to grey images.
///
/// images [T, 3, S, S] in [0, 255]; masks [T, N, S, S] of zeros and ones. `aspect`: width over
/// height of the original slice, in whose pixels turns are turns.
void augment_clip(double aspect, Rng& rng, at::Tensor& images, at::Tensor& masks);

}  // namespace voxloom::recipes::segment
