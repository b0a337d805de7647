#pragma once

#include <filesystem>

#include "voxloom/core/cancel.h"
#include "voxloom/image/volume.h"
#include "voxloom/serve/interactive/read_prompts.h"

namespace voxloom::serve {

/// Stage 4 of an inference: the label map as a file of a random name in `folder`, on the whole
/// grid of the image and with its geometry. Returns its path.
///
/// NRRD files are in LPS space and, unless compressed, exactly one header and the voxels; only
/// .seg.nrrd carries the label names, so that the header of .nrrd stays what small parsers read.
/// The file is for one answer: it is not synced.
/// Throws kNotFound (no such folder), kUnavailable (disk full), kCancelled.
[[nodiscard]] std::filesystem::path write_mask(const image::LabelVolume& labels,
                                               const MaskFormat& format,
                                               const std::filesystem::path& folder,
                                               const CancelToken& stop);

}  // namespace voxloom::serve
