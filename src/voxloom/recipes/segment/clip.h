#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "voxloom/core/random.h"
#include "voxloom/infer/segment_train_options.h"
#include "voxloom/recipes/segment/cases.h"

namespace voxloom::recipes::segment {

/// Which part of a case an example shows.
struct ClipChoice {
  std::vector<int64_t> slices;   ///< Neighbours, in the order they are visited.
  std::vector<uint16_t> values;  ///< Objects on the first slice.
};

/// Draws a clip: a first slice with an object among all that leave room for every frame in the
/// drawn direction (else in the other one; else among all, and the clip ends with the volume), and
/// of its objects at most `max_objects`. Throws kInvalidArgument for a case without objects.
[[nodiscard]] ClipChoice choose_clip(const CaseIndex& item,
                                     const infer::ClipOptions& options,
                                     Rng& rng);

/// An example as the network sees it: T slices, N objects, S the network's input size.
struct Clip {
  std::string name;   ///< "case07 slices 12-19"
  at::Tensor images;  ///< [T, 3, S, S] float32, normalised.
  at::Tensor masks;   ///< [T, N, S, S] float32, 0 or 1; none is empty on the first slice.
};

/// Cuts a clip: slices as inference reads them, masks by the nearest pixel, both changed alike when
/// the options say so. Objects too small to be left on the first slice are dropped; false when all
/// are.
[[nodiscard]] bool make_clip(const CaseVoxels& voxels,
                             const ClipChoice& choice,
                             const infer::ClipOptions& options,
                             int64_t image_size,
                             Rng& rng,
                             Clip& clip);

}  // namespace voxloom::recipes::segment
