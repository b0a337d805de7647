#pragma once

#include <filesystem>
#include <string>

#include "voxloom/image/geometry.h"

namespace voxloom::serve {

/// What a label has to fit.
struct LabelTarget {
  image::Geometry grid;
  bool has_geometry = true;  ///< False for pictures: their files say nothing but the size.
};

/// Throws kInvalidArgument, saying what differs, unless a label map lies on its image's grid: the
/// same size exactly, and every corner within `voxels` of the shortest side of a voxel (clients
/// write geometry in single precision, some as angles).
void check_label_grid(const image::Geometry& label, const image::Geometry& image, double voxels);

/// Throws kInvalidArgument, saying what differs, unless `path` (whose name ends with `ext`) holds a
/// label of that grid: a volume with the same size whose voxels lie within a twentieth of a voxel
/// of the image's, all values whole numbers within [0, 65535]; or, for ".json", a JSON object of
/// at most 64 MiB. Every voxel of a packed file is read, so a damaged one is found.
void check_label(const std::filesystem::path& path,
                 const std::string& ext,
                 const LabelTarget& target);

/// Writes raw voxels (uint8, x fastest, the target's grid) as NIfTI. Throws kInvalidArgument when
/// the number of bytes doesn't fit.
void convert_raw_label(const std::filesystem::path& raw,
                       const LabelTarget& target,
                       const std::filesystem::path& nifti);

}  // namespace voxloom::serve
