#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "voxloom/image/volume.h"
#include "voxloom/infer/prompt.h"

namespace voxloom::infer {

/// The slice on which `value` covers most pixels (the lowest of several), or nothing when the
/// label map has no such voxel.
[[nodiscard]] std::optional<int64_t> largest_slice(const image::LabelVolume& labels,
                                                   uint16_t value);

/// The tight box of `value` on slice z, z0 = z1 = z. Throws kInvalidArgument when it is empty.
[[nodiscard]] BoxPrompt tight_box(const image::LabelVolume& labels, uint16_t value, int64_t z);

/// The next click of a simulated annotator on one slice: in the middle of the worst error.
///
/// truth, prediction [height, width], non-zero is the object. Of the missed and the wrongly added
/// pixels the set with the larger maximum of its distance to its own border is taken (the image
/// border counts as border); the click lies at that maximum, positive for missed pixels. Ties: the
/// positive click, then the first pixel in row order. Rule of Sofiiuk et al. 2022, "Reviving
/// Iterative Training with Mask Guidance for Interactive Segmentation" (RITM, arXiv:2102.06583).
/// Nothing when both agree.
[[nodiscard]] std::optional<PointPrompt> next_click(std::span<const uint8_t> truth,
                                                    std::span<const uint8_t> prediction,
                                                    int64_t width,
                                                    int64_t height,
                                                    int64_t z);

}  // namespace voxloom::infer
