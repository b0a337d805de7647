#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "voxloom/image/volume.h"

namespace voxloom::io {

// NIfTI-1 (348-byte header, https://nifti.nimh.nih.gov/nifti-1) and NIfTI-2 (540 bytes). A file
// begins with the header's own length, whose byte order tells that of the whole file; a magic
// word ("n+1", "n+2": voxels in the same file from vox_offset on; "ni1", "ni2": voxels in an
// .img file beside) tells the version. World axes are RAS; this library turns them to LPS.

inline constexpr size_t kNifti1HeaderBytes = 348;
inline constexpr size_t kNifti2HeaderBytes = 540;

/// The fields that matter here, decoded, of either version.
struct NiftiHeader {
  int version = 1;
  bool pair = false;        ///< Voxels are in a second file.
  bool swap_bytes = false;  ///< The file is big-endian.
  std::array<int64_t, 8> dim{};
  int datatype = 0;
  std::array<double, 8> pixdim{};
  double vox_offset = 0;
  double slope = 0, intercept = 0;
  int units = 0;  ///< xyzt_units
  int qform_code = 0, sform_code = 0;
  std::array<double, 3> quatern{}, qoffset{};
  std::array<double, 12> srow{};  ///< Row-major 3 x 4.
};

/// True when `bytes` (at least 4) begin like a NIfTI or ANALYZE header.
[[nodiscard]] bool looks_like_nifti(std::span<const std::byte> bytes);

/// Decodes and checks magic, dims and type. `bytes`: the file's first 540 (or 348) bytes.
/// Throws kDataCorrupt, or kUnsupported for ANALYZE 7.5.
[[nodiscard]] NiftiHeader decode_nifti_header(std::span<const std::byte> bytes,
                                              std::string_view file);

/// Size of the one volume in the file. Throws kUnsupported when there are several.
[[nodiscard]] image::Index3 nifti_size(const NiftiHeader& header, std::string_view file);

/// Throws kUnsupported for complex, RGB and 128-bit voxels.
[[nodiscard]] image::PixelType nifti_pixel_type(const NiftiHeader& header, std::string_view file);

/// World geometry by the rules of ITK 5.4 (what 3D Slicer shows):
/// - neither code set: identity, origin 0, spacing from pixdim;
/// - the sform when its axes are at right angles and it is the only one, or has code 1, or equals
///   the qform; its directions are used with pixdim's spacing;
/// - else the qform when its code is set;
/// - else (a sheared sform alone, which ITK refuses) the sform exactly, with a warning.
/// xyzt_units metres and microns become mm. Throws kDataCorrupt for non-finite numbers.
[[nodiscard]] image::Geometry nifti_geometry(const NiftiHeader& header, std::string_view file);

/// A little-endian header for `geometry` and `type`: NIfTI-1, or NIfTI-2 when a size is above
/// 32767. Padded so that voxels follow at once (single file), or not (pair). The sform is exact up
/// to float32 (NIfTI-2: float64), the qform equals it unless the axes are sheared (then its code is
/// 0).
[[nodiscard]] std::string encode_nifti_header(const image::Geometry& geometry,
                                              image::PixelType type,
                                              bool pair);

}  // namespace voxloom::io
