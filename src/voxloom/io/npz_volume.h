#pragma once

#include <filesystem>
#include <memory>

#include "voxloom/core/atomic_file.h"
#include "voxloom/image/volume.h"

namespace voxloom::io {

// MedSAM's NPZ: a zip of numpy arrays: `imgs` [D, H, W] (often uint8 of a windowed image),
// `gts` or `segs` [D, H, W] label values, `spacing` (x, y, z) in mm. Beyond that this library
// writes, and reads where present, `origin` (3, LPS mm) and `direction` (9, row-major, columns
// are axes), so that the place in the patient isn't lost.

enum class NpzRole {
  kImage,   ///< `imgs`, else the label arrays.
  kLabels,  ///< `gts`, `segs`, else `imgs`.
};

/// Opens the array for slab-wise reading (also compressed ones). [H, W] is one slice.
/// Throws kDataCorrupt naming file and array, kUnsupported for several channels.
[[nodiscard]] std::unique_ptr<image::VolumeSource> open_npz_volume(
    const std::filesystem::path& path, NpzRole role);

/// Writes `imgs` (or `segs`), `spacing`, `origin` and `direction`.
void write_npz_volume(const image::Volume& volume,
                      const std::filesystem::path& path,
                      Overwrite overwrite,
                      NpzRole role,
                      bool compress);

}  // namespace voxloom::io
