#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "voxloom/core/atomic_file.h"
#include "voxloom/image/canvas.h"
#include "voxloom/image/volume.h"
#include "voxloom/infer/prompt.h"
#include "voxloom/infer/segmenter.h"

namespace voxloom::infer {

/// A picture of a result that a person can judge at a glance: a row an object with its key slices
/// (at most three), then the coronal and sagittal plane through the middle of the object. Grey
/// values as the model saw them (options.window), pixels square in mm, the label filled lightly
/// and outlined, clicks as plus (inside) and cross (outside), boxes as frames. Clicks on other
/// slices are small dots. z points up in the last two.
[[nodiscard]] image::Canvas draw_preview(image::VolumeSource& volume,
                                         const image::LabelVolume& labels,
                                         const std::vector<ObjectPrompt>& objects,
                                         const SegmentOptions& options);

/// The same as a PNG file.
void write_preview(image::VolumeSource& volume,
                   const image::LabelVolume& labels,
                   const std::vector<ObjectPrompt>& objects,
                   const SegmentOptions& options,
                   const std::filesystem::path& path,
                   Overwrite overwrite);

/// Slice z twice, with the outline of `truth` [H, W] and of the label map's value 1, as PNG bytes.
[[nodiscard]] std::vector<std::byte> comparison_picture(image::VolumeSource& volume,
                                                        std::span<const uint8_t> truth,
                                                        const image::LabelVolume& labels,
                                                        int64_t z,
                                                        const SegmentOptions& options);

}  // namespace voxloom::infer
