#pragma once

#include <memory>

#include "voxloom/image/volume.h"
#include "voxloom/io/byte_source.h"

namespace voxloom::io {

/// How the voxels of an opened file are stored and what they mean.
struct VoxelLayout {
  image::Geometry geometry;
  image::PixelType stored = image::PixelType::kUint8;
  bool swap_bytes = false;                           ///< Stored big-endian.
  double slope = 1.0, intercept = 0.0;               ///< value = slope * stored + intercept.
  image::PixelType type = image::PixelType::kUint8;  ///< What the source hands out.
};

/// The type that holds slope * stored + intercept:
/// - identity: the stored type;
/// - integers with whole slope and intercept: the smallest of int16, uint16, int32, uint32 (and
///   uint8, int8 where they fit) that holds every mapped value of the stored type;
/// - else float32, or float64 when the stored type is float64 or an integer above 16 bits.
[[nodiscard]] image::PixelType rescaled_type(image::PixelType stored,
                                             double slope,
                                             double intercept);

/// Voxels of `bytes` (which start at voxel 0) as a volume that is read slab by slab.
/// Throws kDataCorrupt when the geometry is invalid or `bytes` can't hold that many voxels.
[[nodiscard]] std::unique_ptr<image::VolumeSource> make_voxel_source(
    const VoxelLayout& layout, std::unique_ptr<ByteSource> bytes);

/// The same for voxels written as decimal numbers with blanks between; they are read when the
/// first slab is asked for and then kept.
[[nodiscard]] std::unique_ptr<image::VolumeSource> make_text_voxel_source(
    const VoxelLayout& layout, std::unique_ptr<ByteSource> bytes);

}  // namespace voxloom::io
