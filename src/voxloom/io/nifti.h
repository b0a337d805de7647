#pragma once

#include <filesystem>
#include <memory>

#include "voxloom/image/volume.h"

namespace voxloom::io {

/// Opens .nii, .nii.gz or either file of an .hdr/.img pair (each may be gzipped too).
///
/// scl_slope/scl_inter are applied as nibabel does: not when the slope is 0 or not finite, else
/// slope * stored + inter in the type of rescaled_type() (voxel_source.h).
[[nodiscard]] std::unique_ptr<image::VolumeSource> open_nifti(const std::filesystem::path& path);

}  // namespace voxloom::io
