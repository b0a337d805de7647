#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "voxloom/image/volume.h"

namespace voxloom::io {

// NRRD (http://teem.sourceforge.net/nrrd/format.html): a text header "NRRD000X" of "field: value"
// and "key:=value" lines, a blank line, then the voxels (attached), or voxels in files that the
// header names (detached, .nhdr). Segmentations of 3D Slicer (.seg.nrrd) are NRRD whose
// "SegmentN_..." keys name the label values.

/// Opens .nrrd or .nhdr with encoding raw, gzip or text. World axes LPS, RAS and LAS become LPS;
/// without `space` they are taken as LPS (as ITK does).
/// Throws kUnsupported for several values a voxel, layered segmentations, other encodings.
[[nodiscard]] std::unique_ptr<image::VolumeSource> open_nrrd(const std::filesystem::path& path);

/// The label names in the header of a segmentation; empty where there are none.
[[nodiscard]] std::vector<image::Label> read_nrrd_labels(const std::filesystem::path& path);

/// A header with encoding gzip (or raw), world LPS, and the label names as 3D Slicer's segment
/// fields. `data_file` empty: attached (ends with the blank line).
[[nodiscard]] std::string encode_nrrd_header(const image::Geometry& geometry,
                                             image::PixelType type,
                                             bool gzip,
                                             const std::vector<image::Label>& labels,
                                             std::string_view data_file);

}  // namespace voxloom::io
