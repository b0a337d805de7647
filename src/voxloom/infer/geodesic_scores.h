#pragma once

#include <optional>

#include "voxloom/core/cancel.h"
#include "voxloom/infer/geodesic_field.h"
#include "voxloom/infer/merge.h"
#include "voxloom/infer/scores.h"

namespace voxloom::infer::geodesic {

/// How well the image tells `object` from what is around it.
///
/// There is no network here and so no learned probability. What stands in for it is the posterior
/// of the voxel's own denoised intensity when the inside of the object and the rest of its dilated
/// box are two normal classes with a common variance, as they are found there (linear discriminant
/// analysis; Fisher, Annals of Eugenics 7, 1936). Low contrast, a blurred border and surroundings
/// that look like the object all bring the posterior away from 0 and 1. Shape does not count.
/// The distance of the front is no use for it: its cost saturates outside the object, so that
/// faint borders look as certain as clear ones.
/// There are no two passes, so `disagreement` is absent.
///
/// Absent for an empty object, or one that fills its dilated box.
[[nodiscard]] std::optional<ObjectScores> score_object(const Field& field,
                                                       const RunMask& object,
                                                       const CancelToken& stop);

}  // namespace voxloom::infer::geodesic
