#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "voxloom/core/atomic_file.h"
#include "voxloom/image/volume.h"

namespace voxloom::io {

/// Opens any supported volume for reading slab by slab: NIfTI-1/2 (.nii, .nii.gz, .hdr/.img),
/// NRRD (.nrrd, .nhdr), MetaImage (.mha, .mhd), MedSAM's NPZ (`imgs`), a DICOM folder or file,
/// PNG/JPEG/TIFF (one slice a page). The format is found from the content first, then the name.
///
/// `series_uid` picks one of several DICOM series; empty: the only one there is.
/// Throws kNotFound, kDataCorrupt (naming file and field), kUnsupported, kInvalidArgument.
[[nodiscard]] std::unique_ptr<image::VolumeSource> open_volume(const std::filesystem::path& path,
                                                               const std::string& series_uid = "");

/// The whole volume at once.
[[nodiscard]] image::Volume read_volume(const std::filesystem::path& path,
                                        const std::string& series_uid = "");

/// A label map; throws kDataCorrupt when a value is no whole number within [0, 65535].
[[nodiscard]] image::LabelVolume read_labels(const std::filesystem::path& path);

/// Writes .nii, .nii.gz, .hdr/.img, .nrrd, .nhdr, .mha, .mhd or .npz, by the name's suffix,
/// atomically (volume_writer.h has more options and writes slab by slab).
void write_volume(const image::Volume& volume,
                  const std::filesystem::path& path,
                  Overwrite overwrite);

/// Writes a label map (uint8 when it fits); label names go where the format has a place (NRRD).
void write_labels(const image::LabelVolume& labels,
                  const std::filesystem::path& path,
                  Overwrite overwrite);

/// Throws kUnsupported, listing the known suffixes, unless write_volume can write `path`.
void check_writable_format(const std::filesystem::path& path);

}  // namespace voxloom::io
